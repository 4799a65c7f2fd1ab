#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/path.hpp"

namespace planexe::recipe {
namespace {

json::value document() {
  return *parse_json(
      R"({"levers": [{"name": "a", "options": [1, 2]}, {"name": "b", "options": []}, {"name": null}], "none": null, "deep": {"er": {"x": 1}}})");
}

class PathTest : public ::testing::Test {
 protected:
  PathTest() { scope_.set("d", &document_); }
  std::string get(std::string_view text) {
    const auto value = resolve(*parse_path(text), scope_);
    return value ? to_json(*value) : "error: " + value.error().message;
  }
  json::value document_ = document();
  Scope scope_;
};

TEST(PathParser, ReadsStepsAndOptions) {
  const Path path = *parse_path(" a.b_2?[].c[12]? ");
  EXPECT_EQ(path.text, "a.b_2?[].c[12]?");
  ASSERT_EQ(path.steps.size(), 5U);
  EXPECT_EQ(path.root(), "a");
  EXPECT_TRUE(path.steps[1].optional);
  EXPECT_EQ(path.steps[2].kind, Path::Step::each);
  EXPECT_EQ(path.steps[4].number, 12U);
  EXPECT_TRUE(path.tolerant());
  EXPECT_TRUE(path.has_each());
  EXPECT_FALSE(parse_path("a.b")->tolerant());
}

TEST(PathParser, RefusesEverythingElse) {
  for (const char* text :
       {"",     " ",    ".",   "a.", ".a",  "a..b", "a b", "a[",        "a]", "a[-1]",
        "a[x]", "a[1",  "a??", "1a", "a.1", "a-b",  "@x",  "a.@number", "ä",  "a[99999999999999999999]",
        "a|b",  "a.b()"})
    EXPECT_FALSE(parse_path(text).has_value()) << text;
  EXPECT_FALSE(parse_path(std::string(600, 'a')).has_value());
  std::string many = "a";
  for (int i = 0; i < 40; ++i) many += ".b";
  EXPECT_FALSE(parse_path(many).has_value());
}

TEST_F(PathTest, Resolves) {
  EXPECT_EQ(get("d.deep.er.x"), "1");
  EXPECT_EQ(get("d.levers[1].name"), "\"b\"");
  EXPECT_EQ(get("d.levers[].name"), "[\"a\",\"b\",null]");
  EXPECT_EQ(get("d.levers[].name?"), "[\"a\",\"b\"]");
  EXPECT_EQ(get("d.levers[].options?"), "[1,2]");
  EXPECT_EQ(get("d.levers[].options?[]"), "[1,2]");
  EXPECT_EQ(get("d.levers"), to_json(document().at("levers")));
  EXPECT_EQ(get("d.none?.x.y"), "null");
  EXPECT_EQ(get("e?"), "null");
}

TEST_F(PathTest, ErrorsNamePathAndMember) {
  EXPECT_EQ(get("d.deep.err.x"), "error: d.deep.err.x: 'err' does not exist");
  EXPECT_EQ(get("d.none.x"), "error: d.none.x: 'x' is asked of null");
  EXPECT_EQ(get("d.levers[7]"), "error: d.levers[7]: [7] is beyond the end of a list of 3");
  EXPECT_EQ(get("d.deep[]"), "error: d.deep[]: [] is asked of an object");
  EXPECT_EQ(get("e.x"), "error: e.x: 'e' does not exist here");
}

TEST_F(PathTest, InnerScopesHideOuterOnes) {
  const json::value inner(2);
  Scope child(&scope_);
  child.set("d", &inner);
  EXPECT_EQ(*resolve(*parse_path("d"), child), 2);
  EXPECT_EQ(child.root("d"), &inner);
  EXPECT_NE(scope_.root("d"), &inner);
}

TEST_F(PathTest, PointersDoNotCopy) {
  const auto pointer = resolve_pointer(*parse_path("d.deep"), scope_);
  ASSERT_TRUE(pointer.has_value());
  EXPECT_EQ(*pointer, document_.as_object().if_contains("deep"));
  EXPECT_EQ(*resolve_pointer(*parse_path("d.nothing?"), scope_), nullptr);
  EXPECT_FALSE(resolve_pointer(*parse_path("d.levers[]"), scope_).has_value());
}

TEST_F(PathTest, LocateTellsConcretePlaces) {
  std::string places;
  for (const Located& found : locate(*parse_path("levers[].options[]"), document_))
    places += found.place + "=" + to_json(*found.value) + " ";
  EXPECT_EQ(places, "levers[0].options[0]=1 levers[0].options[1]=2 ");
  EXPECT_TRUE(locate(*parse_path("nothing[].x"), document_).empty());
  EXPECT_EQ(locate(*parse_path("levers[1].name"), document_).at(0).place, "levers[1].name");
}

}  // namespace
}  // namespace planexe::recipe
