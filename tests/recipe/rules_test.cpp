#include "recipe/rules.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/lint.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::small_files_with;
using testing::Values;

/// The rule that a [[check]] with these lines makes.
std::vector<Rule> rules(std::string_view toml) {
  const std::string task = fmt::format(
      "title = \"Gate\"\nphase = \"setup\"\n[outputs]\nraw = \"002-1-gate.json\"\nmarkdown = "
      "\"002-2-gate.md\"\n[[check]]\n{}\n",
      toml);
  const auto inspected = inspect_recipe(small_files_with("tasks/gate/task.toml", task));
  const Task* gate = inspected.recipe.task("gate");
  EXPECT_TRUE(gate && gate->steps.size() == 1 && gate->steps[0].rules.size() == 1) << toml;
  return gate && !gate->steps.empty() ? gate->steps[0].rules : std::vector<Rule>();
}

const json::value kScope =
    R"({"plan": {"prompt": "Open a shop\nin  Lyon, budget 80 000 EUR"}, "other": {"answer": {"ids": ["A", "B", "C"], "one": "A"}}, "unit": {"key": "A"}})"_json;

/// Concrete places and messages of what fails, one per line.
std::string failures(std::string_view toml, const json::value& answer) {
  const Values values(kScope);
  std::string out;
  for (const AnswerProblem& problem : check_rules(rules(toml), answer, values.scope()))
    out += fmt::format("{}: {}\n", problem.pointer, problem.message);
  return out;
}

struct RuleCase {
  const char* rule;
  const char* answer;
  const char* failure;  ///< "" when the rule holds
};

class Rules : public ::testing::TestWithParam<RuleCase> {};

