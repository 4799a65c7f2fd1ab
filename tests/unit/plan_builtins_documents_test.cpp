#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "plan/builtins/documents.hpp"
#include "plan/builtins/groups.hpp"
#include "plan_builtins_documents_support.hpp"

namespace planexe::plan {
namespace {

using namespace documents_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// --- documents
// --------------------------------------------------------------------------------------------------------

BuiltinResult identified() {
  return finish_identify_documents(answered("identify_documents", example("identify_documents"))).value();
}

TEST(Documents, ListsGetRefsAndKeepTheirFields) {
  const BuiltinResult result = identified();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& find = result.outputs.at("find").get_array();
  ASSERT_EQ(find.size(), 8U);
  EXPECT_EQ(text(find[7], "ref"), "F8");
  EXPECT_EQ(text(find[7], "access_level"), "Easy");
  EXPECT_EQ(text(result.outputs.at("create").at(2), "ref"), "C3");
  EXPECT_EQ(list(result.view, "create").size(), 8U);
}

TEST(Documents, EqualNamesAreKeptOnceAndSecondListsAppended) {
  const BuiltinResult result = finish_identify_documents(answered("identify_documents", parsed(R"({
      "documents_to_create":[{"document_name":"Plan","id":"evil"},{"document_name":" PLAN "},{"document_name":""}],
      "documents_to_create_part2":[{"document_name":"Site list"}],
      "documents_to_find":[{"document_name":"plan"}]})")))
                                   .value();
  EXPECT_THAT(texts(result.outputs.at("create").get_array(), "document_name"), ElementsAre("Plan", "Site list"));
  EXPECT_NE(text(result.outputs.at("create").at(0), "id"), "evil");
  EXPECT_THAT(rules(result), ElementsAre("duplicate_document", "in_both_lists"));
}

BuiltinInput filter_input(json::value answer, std::string speed = "all_details_but_slow") {
  BuiltinInput in = answered("filter_documents_to_find", std::move(answer), std::move(speed));
  in.reads["identify_documents.find"] = identified().outputs.at("find");
  return in;
}

TEST(Documents, SelectionTakesWholeLevelsUntilFive) {
  const BuiltinResult result =
      finish_filter_documents_to_find(filter_input(example("filter_documents_to_find"))).value();
  const json::array& clean = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(clean, "ref"), ElementsAre("F2", "F3", "F8", "F1", "F4"));
  EXPECT_EQ(text(clean[3], "impact_rating"), "High");
  EXPECT_THAT(text(clean[0], "rationale"), HasSubstr("lease"));
}

json::value all_critical() {
  json::array list;
  for (int i = 1; i <= 8; ++i)
    list.push_back(json::object{{"id", fmt::format("F{}", i)}, {"rationale", "r"}, {"impact_rating", "Critical"}});
  return json::object{{"document_list", std::move(list)}, {"summary", ""}};
}

TEST(Documents, FastModeStopsAtFive) {
  EXPECT_EQ(
      finish_filter_documents_to_find(filter_input(all_critical())).value().outputs.at("clean").get_array().size(), 8U);
  EXPECT_EQ(finish_filter_documents_to_find(filter_input(all_critical(), "fast_but_skip_details"))
                .value()
                .outputs.at("clean")
                .get_array()
                .size(),
            5U);
}

TEST(Documents, RatingsOfOlderPlansCountFromZeroAndUnknownOnesAreNamed) {
  const BuiltinResult result = finish_filter_documents_to_find(filter_input(parsed(R"({"document_list":[
      {"id":0,"rationale":"a","impact_rating":"Low"},{"id":0,"rationale":"b","impact_rating":"Critical"},
      {"id":99,"rationale":"c","impact_rating":"High"},{"id":"f3","rationale":"d","impact_rating":"Medium"},
      {"id":"F4","rationale":"e","impact_rating":"Enormous"}],"summary":""})")))
                                   .value();
  EXPECT_THAT(texts(result.outputs.at("clean").get_array(), "ref"), ElementsAre("F3", "F1"));
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(std::ranges::count(rules(result), "unknown_id"), 2);
  EXPECT_EQ(std::ranges::count(rules(result), "not_rated"), 6);
}

TEST(Documents, DraftsKeepTheListAndSayWhatIsMissing) {
  const json::value selected =
      finish_filter_documents_to_find(filter_input(example("filter_documents_to_find"))).value().outputs.at("clean");
  const json::value drafts = example("draft_documents_to_find");
  BuiltinInput in = input("draft_documents_to_find");
  in.reads["filter_documents_to_find.clean"] = selected;
  in.steps["main"] = json::object{
      {"items", json::array{item(selected.at(2), drafts.at(2)), item(selected.at(0), drafts.at(0)),
                            item(selected.at(1), nullptr, "missing"), item(selected.at(3), nullptr, "skipped")}}};
  const BuiltinResult result = finish_draft_documents(in).value();
  const json::array& clean = result.outputs.at("clean").get_array();
  EXPECT_THAT(texts(clean, "draft_state"), ElementsAre("done", "missing", "done", "skipped", "skipped"));
  EXPECT_EQ(list(clean[2], "essential_information"), list(drafts.at(2), "essential_information"));
  EXPECT_TRUE(result.degraded);
  EXPECT_THAT(rules(result), ElementsAre("not_drafted"));
}

// --- pitch and summary
// ------------------------------------------------------------------------------------------------

TEST(Pitch, FiguresWithoutSourceAreNamedOnce) {
  BuiltinInput in = answered(
      "create_pitch",
      parsed(
          R"({"pitch":"For 80 000 EUR, with 3 people and 25 repairs, 140 customers, again 140.","call_to_action":"Lend 18.000 EUR"})"));
  in.reads["project_plan.markdown"] = "25 repairs a week; fit-out 18 000 EUR";
  const BuiltinResult result = finish_pitch(in).value();
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].path, "pitch");
  EXPECT_THAT(result.findings[0].message, HasSubstr("140"));
}

