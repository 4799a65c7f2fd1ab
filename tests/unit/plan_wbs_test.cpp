#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "plan/csv.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {
namespace {

json::value parse(std::string_view text) { return parse_json(text).value(); }

const char* const kLevel1 = R"({"id": "p", "project_title": "Shop", "final_deliverable": "Open shop"})";
const char* const kLevel2 = R"([
  {"id": "a", "major_phase_title": "Found", "subtasks": [{"id": "a1", "description": "Write case"}, {"id": "a2", "description": "Register"}]},
  {"id": "b", "major_phase_title": "Open", "subtasks": [{"id": "b1", "description": "Open the door"}]}])";
const char* const kLevel3 = R"([
  {"id": "x1", "name": "Draft", "description": "Write two pages", "resources_needed": ["Desk", "Founder"], "parent_id": "a1"},
  {"id": "x2", "name": "Review; and \"cut\"", "description": "", "resources_needed": [], "parent_id": "a1"}])";

Wbs shop() {
  Wbs wbs = build_wbs(parse(kLevel1), parse(kLevel2)).value();
  EXPECT_TRUE(attach_subtasks(wbs, parse(kLevel3)).has_value());
  return wbs;
}

TEST(PlanWbs, NumbersNodesByPosition) {
  const Wbs wbs = shop();
  std::vector<std::string> lines;
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode* parent) {
    lines.push_back(node.ref + "|" + node.title + "|" + (parent == nullptr ? "" : parent->id));
  });
  EXPECT_THAT(
      lines, testing::ElementsAre("|Shop|", "1|Found|p", "1.1|Write case|a", "1.1.1|Draft|a1",
                                  "1.1.2|Review; and \"cut\"|a1", "1.2|Register|a", "2|Open|p", "2.1|Open the door|b"));
}

TEST(PlanWbs, StoredFormLeavesOutEmptyMembers) {
  EXPECT_EQ(
      to_json(wbs_to_json(build_wbs(parse(R"({"id":"p","project_title":"Shop"})"),
                                    parse(R"([{"id":"a","major_phase_title":"Found","subtasks":[]}])"))
                              .value())),
      R"({"wbs_project":{"id":"p","description":"Shop","task_children":[{"id":"a","ref":"1","description":"Found","parent_id":"p"}]}})");
}

TEST(PlanWbs, StoredFormReadsBack) {
  const json::value stored = wbs_to_json(shop());
  EXPECT_EQ(wbs_to_json(wbs_from_json(stored).value()), stored);
}

TEST(PlanWbs, ReadsTreesOfOlderPlansWithoutRefs) {
  const auto wbs = wbs_from_json(parse(
      R"({"wbs_project":{"id":"p","description":"Shop","task_children":[{"id":"a","description":"Found","task_children":[{"id":"a1","description":"Case"}]}]}})"));
  ASSERT_TRUE(wbs.has_value());
  EXPECT_EQ(wbs->root.children[0].children[0].ref, "1.1");
}

TEST(PlanWbs, RefusesBrokenTrees) {
  EXPECT_FALSE(build_wbs(parse(kLevel1), parse("[]")));
  EXPECT_FALSE(build_wbs(parse(R"({"id":"p","project_title":" "})"), parse(kLevel2)));
  EXPECT_FALSE(build_wbs(parse(R"({"id":"a","project_title":"Shop"})"), parse(kLevel2)));  // the id of a phase
  EXPECT_FALSE(wbs_from_json(parse("[]")));
  EXPECT_FALSE(wbs_from_json(parse(R"({"wbs_project":{"id":"p","description":"Shop","task_children":[3]}})")));
}

TEST(PlanWbs, RefusesSubtasksWithoutParent) {
  Wbs wbs = build_wbs(parse(kLevel1), parse(kLevel2)).value();
  const auto unknown = attach_subtasks(wbs, parse(R"([{"id":"x","name":"Draft","parent_id":"zz"}])"));
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, testing::HasSubstr("Draft"));
  EXPECT_FALSE(attach_subtasks(wbs, parse(R"([{"id":"x","name":"Draft","parent_id":"a"}])")));  // a phase with tasks
}