TEST_P(Rules, Judge) {
  const std::string found = failures(GetParam().rule, *parse_json(GetParam().answer));
  if (*GetParam().failure)
    EXPECT_EQ(found, std::string(GetParam().failure) + "\n");
  else
    EXPECT_THAT(found, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Len, Rules,
    ::testing::Values(
        RuleCase{"path = \"l\"\nlen = [2, 3]", R"({"l": [1, 2]})", ""},
        RuleCase{"path = \"l\"\nlen = [2, 3]", R"({"l": [1]})", "/l: has 1 entries; wanted are 2 to 3"},
        RuleCase{"path = \"l\"\nlen = 3", R"({"l": [1, 2, 3, 4]})", "/l: has 4 entries; wanted are exactly 3"},
        RuleCase{"path = \"t\"\nlen = [0, 3]", R"({"t": "äöü"})", ""},
        RuleCase{"path = \"t\"\nlen = [0, 3]", R"({"t": "abcd"})", "/t: has 4 characters; wanted are 0 to 3"},
        RuleCase{"path = \"t\"\nlen = 3", R"({"t": null})", ""},
        RuleCase{"path = \"l[].o\"\nlen = 1", R"({"l": [{"o": [1]}, {"o": []}]})",
                 "/l/1/o: has 0 entries; wanted are exactly 1"},
        RuleCase{"path = \"l\"\nlen = [1, inf]", R"({"l": []})", "/l: has 0 entries; wanted are at least 1"},
        RuleCase{"path = \"t\"\nwords = [2, 3]", R"({"t": "one two three"})", ""},
        RuleCase{"path = \"t\"\nwords = [2, 3]", R"({"t": "one"})", "/t: has 1 words; wanted are 2 to 3"},
        RuleCase{"path = \"l\"\nwords = 1", R"({"l": ["a", "b c"]})", "/l/1: has 2 words; wanted are exactly 1"}));

INSTANTIATE_TEST_SUITE_P(
    Sets, Rules,
    ::testing::Values(
        RuleCase{"path = \"l[].n\"\nrule = \"unique\"", R"({"l": [{"n": "Bake bread"}, {"n": "Sell"}]})", ""},
        RuleCase{"path = \"l[].n\"\nrule = \"unique\"", R"({"l": [{"n": "Bake bread"}, {"n": "bake  BREAD "}]})",
                 "/l/1/n: \"bake  BREAD \" stands at l[0].n already; each may occur once"},
        RuleCase{"path = \"l\"\nrule = \"unique\"", R"({"l": [1, 2, 1]})",
                 "/l/2: 1 stands at l[0] already; each may occur once"},
        RuleCase{"path = \"l[].o\"\nrule = \"unique\"", R"({"l": [{"o": ["x"]}, {"o": ["x"]}]})", ""},
        RuleCase{"path = \"l[].o[]\"\nrule = \"unique\"", R"({"l": [{"o": ["x"]}, {"o": ["x"]}]})",
                 "/l/1/o/0: \"x\" stands at l[0].o[0] already; each may occur once"},
        RuleCase{"path = \"l\"\nrule = \"unique\"", R"({"l": [null, null]})", ""},
        RuleCase{"path = \"l\"\nrule = \"distinct\"\noverlap = 0.5", R"({"l": ["a b c d", "a b c x", "p q"]})",
                 "/l/1: says nearly the same as l[0] (60 % of the words)"},
        RuleCase{"path = \"l\"\nrule = \"distinct\"\noverlap = 0.6", R"({"l": ["a b c d", "a b c x"]})", ""},
        RuleCase{"path = \"l\"\nrule = \"nonempty\"", R"({"l": []})", "/l: must not be empty"},
        RuleCase{"path = \"l[]\"\nrule = \"nonempty\"", R"({"l": ["x", " "]})", "/l/1: must not be empty"},
        RuleCase{"path = \"l[]\"\nrule = \"nonempty\"", R"({"l": [null]})", ""},
        RuleCase{"path = \"l[].n\"\nsums_to = 100", R"({"l": [{"n": 40}, {"n": 60.0}]})", ""},
        RuleCase{"path = \"l\"\nsums_to = 100\ntolerance = 1", R"({"l": [50, 51]})", ""},
        RuleCase{"path = \"l\"\nsums_to = 100\ntolerance = 1", R"({"l": [50, 51.5]})",
                 "/l: the numbers add up to 101.5; wanted is 100"},
        RuleCase{"path = \"l[].c\"\nmax_share = 0.5", R"({"l": [{"c": "x"}, {"c": "x"}, {"c": "x"}]})", ""},
        RuleCase{"path = \"l[].c\"\nmax_share = 0.5", R"({"l": [{"c": "x"}, {"c": "x"}, {"c": "x"}, {"c": "y"}]})",
                 "/l: 3 of 4 are \"x\"; no value may take more than 50 %"}));

INSTANTIATE_TEST_SUITE_P(
    Values, Rules,
    ::testing::Values(
        RuleCase{"path = \"n\"\nbetween = [1, 5]", R"({"n": 5})", ""},
        RuleCase{"path = \"n\"\nbetween = [1, 5]", R"({"n": 5.5})", "/n: is 5.5; wanted is 1 to 5"},
        RuleCase{"path = \"n\"\nbetween = [1, 5]", R"({"n": null})", ""},
        RuleCase{"path = \"c\"\none_of = [\"a\", \"b\"]", R"({"c": "b"})", ""},
        RuleCase{"path = \"c\"\none_of = [\"a\", \"b\"]", R"({"c": "B"})", "/c: \"B\" is not one of a, b"},
        RuleCase{"path = \"c\"\nmatches = '^\\d+$'", R"({"c": "12"})", ""},
        RuleCase{"path = \"c\"\nmatches = '^\\d+$'", R"({"c": "1x"})", "/c: \"1x\" does not have the form ^\\d+$"},
        RuleCase{"path = \"c\"\nnot_matches = '(?i)tbd'", R"({"c": "is TBD"})",
                 "/c: \"is TBD\" must not have the form (?i)tbd"},
        RuleCase{"path = \"l[]\"\nordered = [\"lo\", \"mid\", \"hi\"]",
                 R"({"l": [{"lo": 1, "mid": 2, "hi": 2}, {"lo": 3, "mid": null, "hi": 2}]})",
                 "/l/1: lo is 3, but hi is only 2; they must not fall"},
        RuleCase{"path = \"q\"\nrule = \"quoted\"", R"({"q": "shop in Lyon"})", ""},
        RuleCase{"path = \"q\"\nrule = \"quoted\"", R"({"q": "80000 EUR"})", ""},
        RuleCase{"path = \"q\"\nrule = \"quoted\"", R"({"q": "in Paris"})",
                 "/q: is no literal quote from the client's request"},
        RuleCase{"path = \"p\"\nrule = \"present\"", R"({"p": null})", "/p: must be filled, not null"},
        RuleCase{"path = \"p\"\nrule = \"present\"", R"({"p": false})", ""},
        RuleCase{"path = \"p\"\nrule = \"absent\"", R"({"p": false})", ""},
        RuleCase{"path = \"p\"\nrule = \"absent\"", R"({"p": "x"})", "/p: must be null here"}));

INSTANTIATE_TEST_SUITE_P(
    References, Rules,
    ::testing::Values(
        RuleCase{"path = \"l[].id\"\nin = \"other.answer.ids\"", R"({"l": [{"id": "A"}, {"id": null}]})", ""},
        RuleCase{"path = \"l[].id\"\nin = \"other.answer.ids[]\"", R"({"l": [{"id": "D"}]})",
                 "/l/0/id: \"D\" is not one of A, B, C"},
        RuleCase{"path = \"l\"\nin = \"other.answer.ids\"", R"({"l": ["A", "X"]})",
                 "/l/1: \"X\" is not one of A, B, C"},
        RuleCase{"path = \"id\"\nin = \"unit.key\"", R"({"id": "A"})", ""},
        RuleCase{"path = \"id\"\nin = \"answer.all[].id\"", R"({"id": "Q", "all": [{"id": "Q"}]})", ""},
        RuleCase{"path = \"l[].id\"\ncovers = \"other.answer.ids\"",
                 R"({"l": [{"id": "C"}, {"id": "A"}, {"id": "B"}]})", ""},
        RuleCase{"path = \"l[].id\"\ncovers = \"other.answer.ids\"", R"({"l": [{"id": "A"}, {"id": "A"}]})",
                 "/l/1/id: \"A\" occurs twice\n/l: missing: B, C"},
        RuleCase{"path = \"l[].id\"\ncovers = \"other.answer.ids\"", R"({"l": []})", "/l: missing: A, B, C"}));

INSTANTIATE_TEST_SUITE_P(
    Conditions, Rules,
    ::testing::Values(
        RuleCase{"path = \"why\"\nrule = \"present\"\nif_path = \"v\"\nif_equals = \"NO\"",
                 R"({"v": "YES", "why": null})", ""},
        RuleCase{"path = \"why\"\nrule = \"present\"\nif_path = \"v\"\nif_equals = \"NO\"",
                 R"({"v": "NO", "why": null})", "/why: must be filled, not null"},
        RuleCase{"path = \"why\"\nrule = \"present\"\nif_path = \"v\"\nif_not_equals = \"YES\"",
                 R"({"v": "NO", "why": null})", "/why: must be filled, not null"},
        RuleCase{"path = \"why\"\nrule = \"present\"\nif_path = \"v\"", R"({"v": null, "why": null})", ""},
        RuleCase{"path = \"l[].why\"\nrule = \"present\"\nif_path = \"l[].v\"\nif_equals = true",
                 R"({"l": [{"v": false, "why": null}, {"v": true, "why": null}, {"v": true, "why": "x"}]})",
                 "/l/1/why: must be filled, not null"},
        RuleCase{"path = \"l[].o[].n\"\nbetween = [1, 2]\nif_path = \"l[].v\"\nif_equals = 1",
                 R"({"l": [{"v": 1, "o": [{"n": 1}, {"n": 9}]}, {"v": 2, "o": [{"n": 9}]}]})",
                 "/l/0/o/1/n: is 9; wanted is 1 to 2"}));

TEST(Rules, OwnMessagesReplaceTheGeneratedOnes) {
  EXPECT_EQ(failures("path = \"n\"\nbetween = [1, 5]\nmessage = \"stay small\"", R"({"n": 6})"_json),
            "/n: stay small\n");
}

TEST(Rules, AtMostFiveProblemsPerRule) {
  json::array many(100, json::value(9));
  const Values values(kScope);
  EXPECT_EQ(check_rules(rules("path = \"l\"\nbetween = [1, 5]"), json::object{{"l", many}}, values.scope()).size(), 5U);
}

TEST(Rules, WhatCannotBeComparedIsNoFaultOfTheAnswer) {
  auto unknown = rules("path = \"id\"\nin = \"nobody.answer.x\"");
  unknown[0].is_assert = true;
  const Values values(kScope);
  const auto problems = check_rules(unknown, R"({"id": "A"})"_json, values.scope());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_FALSE(problems[0].is_assert);
  EXPECT_THAT(problems[0].message, HasSubstr("cannot be checked"));
  EXPECT_THAT(failures("path = \"id\"\nin = \"nobody?.answer.x\"", R"({"id": "A"})"_json), IsEmpty());
}

TEST(StandingRules, SchemasAndBlanksAreNoAnswers) {
  const json::value schema =
      R"({"type": "object", "properties": {"t": {"type": "string", "description": "The name of the place in three words."}}, "required": ["t"]})"_json;
  const auto rule = [&](json::value answer) {
    const auto problems = check_standing_rules(schema, answer);
    return problems.empty() ? std::string() : problems[0].rule;
  };
  EXPECT_EQ(rule(schema), "schema_echo");
  EXPECT_EQ(rule(R"({"t": "The name of the  place in three words."})"_json), "schema_echo");
  for (const char* blank : {"[insert name]", "Pay [your sum here] now", "<name>", "{{name}}", "Dear {{name}},",
                            "______", "...", "string", "TBD", "[Name des Ortes]", "Gruss, [Ihr Name]"})
    EXPECT_EQ(rule(json::object{{"t", blank}}), "placeholder") << blank;
  for (const char* good :
       {"see [1]", "a [sic] b", "x <= 3 and y > 4", "costs [12, 15] EUR", "to be decided by the mayor",
        "Strings of lights", "a [link](http://x.y)", "array[i] is read", "[2]", "wait... then go"})
    EXPECT_EQ(rule(json::object{{"t", good}}), "") << good;
}

TEST(Rules, PlacesBecomePointers) {
  EXPECT_EQ(place_to_pointer("levers[2].name"), "/levers/2/name");
  EXPECT_EQ(place_to_pointer("a[0][1].b"), "/a/0/1/b");
  EXPECT_EQ(place_to_pointer(""), "");
}

}  // namespace
}  // namespace planexe::recipe