TEST(Pitch, DocumentHasTheTenFieldsInOrderWithoutEmptyOnes) {
  BuiltinInput in = input("convert_pitch_to_markdown");
  in.reads["create_pitch.raw"] = example("create_pitch");
  const BuiltinResult full = finish_pitch_document(in).value();
  EXPECT_EQ(text(full.view, "title"), "Repair shop");
  EXPECT_EQ(list(full.view, "sections").size(), 10U);
  EXPECT_EQ(text(list(full.view, "sections")[9], "heading"), "Long-Term Vision");
  in.reads["create_pitch.raw"] = parsed(R"({"long_term_vision":"v","pitch":" p ","target_audience":"  "})");
  EXPECT_THAT(texts(list(finish_pitch_document(in).value().view, "sections"), "field"),
              ElementsAre("pitch", "long_term_vision"));
  in.reads["create_pitch.raw"] = nullptr;
  EXPECT_FALSE(finish_pitch_document(in));
}

// --- review
// -----------------------------------------------------------------------------------------------------------

json::array review_questions() {
  json::array questions;
  for (int i = 1; i <= 16; ++i)
    questions.push_back(json::object{{"number", std::to_string(i)},
                                     {"title", fmt::format("Title {}", i)},
                                     {"question", fmt::format("Question {}?", i)},
                                     {"guide", "g"}});
  return questions;
}

