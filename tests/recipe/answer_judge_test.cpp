#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/answer.hpp"
#include "small_recipe.hpp"

namespace planexe::recipe {
namespace {

using testing::operator""_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::small_files_edited;
using testing::small_recipe;
using testing::Values;

const json::value kScope =
    R"({"plan": {"prompt": "p"}, "ideas_to_rate": [{"ref": "I1"}, {"ref": "I2"}, {"ref": "I3"}]})"_json;

class Judge : public ::testing::Test {
 protected:
  AnswerVerdict judge(const char* task, std::string_view text, const json::array& kept = {}) {
    const Task& found = *recipe_.task(task);
    return judge_answer(found, found.steps.at(0), text, values_.scope(), kept);
  }
  const Step& step(const char* task) { return recipe_.task(task)->steps.at(0); }

  Recipe recipe_ = small_recipe();
  Values values_{kScope};
};

std::string rating(const char* ref, int stars = 3) {
  return std::string(R"({"ref": ")") + ref + R"(", "why": "w", "stars": )" + std::to_string(stars) + "}";
}

TEST_F(Judge, AcceptsAGoodAnswer) {
  const AnswerVerdict verdict = judge("gate", R"(```json
{"reason": null, "verdict": "ALLOW"}
```)");
  EXPECT_TRUE(verdict.accepted());
  EXPECT_TRUE(verdict.problems.empty());
  EXPECT_EQ(verdict.value, R"({"reason": null, "verdict": "ALLOW"})"_json);
  EXPECT_FALSE(verdict.partial);
}

TEST_F(Judge, TextThatIsNoJsonIsOneProblem) {
  const AnswerVerdict verdict = judge("gate", "I think it is fine.");
  EXPECT_FALSE(verdict.accepted());
  ASSERT_EQ(verdict.problems.size(), 1U);
  EXPECT_EQ(verdict.problems[0].rule, "json");
}

TEST_F(Judge, SchemaErrorsComeBeforeRules) {
  const AnswerVerdict verdict = judge("gate", R"({"reason": null, "verdict": "MAYBE"})");
  ASSERT_EQ(verdict.problems.size(), 1U);
  EXPECT_EQ(verdict.problems[0].rule, "schema");
  EXPECT_EQ(verdict.problems[0].pointer, "/verdict");
}

TEST_F(Judge, AssertsRejectAndChecksOnlyReport) {
  const AnswerVerdict refused = judge("gate", R"({"reason": null, "verdict": "REFUSE"})");
  EXPECT_FALSE(refused.accepted());
  EXPECT_EQ(refused.problems.at(0).message, "a refusal needs its reason");
  EXPECT_EQ(refused.problems.at(0).path, "reason");
  const AnswerVerdict wordy = judge(
      "ideas", R"({"ideas": [{"ref": "I1", "name": "a b c d e", "cost": 1}, {"ref": "I2", "name": "x", "cost": 2}]})");
  EXPECT_TRUE(wordy.accepted());
  ASSERT_EQ(wordy.problems.size(), 1U);
  EXPECT_FALSE(wordy.problems[0].is_assert);
}

TEST_F(Judge, ValidElementsAreKeptAndTheMissingNamed) {
  const AnswerVerdict verdict =
      judge("rate", "{\"ratings\": [" + rating("I3") + ", " + rating("I1", 9) + ", {\"ref\": \"I2\"}]}");
  EXPECT_FALSE(verdict.accepted());
  EXPECT_TRUE(verdict.partial);
  EXPECT_FALSE(verdict.degraded);
  EXPECT_THAT(verdict.missing, ElementsAre("I1", "I2"));
  EXPECT_EQ(kept_elements(step("rate"), verdict).size(), 1U);
  const std::string feedback = repair_text(verdict, step("rate"));
  EXPECT_THAT(feedback, HasSubstr("the entries with ref = I1, I2"));
  EXPECT_THAT(feedback, HasSubstr("is 9; wanted is 1 to 5"));
  EXPECT_THAT(feedback, HasSubstr("the field \"why\" is missing"));
}

TEST_F(Judge, AFollowUpCompletesTheList) {
  const AnswerVerdict first = judge("rate", "{\"ratings\": [" + rating("I3") + "]}");
  const json::array kept = kept_elements(step("rate"), first);
  const AnswerVerdict second =
      judge("rate", "{\"ratings\": [" + rating("I2") + ", " + rating("I3", 1) + ", " + rating("I9") + "]}", kept);
  EXPECT_TRUE(second.partial);
  EXPECT_THAT(second.missing, ElementsAre("I1"));
  const AnswerVerdict third =
      judge("rate", "{\"ratings\": [" + rating("I1", 5) + "]}", kept_elements(step("rate"), second));
  EXPECT_TRUE(third.accepted());
  EXPECT_FALSE(third.partial);
  // In the wanted order, and what was accepted first stays.
  const json::array list = kept_elements(step("rate"), third);
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].at("ref"), "I1");
  EXPECT_EQ(list[2].at("ref"), "I3");
  EXPECT_EQ(list[2].at("stars"), 3);
}

TEST_F(Judge, ACutAnswerKeepsItsCompleteElements) {
  const AnswerVerdict verdict =
      judge("rate", "{\"ratings\": [" + rating("I1") + ", " + rating("I2") + ", {\"ref\": \"I");
  EXPECT_TRUE(verdict.partial);
  EXPECT_THAT(verdict.missing, ElementsAre("I3"));
  EXPECT_EQ(kept_elements(step("rate"), verdict).size(), 2U);
}

TEST_F(Judge, NothingToKeepIsAnOrdinaryRepair) {
  const AnswerVerdict verdict = judge("rate", R"({"ratings": [{"ref": "I1"}]})");
  EXPECT_FALSE(verdict.accepted());
  EXPECT_FALSE(verdict.partial);
  EXPECT_THAT(repair_text(verdict, step("rate")), HasSubstr("Send the whole JSON object again"));
}

TEST_F(Judge, ErrorsOutsideOfTheListAreRepairedAsAWhole) {
  const AnswerVerdict verdict = judge("rate", "{\"ratings\": [" + rating("I1") + "], \"extra\": 1}");
  EXPECT_FALSE(verdict.accepted());
  EXPECT_FALSE(verdict.partial);
  EXPECT_THAT(repair_text(verdict, step("rate")), HasSubstr("the field \"extra\" is not part of the schema"));
}

TEST_F(Judge, CountedListsAskForMoreAndMayEndDegraded) {
  const AnswerVerdict verdict = judge(
      "ideas", R"({"ideas": [{"ref": "I1", "name": "Bread", "cost": 1}, {"ref": "I2", "name": "bread ", "cost": 2}]})");
  EXPECT_TRUE(verdict.partial);
  EXPECT_TRUE(verdict.degraded);
  EXPECT_THAT(verdict.missing, ElementsAre("#2"));
  EXPECT_THAT(repair_text(verdict, step("ideas")), HasSubstr("1 more entries"));
  const AnswerVerdict done = judge(
      "ideas",
      R"({"ideas": [{"ref": "I2", "name": "BREAD", "cost": 2}, {"ref": "I3", "name": "Soup", "cost": 2}, {"ref": "I4", "name": "Cake", "cost": 2}]})",
      kept_elements(step("ideas"), verdict));
  EXPECT_TRUE(done.accepted());
  ASSERT_EQ(kept_elements(step("ideas"), done).size(), 2U);
  EXPECT_EQ(kept_elements(step("ideas"), done)[1].at("name"), "Soup");
}

TEST_F(Judge, MoreThanFiveBadElementsAreAllDropped) {
  json::array wanted, ratings;
  for (int i = 1; i <= 20; ++i) {
    wanted.push_back(json::object{{"ref", "I" + std::to_string(i)}});
    ratings.push_back(*parse_json(rating(("I" + std::to_string(i)).c_str(), i <= 2 ? 3 : 9)));
  }
  const Values values(json::object{{"ideas_to_rate", wanted}});
  const AnswerVerdict verdict =
      judge_value(*recipe_.task("rate"), step("rate"), json::object{{"ratings", ratings}}, values.scope());
  EXPECT_TRUE(verdict.partial);
  EXPECT_EQ(verdict.missing.size(), 18U);
  EXPECT_EQ(kept_elements(step("rate"), verdict).size(), 2U);
}

TEST_F(Judge, ManyElementsOutsideOfTheSchemaAreAllDropped) {
  json::array ratings;
  for (int i = 0; i < 300; ++i) ratings.push_back(json::value(i));
  ratings.push_back(*parse_json(rating("I2")));
  const AnswerVerdict verdict = judge("rate", to_json(json::object{{"ratings", ratings}}));
  EXPECT_TRUE(verdict.partial);
  EXPECT_THAT(verdict.missing, ElementsAre("I1", "I3"));
  EXPECT_EQ(kept_elements(step("rate"), verdict).size(), 1U);
}

TEST_F(Judge, UnknownEntriesAreLeftOutAndReported) {
  const AnswerVerdict verdict = judge(
      "rate", "{\"ratings\": [" + rating("I1") + "," + rating("I2") + "," + rating("I3") + "," + rating("I7") + "]}");
  EXPECT_TRUE(verdict.accepted());
  EXPECT_EQ(kept_elements(step("rate"), verdict).size(), 3U);
  ASSERT_FALSE(verdict.problems.empty());
  EXPECT_THAT(verdict.problems[0].message, HasSubstr("\"I7\" is not wanted"));
}

TEST_F(Judge, TextAnswers) {
  EXPECT_TRUE(judge("story", "  Once upon a time.\n").accepted());
  EXPECT_EQ(judge("story", "```markdown\nOnce upon a time.\n```").value, "Once upon a time.");
  EXPECT_FALSE(judge("story", "Once").accepted());
  EXPECT_FALSE(judge("story", "  ").accepted());
  EXPECT_THAT(repair_text(judge("story", ""), step("story")), HasSubstr("Send the whole text again"));
}

TEST_F(Judge, RepairTextHasAtMostTwentyProblems) {
  AnswerVerdict verdict;
  for (int i = 0; i < 50; ++i) verdict.problems.push_back({true, "len", "/a/" + std::to_string(i), "m", ""});
  const std::string text = repair_text(verdict, step("gate"));
  EXPECT_THAT(text, HasSubstr("/a/19:"));
  EXPECT_THAT(text, Not(HasSubstr("/a/20:")));
}

TEST_F(Judge, HostileAnswersDoNoHarm) {
  const std::string deep = "{\"ratings\": " + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_FALSE(judge("rate", deep).accepted());
  EXPECT_FALSE(judge("rate", "{\"ratings\": [" + std::string(100000, '{')).accepted());
  EXPECT_FALSE(judge("rate", std::string("{\"ratings\": [\"\0\"]}", 18)).accepted());
  EXPECT_FALSE(judge("rate", R"({"ratings": {"length": 1}})").accepted());
}

}  // namespace
}  // namespace planexe::recipe