TEST(PlanWbs, ReportsTitlesThatRepeatUnderOneParent) {
  Wbs wbs = build_wbs(parse(kLevel1), parse(kLevel2)).value();
  const auto findings = attach_subtasks(
      wbs, parse(R"([{"id":"x","name":"Draft it","parent_id":"a1"},{"id":"y","name":"draft  It","parent_id":"a1"}])"));
  ASSERT_TRUE(findings);
  ASSERT_EQ(findings->size(), 1u);
  EXPECT_EQ(findings->front().rule, "repeated_title");
}

TEST(PlanWbsCsv, WritesOneRowPerNodeWithQuotes) {
  EXPECT_EQ(wbs_to_csv(shop()),
            "Level 1;Level 2;Level 3;Level 4;Task ID\nShop;;;;p\n;Found;;;a\n;;Write case;;a1\n;;;Draft;x1\n"
            ";;;\"Review; and \"\"cut\"\"\";x2\n;;Register;;a2\n;Open;;;b\n;;Open the door;;b1");
}

TEST(PlanWbsCsv, HasThreeLevelsWithoutSubtasks) {
  const Wbs wbs = build_wbs(parse(kLevel1), parse(kLevel2)).value();
  EXPECT_TRUE(wbs_to_csv(wbs).starts_with("Level 1;Level 2;Level 3;Task ID\n"));
}

TEST(PlanWbsCsv, ReadsUnquotedTitlesWithDelimiterAndLineEnd) {
  const auto wbs =
      wbs_from_csv("Level 1;Level 2;Level 3;Level 4;Task ID\nShop;;;;p\n;Found; fund;;;a\n;;Write\ncase;;a1\n");
  ASSERT_TRUE(wbs) << wbs.error().message;
  EXPECT_EQ(wbs->root.children[0].title, "Found; fund");
  EXPECT_EQ(wbs->root.children[0].children[0].title, "Write case");
}

TEST(PlanWbsCsv, RefusesTablesThatAreNoTree) {
  EXPECT_FALSE(wbs_from_csv(""));
  EXPECT_FALSE(wbs_from_csv("Level 1;Level 2;Level 3;Task ID\n;;Orphan;a"));
  EXPECT_FALSE(wbs_from_csv("Level 1;Level 2;Level 3;Task ID\nA;;;x\n;B;;x"));
}

RC_GTEST_PROP(PlanWbsCsv, ReadsBackWhatItWrote, ()) {
  const auto title = rc::gen::nonEmpty(
      rc::gen::container<std::string>(rc::gen::element('a', 'b', ';', '"', ',', '\n', '=', '-', '\'')));
  Wbs wbs;
  int id = 0;
  const auto node = [&] {
    WbsNode made;
    made.id = "id" + std::to_string(id++);
    made.title = "t" + *title + "t";
    return made;
  };
  wbs.root = node();
  const auto phases = *rc::gen::inRange(0, 4);
  for (int i = 0; i < phases; ++i) {
    wbs.root.children.push_back(node());
    const auto tasks = *rc::gen::inRange(0, 4);
    for (int j = 0; j < tasks; ++j) wbs.root.children.back().children.push_back(node());
  }
  number_wbs(wbs);
  const auto read = wbs_from_csv(wbs_to_csv(wbs));
  RC_ASSERT(read.has_value());
  RC_ASSERT(wbs_to_json(*read) == wbs_to_json(wbs));
}

TEST(PlanCsv, GuardsSpreadsheetFormulas) {
  EXPECT_EQ(csv_field("=1+1", ','), "'=1+1");
  EXPECT_EQ(csv_field("-x", ','), "'-x");
  EXPECT_EQ(read_csv("'=1+1,a", ',')[0][0], "=1+1");
}

TEST(PlanCsv, ReadsAnythingToTheEnd) {
  EXPECT_THAT(read_csv("a,\"b", ','), testing::ElementsAre(testing::ElementsAre("a", "b")));
  EXPECT_THAT(read_csv("\n\r\na\r\n", ','), testing::ElementsAre(testing::ElementsAre("a")));
}

}  // namespace
}  // namespace planexe::plan