TEST(Review, ExampleAnswersDoNotRepeatEachOther) {
  BuiltinInput in = input("review_plan");
  in.steps["ask"] = items(review_questions(), example("review_plan", "ask.example.json"));
  EXPECT_THAT(step_review_doubles(in).value().answer.get_array(), IsEmpty());
  const BuiltinResult result = finish_review_plan(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  ASSERT_EQ(list(result.outputs.at("raw"), "question_answers_list").size(), 16U);
  EXPECT_EQ(list(list(result.outputs.at("raw"), "question_answers_list")[4], "answers").size(), 3U);
}

BuiltinInput repeating_review() {
  BuiltinInput in = input("review_plan");
  const json::array questions = review_questions();
  in.steps["ask"] = json::object{
      {"items",
       json::array{
           item(
               questions[0],
               parsed(
                   R"({"bullet_points":["**Loan**, because the loan decides the first eleven weeks of the plan","**Other** matter","**Third** one"]})")),
           item(questions[1], nullptr, "missing"), item(questions[2], nullptr, "skipped"),
           item(
               questions[3],
               parsed(
                   R"({"bullet_points":["**The loan** decides, because the loan decides first eleven weeks of the plan","**New** thing","**More**"]})"))}}};
  return in;
}

TEST(Review, DoublesNameBothSidesAndTheLaterQuestionIsAskedAgain) {
  const json::value clashes = step_review_doubles(repeating_review()).value().answer;
  ASSERT_EQ(clashes.get_array().size(), 1U);
  EXPECT_EQ(text(clashes.at(0), "number"), "4");
  EXPECT_EQ(text(list(clashes.at(0), "doubles")[0], "other_number"), "1");
  EXPECT_EQ(list(clashes.at(0), "answers").size(), 3U);
}

TEST(Review, SecondAnswersReplaceTheFirst) {
  BuiltinInput in = repeating_review();
  EXPECT_THAT(rules(finish_review_plan(in).value()), ElementsAre("near_duplicate"));
  in.steps["again"] =
      json::object{{"items", json::array{item(parsed(R"({"number":"4"})"),
                                              parsed(R"({"bullet_points":["**Wiring** is old","**b**","**c**"]})")),
                                         item(parsed(R"({"number":"1"})"), nullptr, "missing")}}};
  const BuiltinResult result = finish_review_plan(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_EQ(list(list(result.outputs.at("raw"), "question_answers_list")[3], "answers")[0], "**Wiring** is old");
}

TEST(Review, GapsAreSaidAndNothingIsInvented) {
  const BuiltinResult result = finish_review_plan(repeating_review()).value();
  EXPECT_TRUE(result.degraded);
  const json::array& reviews = list(result.view, "reviews");
  EXPECT_THAT(text(reviews[1], "gap"), HasSubstr("missing"));
  EXPECT_THAT(text(reviews[2], "gap"), HasSubstr("speed mode"));
  EXPECT_EQ(text(reviews[0], "gap"), "");
  EXPECT_THAT(list(list(result.outputs.at("raw"), "question_answers_list")[1], "answers"), IsEmpty());
}

// --- questions and answers
// --------------------------------------------------------------------------------------------

const json::array kSubjects{json::object{{"name", "concepts"}, {"title", "Terms"}},
                            json::object{{"name", "disputes"}, {"title", "Disputes"}}};

TEST(Questions, PairsAreJoinedAndNumberedOn) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = items(kSubjects, example("questions_and_answers"));
  const BuiltinResult result = finish_questions_and_answers(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& pairs = list(result.outputs.at("raw"), "question_answer_pairs");
  ASSERT_EQ(pairs.size(), 10U);
  EXPECT_EQ(get_int(pairs[9], "item_index"), 10);
  EXPECT_THAT(text(result.outputs.at("raw"), "summary"), HasSubstr("\n\n"));
}

TEST(Questions, HtmlIsEscapedAndGapsAreSaid) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = json::object{
      {"items",
       json::array{
           item(
               kSubjects[0],
               parsed(
                   R"({"question_answer_pairs":[{"question":"Is <b> \"safe\"?","answer":"<script>alert(1)</script>","rationale":"r"},{"question":"","answer":"x"}],"summary":"s"})")),
           item(kSubjects[1], nullptr, "skipped")}}};
  const BuiltinResult result = finish_questions_and_answers(in).value();
  const std::string html(result.outputs.at("html").get_string());
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, HasSubstr("<strong>1.</strong>"));
  EXPECT_EQ(list(result.view, "pairs").size(), 1U);
  EXPECT_THAT(std::string(list(result.view, "gaps")[0].get_string()), HasSubstr("Disputes"));
  EXPECT_FALSE(result.degraded);
}

TEST(Questions, NothingAnsweredIsAFailure) {
  BuiltinInput in = input("questions_and_answers");
  in.steps["main"] = json::object{{"items", json::array{item(kSubjects[0], nullptr, "missing")}}};
  EXPECT_FALSE(finish_questions_and_answers(in));
}

// --- premortem
// --------------------------------------------------------------------------------------------------------

const json::array kArchetypes{json::object{{"name", "Process/Financial"}},
                              json::object{{"name", "Technical/Logistical"}}, json::object{{"name", "Market/Human"}}};

