#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/answer.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using ::testing::HasSubstr;

TEST(ReadAnswer, TakesTheOutermostObject) {
  for (const char* text : {
           R"({"a": [1, {"b": "}"}]})",
           "\xEF\xBB\xBF  {\"a\": [1, {\"b\": \"}\"}]}\n\n",
           "```json\n{\"a\": [1, {\"b\": \"}\"}]}\n```",
           "Here it is {as asked}:\n{\"a\": [1, {\"b\": \"}\"}]}\nI hope [it] helps.",
       }) {
    const auto value = read_json_answer(text);
    ASSERT_TRUE(value.has_value()) << text << value.error().message;
    EXPECT_EQ(*value, R"({"a": [1, {"b": "}"}]})"_json);
  }
}

TEST(ReadAnswer, GuessesNothing) {
  const auto error = [](std::string_view text) { return read_json_answer(text).error().message; };
  EXPECT_THAT(error(""), HasSubstr("is empty"));
  EXPECT_THAT(error("I cannot do that."), HasSubstr("no JSON object"));
  EXPECT_THAT(error(R"({"a": 1} {"a": 2})"), HasSubstr("several JSON values"));
  EXPECT_THAT(error(R"({"a": [1, 2)"), HasSubstr("before it is complete"));
  // The complete inner object of a cut answer is not the answer.
  EXPECT_THAT(error(R"({"list": [{"a": 1}, {"a")"), HasSubstr("before it is complete"));
  EXPECT_FALSE(read_json_answer(R"({"a": 1,})").has_value());
  EXPECT_FALSE(read_json_answer(R"({'a': 1})").has_value());
  EXPECT_FALSE(read_json_answer(R"({"a": 1, "a": 2})").has_value());
  EXPECT_THAT(error("{\"a\": \"\xC3\x28\"}"), HasSubstr("UTF-8"));
}