TEST(Premortem, AnswersAreRenumberedAndScored) {
  BuiltinInput in = input("premortem");
  in.steps["main"] = items(kArchetypes, example("premortem"));
  const BuiltinResult result = finish_premortem(in).value();
  EXPECT_THAT(result.findings, IsEmpty());
  const json::array& failures = list(result.outputs.at("raw"), "failure_modes");
  ASSERT_EQ(failures.size(), 9U);
  EXPECT_EQ(text(failures[3], "root_cause_assumption_id"), "A4");
  EXPECT_EQ(text(failures[4], "root_cause_assumption_id"), "A6");
  EXPECT_EQ(text(failures[4], "failure_mode_archetype"), "Technical/Logistical");
  EXPECT_EQ(get_int(failures[0], "likelihood_5"), 4);
  EXPECT_EQ(get_int(failures[0], "impact_5"), 5);
  const json::value& first = list(result.view, "failures")[0];
  EXPECT_EQ(text(first, "id"), "FM1");
  EXPECT_EQ(text(first, "risk_summary"), "CRITICAL (20/25)");
  EXPECT_EQ(text(first, "risk_detail"), "CRITICAL 20/25 (Likelihood 4/5 × Impact 5/5)");
}

TEST(Premortem, RiskLevelsHaveTheirLimits) {
  const auto level = [](int likelihood, int impact) {
    BuiltinInput in = input("premortem");
    in.steps["main"] = json::object{
        {"items",
         json::array{item(kArchetypes[0],
                          json::object{{"assumptions_to_kill", json::array{json::object{{"assumption_id", "A1"}}}},
                                       {"failure_modes", json::array{json::object{{"root_cause_assumption_id", "A1"},
                                                                                  {"likelihood_5", likelihood},
                                                                                  {"impact_5", impact}}}}})}}};
    return text(list(finish_premortem(in).value().view, "failures")[0], "risk_summary");
  };
  EXPECT_EQ(level(3, 5), "CRITICAL (15/25)");
  EXPECT_EQ(level(3, 4), "HIGH (12/25)");
  EXPECT_EQ(level(3, 3), "HIGH (9/25)");
  EXPECT_EQ(level(2, 4), "MEDIUM (8/25)");
  EXPECT_EQ(level(2, 2), "MEDIUM (4/25)");
  EXPECT_EQ(level(1, 3), "LOW (3/25)");
  EXPECT_EQ(level(0, 3), "Not Scored");
  EXPECT_EQ(level(7, 3), "Not Scored");
}

TEST(Premortem, WrongCausesOneClassAndGapsAreSaid) {
  json::array modes;
  for (int i = 0; i < 4; ++i)
    modes.push_back(json::object{{"root_cause_assumption_id", i == 0 ? "A9" : "A1"},
                                 {"failure_mode_title", fmt::format("T{}", i)},
                                 {"likelihood", "likely"},
                                 {"impact", i == 0 ? "minor" : "fatal"}});
  BuiltinInput in = input("premortem");
  in.steps["main"] = json::object{
      {"items",
       json::array{item(kArchetypes[0],
                        json::object{{"assumptions_to_kill",
                                      json::array{json::object{{"assumption_id", "A1"}, {"statement", "s | t"}}}},
                                     {"failure_modes", std::move(modes)}}),
                   item(kArchetypes[1], nullptr, "missing"), item(kArchetypes[2], nullptr, "skipped")}}};
  const BuiltinResult result = finish_premortem(in).value();
  EXPECT_THAT(rules(result), ElementsAre("unknown_id", "one_class", "assumption_use"));
  EXPECT_EQ(list(result.view, "gaps").size(), 2U);
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(text(list(result.view, "failures")[0], "root_cause_assumption_id"), "unknown");
  EXPECT_EQ(text(list(result.view, "failures")[0], "owner_text"), "Unassigned");
}

TEST(Premortem, NothingAnsweredIsAFailure) {
  BuiltinInput in = input("premortem");
  in.steps["main"] = json::object{{"items", json::array{item(kArchetypes[0], nullptr, "missing")}}};
  EXPECT_FALSE(finish_premortem(in));
}

// --- the group
// --------------------------------------------------------------------------------------------------------

TEST(DocumentsGroup, EveryFunctionSurvivesEmptyInput) {
  BuiltinMap map;
  register_documents(map);
  EXPECT_EQ(map.size(), 20U);
  for (const auto& [name, function] : map) {
    const auto result = function(input("any"));
    if (!result) EXPECT_FALSE(result.error().message.empty()) << name;
  }
}

}  // namespace
}  // namespace planexe::plan