TEST(Salvage, KeepsTheCompleteElementsOfACutList) {
  const Path list = *parse_path("list");
  EXPECT_EQ(salvage_list(R"({"title": "x [", "list": [{"a": "1]"}, {"a": 2}, {"a": )", list),
            R"([{"a": "1]"}, {"a": 2}])"_json.as_array());
  EXPECT_EQ(salvage_list("```json\n{\"list\": [\"a\", \"b\", \"c", list), R"(["a", "b"])"_json.as_array());
  // A number at the very end may have lost digits.
  EXPECT_EQ(salvage_list(R"({"list": [12, 34)", list), R"([12])"_json.as_array());
  EXPECT_EQ(salvage_list(R"({"list": [{"a": 1}], "more": "cut)", list), R"([{"a": 1}])"_json.as_array());
  EXPECT_TRUE(salvage_list(R"({"other": [{"a": 1}], "li)", list).empty());
  EXPECT_TRUE(salvage_list(R"({"list": [{"a": 1)", list).empty());
  EXPECT_TRUE(salvage_list("no JSON", list).empty());
  EXPECT_EQ(salvage_list(R"({"x": {"list": [3, 4], "y": [)", *parse_path("x.list")), R"([3, 4])"_json.as_array());
}

TEST(Schema, ErrorsHavePointerAndAReasonToActOn) {
  const json::value schema =
      R"({"type": "object", "additionalProperties": false, "required": ["name", "kind", "list"], "properties": {
        "name": {"type": "string", "description": "d"},
        "kind": {"type": ["string", "null"], "enum": ["a", "b", null], "description": "d"},
        "list": {"type": "array", "description": "d", "items": {"$ref": "#/$defs/one"}}},
        "$defs": {"one": {"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1, "description": "d"}}}}})"_json;
  EXPECT_TRUE(validate_schema(schema, R"({"name": "x", "kind": null, "list": [{"n": 3}, {"n": 3.0}]})"_json).empty());
  const auto problem = [&](json::value value) {
    const auto problems = validate_schema(schema, value);
    EXPECT_EQ(problems.size(), 1U);
    return problems.empty() ? std::string() : problems[0].pointer + ": " + problems[0].message;
  };
  EXPECT_EQ(problem(R"({"name": 3, "kind": "a", "list": []})"_json), "/name: must be of type string, not 3");
  EXPECT_EQ(problem(R"({"name": "x", "kind": "c", "list": []})"_json), "/kind: \"c\" is not one of \"a\", \"b\", null");
  EXPECT_EQ(problem(R"({"name": "x", "kind": "a"})"_json), ": the field \"list\" is missing");
  EXPECT_EQ(problem(R"({"name": "x", "kind": "a", "list": [], "more": 1})"_json),
            ": the field \"more\" is not part of the schema; leave it out");
  EXPECT_EQ(problem(R"({"name": "x", "kind": "a", "list": [{"n": 2}, {"n": "2"}]})"_json),
            "/list/1/n: must be of type integer, not \"2\"");
  EXPECT_THAT(problem(R"({"name": "x", "kind": "a", "list": [{"n": 0}]})"_json),
              HasSubstr("/list/0/n: Expected number greater than or equal to 1"));
}

TEST(Schema, AtMostTwentyErrors) {
  const json::value schema =
      R"({"type": "object", "additionalProperties": false, "required": ["l"], "properties": {"l": {"type": "array", "items": {"type": "string"}}}})"_json;
  json::array numbers(100, json::value(1));
  EXPECT_EQ(validate_schema(schema, json::object{{"l", numbers}}).size(), 20U);
}

TEST(Schema, ABadSchemaIsAProblemNotACrash) {
  EXPECT_EQ(validate_schema(R"({"type": "object", "properties": 3})"_json, json::object()).size(), 1U);
  EXPECT_TRUE(validate_schema(R"({"type": "object", "properties": {"a": {"type": "string", "pattern": "(((("}}})"_json,
                              json::object{{"a", "x"}})
                  .empty());
}

struct SubsetCase {
  const char* schema;
  const char* problem;
};

class StrictSubset : public ::testing::TestWithParam<SubsetCase> {};

TEST_P(StrictSubset, ViolationsAreNamed) {
  std::string all;
  for (const AnswerProblem& problem : check_strict_subset(*parse_json(GetParam().schema)))
    all += problem.pointer + ": " + problem.message + "\n";
  EXPECT_THAT(all, HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Schemas, StrictSubset,
    ::testing::Values(
        SubsetCase{R"({"type": "array", "items": {"type": "string"}})", "the root must have"},
        SubsetCase{
            R"({"type": "object", "properties": {"a": {"type": "string", "description": "d"}}, "required": ["a"]})",
            "additionalProperties"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string", "description": "d"}}, "required": []})",
            "/properties/a: is not in \"required\""},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}, "required": ["a"]})",
            "/properties/a: has no \"description\""},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string", "description": "d", "maxLength": 3}}, "required": ["a"]})",
            "write it as a rule"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"oneOf": [], "description": "d"}}, "required": ["a"]})",
            "\"oneOf\" is outside the strict subset"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "text", "description": "d"}}, "required": ["a"]})",
            "\"type\" is none of"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "array", "description": "d"}}, "required": ["a"]})",
            "needs one \"items\""},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"]})",
            "leads nowhere"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": ["string", "null"], "enum": ["x"], "description": "d"}}, "required": ["a"]})",
            "a nullable enum has null both"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string", "description": "d", "surprise": 1}}, "required": ["a", "b"]})",
            "the keyword \"surprise\" is unknown"},
        SubsetCase{
            R"({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string", "description": "d", "format": "uri"}}, "required": ["a"]})",
            "\"format\""}));

TEST(StrictSubset, AGoodSchemaHasNoProblem) {
  EXPECT_TRUE(
      check_strict_subset(R"({"type": "object", "additionalProperties": false, "required": ["a", "b"], "properties": {
        "a": {"description": "d", "anyOf": [{"type": "string"}, {"type": "null"}]},
        "b": {"type": "array", "description": "d", "items": {"$ref": "#/$defs/n"}}},
        "$defs": {"n": {"type": "object", "additionalProperties": false, "required": ["k"], "properties": {"k": {"type": "string", "enum": ["x"], "description": "d"}}}}})"_json)
          .empty());
}

}  // namespace
}  // namespace planexe::recipe
