#include <rapidcheck/gtest.h>

#include <algorithm>

#include "unit/plan_builtins_execution_support.hpp"

namespace planexe::plan {
namespace {

using namespace execution_test;

json::array roles() {
  auto in = input("find_team_members");
  set_answer(in, example("find_team_members"));
  return run("find_team_members", in).value().outputs.at("clean").as_array();
}

// --- pre-project assessment
// -------------------------------------------------------------------------------------------

TEST(PreProjectAssessment, JoinsBothReviewersAndAddsDates) {
  auto in = input("pre_project_assessment");
  set_answer(in, example("pre_project_assessment"));
  const auto result = run("pre_project_assessment", in).value();
  const auto& clean = result.outputs.at("clean");
  ASSERT_EQ(list(clean, "feedback").size(), 8U);
  const auto& first = list(clean, "feedback")[0];
  EXPECT_EQ(text(first, "title"), "Measure six premises against the bench plan");
  EXPECT_EQ(get_int(first, "due_day"), 24);
  EXPECT_EQ(text(first, "due_date"), "2031-03-27");
  EXPECT_EQ(text(clean, "go_no_go"), "proceed_with_caution");
  EXPECT_EQ(to_json(clean).find("Barthelemy"), std::string::npos) << "reviewers must not look like people of the plan";
}

TEST(PreProjectAssessment, ImpossibleOffsetsGiveNoDate) {
  auto in = input("pre_project_assessment");
  set_answer(in, parsed(R"({"expert1":{"feedback_item_list":[
      {"feedback_title":"a","feedback_description":"b","start_day":-4,"due_day":99999999},
      {"feedback_title":"c","feedback_description":"d","start_day":"soon","due_day":0}]},
      "combined_summary":"s","go_no_go_recommendation":"r"})"));
  const auto clean = run("pre_project_assessment", in).value().outputs.at("clean");
  ASSERT_EQ(list(clean, "feedback").size(), 2U);
  EXPECT_EQ(find(list(clean, "feedback")[0], "due_date"), nullptr);
  EXPECT_EQ(find(list(clean, "feedback")[0], "start_day"), nullptr);
  EXPECT_EQ(text(list(clean, "feedback")[1], "due_date"), "2031-03-03");
  EXPECT_EQ(find(clean, "go_no_go"), nullptr) << "an imported answer has no class";
}

TEST(PreProjectAssessment, UnreadableStartKeepsOffsets) {
  auto in = input("pre_project_assessment");
  in.plan["start_date"] = "soon";
  set_answer(in, example("pre_project_assessment"));
  const auto clean = run("pre_project_assessment", in).value().outputs.at("clean");
  EXPECT_EQ(get_int(list(clean, "feedback")[0], "due_day"), 24);
  EXPECT_EQ(find(list(clean, "feedback")[0], "due_date"), nullptr);
}

// --- project plan
// -----------------------------------------------------------------------------------------------------

BuiltinInput project_plan_input(json::value days, std::string_view limits) {
  auto in = input("project_plan");
  json::value answer = example("project_plan");
  answer.at("smart_criteria").as_object()["time_bound_days"] = std::move(days);
  set_answer(in, std::move(answer));
  in.reads["identify_purpose.answer.stated_limits"] = parsed(limits);
  return in;
}

constexpr std::string_view kNineMonths = R"([{"kind":"horizon","quote":"within 9 months","value":"9 months"}])";

TEST(ProjectPlan, StatedHorizonIsCompared) {
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(273, kNineMonths))), Rules{});
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(400, kNineMonths))), Rules{"horizon_exceeded"});
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(nullptr, kNineMonths))), Rules{"horizon_unanswered"});
}

TEST(ProjectPlan, RoundedMonthsAreNoViolation) {
  // 9 months from March 3 end after 275 days; 9 x 30.4 rounds to 274, and some models write 276 or 277.
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(278, kNineMonths))), Rules{});
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(279, kNineMonths))), Rules{"horizon_exceeded"});
}

TEST(ProjectPlan, WithoutLimitsNothingIsFound) {
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(9999, "[]"))), Rules{});
  EXPECT_EQ(rules(*run("project_plan", project_plan_input(9999, "null"))), Rules{});
  EXPECT_EQ(
      rules(*run("project_plan", project_plan_input(9999, R"([{"kind":"budget","quote":"9 EUR","value":"9 EUR"}])"))),
      Rules{});
}

TEST(ProjectPlan, ImportedAnswerWithoutCriteriaIsAccepted) {
  auto in = input("project_plan");
  set_answer(in, parsed(R"({"goal_statement":"g"})"));
  EXPECT_EQ(rules(*run("project_plan", in)), Rules{});
}

// --- related resources
// ------------------------------------------------------------------------------------------------

TEST(RelatedResources, ExampleIsClean) {
  auto in = input("related_resources");
  set_answer(in, example("related_resources"));
  EXPECT_EQ(rules(*run("related_resources", in)), Rules{});
}

TEST(RelatedResources, AddressesAndTiersAreChecked) {
  auto in = input("related_resources");
  set_answer(in, parsed(R"({"suggestion_list":[
      {"tier":"primary","where_to_find_more_information":["Site: [https://www.a-b.org/x?y=1](https://www.a-b.org/x?y=1).","A library in Lyon",
        "http://nodots/","https://user:pw@host.org/","https://www.example.com/page"]},
      {"tier":"secondary","where_to_find_more_information":["(see https://münchen.de:8080/a_(b)).","https://x..org", null]}]})"));
  EXPECT_EQ(rules(*run("related_resources", in)), (Rules{"few_primary", "malformed_address", "malformed_address",
                                                         "malformed_address", "placeholder_address"}));
}

TEST(RelatedResources, ImportedListWithoutTiersIsQuiet) {
  auto in = input("related_resources");
  set_answer(
      in,
      parsed(
          R"({"suggestion_list":[{"project_name":"x","where_to_find_more_information":["https://www.taskrabbit.com/"]}]})"));
  EXPECT_EQ(rules(*run("related_resources", in)), Rules{});
}

// --- team
// -------------------------------------------------------------------------------------------------------------

TEST(FindTeamMembers, NumbersRolesInOrder) {
  const auto team = roles();
  ASSERT_EQ(team.size(), 8U);
  EXPECT_EQ(get_int(team[7], "id"), 8);
  EXPECT_EQ(text(team[1], "category"), "Second mechanic");
  EXPECT_EQ(get_int(team[1], "people_max"), 2);
  EXPECT_FALSE(text(team[0], "consequences").empty());
}

TEST(FindTeamMembers, EqualTitlesBecomeOneRole) {
  auto in = input("find_team_members");
  set_answer(in, parsed(R"({"brainstorm_of_needed_team_members":[
      {"job_category_title":"Night baker","short_explanation":"one"},{"job_category_title":"  NIGHT   baker ","short_explanation":"two"},
      {"job_category_title":""},{"job_category_title":"Driver"},"noise"]})"));
  const auto result = run("find_team_members", in).value();
  const auto& clean = result.outputs.at("clean").as_array();
  ASSERT_EQ(clean.size(), 2U);
  EXPECT_EQ(text(clean[0], "explanation"), "one");
  EXPECT_EQ(get_int(clean[1], "id"), 2);
  EXPECT_EQ(rules(result), Rules{"duplicate_role"});
}

TEST(FindTeamMembers, NoRoleIsAnError) {
  auto in = input("find_team_members");
  set_answer(in, parsed(R"({"brainstorm_of_needed_team_members":[]})"));
  EXPECT_FALSE(run("find_team_members", in).has_value());
}

BuiltinInput enrich_input(std::string task, json::value answer) {
  auto in = input(std::move(task));
  set_answer(in, std::move(answer));
  in.reads["find_team_members.clean"] = roles();
  return in;
}

TEST(EnrichTeam, ExamplesCoverEveryRole) {
  for (const auto& [task, function, field] :
       {std::tuple{"enrich_team_members_with_contract_type", "enrich_contract_type", "contract_type"},
        {"enrich_team_members_with_background_story", "enrich_background_story", "background_story"},
        {"enrich_team_members_with_environment_info", "enrich_environment_info", "facility_needs"}}) {
    const auto result = run(function, enrich_input(task, example(task))).value();
    EXPECT_FALSE(result.degraded) << task;
    EXPECT_EQ(rules(result), Rules{}) << task;
    const auto& clean = result.outputs.at("clean").as_array();
    ASSERT_EQ(clean.size(), 8U);
    for (const auto& member : clean) {
      EXPECT_FALSE(text(member, field).empty());
      EXPECT_FALSE(text(member, "category").empty()) << "the fields of the role stay";
    }
  }
}

TEST(EnrichTeam, UnknownDuplicateAndMissingIds) {
  const auto in = enrich_input("enrich_team_members_with_contract_type", parsed(R"({"team_members":[
      {"id":2,"justification":"j2","contract_type":"other"},{"id":2,"justification":"again","contract_type":"agency_temp"},
      {"id":77,"justification":"x","contract_type":"other"},{"justification":"none"},"noise"]})"));
  const auto result = run("enrich_contract_type", in).value();
  EXPECT_TRUE(result.degraded);
  EXPECT_EQ(rules(result).count("unknown_id"), 3U);
  EXPECT_EQ(rules(result).count("duplicate_id"), 1U);
  EXPECT_EQ(rules(result).count("missing_role"), 7U);
  const auto& clean = result.outputs.at("clean").as_array();
  ASSERT_EQ(clean.size(), 8U);
  EXPECT_EQ(text(clean[1], "contract_type_justification"), "j2");
  EXPECT_EQ(find(clean[0], "contract_type"), nullptr);
}

RC_GTEST_PROP(EnrichTeam, OrderOfAnswersDoesNotMatter, ()) {
  static const json::value whole = example("enrich_team_members_with_environment_info");
  json::array answers = list(whole, "team_members");
  const std::string expected = to_json(
      run("enrich_environment_info", enrich_input("enrich_team_members_with_environment_info", whole)).value().outputs);
  for (std::size_t i = answers.size(); i > 1; --i)
    std::swap(answers[i - 1], answers[*rc::gen::inRange<std::size_t>(0, i)]);
  const auto in = enrich_input("enrich_team_members_with_environment_info", json::object{{"team_members", answers}});
  RC_ASSERT(to_json(run("enrich_environment_info", in).value().outputs) == expected);
}

RC_GTEST_PROP(EnrichTeam, ExactlyTheMissingRolesAreReported, ()) {
  static const json::value whole = example("enrich_team_members_with_contract_type");
  const auto kept = *rc::gen::container<std::vector<bool>>(8, rc::gen::arbitrary<bool>());
  json::array answers;
  for (std::size_t i = 0; i < 8; ++i)
    if (kept[i]) answers.push_back(list(whole, "team_members")[i]);
  const auto in = enrich_input("enrich_team_members_with_contract_type", json::object{{"team_members", answers}});
  const auto result = run("enrich_contract_type", in).value();
  const auto missing = static_cast<std::size_t>(std::count(kept.begin(), kept.end(), false));
  RC_ASSERT(result.findings.size() == missing);
  RC_ASSERT(result.degraded == (missing > 0));
  RC_ASSERT(result.outputs.at("clean").as_array().size() == 8U);
}

TEST(TeamMarkdown, MergesByIdAndSurvivesMissingParts) {
  auto in = input("team_markdown");
  in.reads["find_team_members.clean"] = roles();
  in.reads["enrich_team_members_with_contract_type.clean"] =
      parsed(R"([{"id":3,"contract_type":"agency_temp"},{"id":99,"contract_type":"other"}])");
  in.reads["enrich_team_members_with_background_story.clean"] = nullptr;
  in.reads["review_team.raw"] = example("review_team");
  const auto view = run("team_markdown", in).value().view;
  const auto& members = list(view, "members");
  ASSERT_EQ(members.size(), 8U);
  EXPECT_EQ(text(members[2], "contract_type"), "agency_temp");
  EXPECT_EQ(text(members[1], "contract_type"), "");
  EXPECT_NE(find(members[0], "background_story"), nullptr) << "templates need every member";
  EXPECT_EQ(get_bool(view, "reviewed"), true);
  EXPECT_EQ(list(view, "omissions").size(), 3U);
}

TEST(TeamMarkdown, MissingReviewIsTold) {
  auto in = input("team_markdown");
  in.reads["find_team_members.clean"] = roles();
  const auto view = run("team_markdown", in).value().view;
  EXPECT_EQ(get_bool(view, "reviewed"), false);
  EXPECT_TRUE(list(view, "omissions").empty());
}

TEST(TeamMarkdown, ImportedFileWithAllFieldsGivesTheSameAsThreeFiles) {
  auto merged = input("team_markdown");
  merged.reads["find_team_members.clean"] = parsed(R"([{"id":1,"category":"Pilot","explanation":"e"}])");
  merged.reads["enrich_team_members_with_environment_info.clean"] = parsed(
      R"([{"id":1,"category":"Pilot","explanation":"e","contract_type":"other","background_story":"b","equipment_needs":"q","facility_needs":"f"}])");
  auto apart = merged;
  apart.reads["enrich_team_members_with_contract_type.clean"] = parsed(R"([{"id":1,"contract_type":"other"}])");
  apart.reads["enrich_team_members_with_background_story.clean"] = parsed(R"([{"id":1,"background_story":"b"}])");
  EXPECT_EQ(to_json(run("team_markdown", merged).value().view), to_json(run("team_markdown", apart).value().view));
}

// --- SWOT
// -------------------------------------------------------------------------------------------------------------

TEST(Swot, KeepsTheStoredShape) {
  auto in = input("swot_analysis");
  set_answer(in, example("swot_analysis"));
  in.reads["identify_purpose.answer"] =
      parsed(R"({"topic":"t","purpose":"business","purpose_detailed":"d","stated_limits":[]})");
  const auto raw = run("swot_analysis", in).value().outputs.at("raw");
  EXPECT_EQ(text(raw, "topic"), "t");
  EXPECT_EQ(text(raw, "purpose"), "business");
  EXPECT_EQ(to_json(raw.at("response_conduct")), to_json(example("swot_analysis")));
}

// --- expert review
// ----------------------------------------------------------------------------------------------------

BuiltinInput expert_input() {
  auto in = input("expert_review");
  set_answer(in, example("expert_review", "find.example.json"), "find");
  set_answer(in, run("expert_panel", in).value().answer, "panel");
  return in;
}

json::object unit(const json::value& expert, std::string_view state, json::value answer) {
  return {{"key", text(expert, "ref")}, {"state", state}, {"answer", std::move(answer)}, {"element", expert}};
}

TEST(ExpertReview, PanelHasRefsAndStableIds) {
  auto in = input("expert_review");
  set_answer(in, example("expert_review", "find.example.json"), "find");
  const auto first = run("expert_panel", in).value().answer;
  const auto& experts = list(first, "experts");
  ASSERT_EQ(experts.size(), 8U);
  EXPECT_EQ(text(experts[0], "ref"), "E1");
  EXPECT_EQ(text(experts[7], "title"), "Small-business accountant");
  EXPECT_EQ(to_json(run("expert_panel", in).value().answer), to_json(first));
  in.plan_id = "PlanExe_other";
  EXPECT_NE(text(list(run("expert_panel", in).value().answer, "experts")[0], "id"), text(experts[0], "id"));
}

TEST(ExpertReview, EqualTitlesAreAskedOnce) {
  auto in = input("expert_review");
  set_answer(
      in,
      parsed(
          R"({"experts":[{"expert_title":"Bat ecologist"},{"expert_title":"bat  ECOLOGIST"},{"expert_title":" "},{"expert_title":"Pilot"}]})"),
      "find");
  const auto result = run("expert_panel", in).value();
  ASSERT_EQ(list(result.answer, "experts").size(), 2U);
  EXPECT_EQ(text(list(result.answer, "experts")[1], "ref"), "E2");
  EXPECT_EQ(rules(result), Rules{"duplicate_expert"});
}

TEST(ExpertReview, NobodyIsAnError) {
  auto in = input("expert_review");
  set_answer(in, parsed(R"({"experts":[]})"), "find");
  EXPECT_FALSE(run("expert_panel", in).has_value());
}

TEST(ExpertReview, MissingAndSkippedReviewsAreShown) {
  auto in = expert_input();
  const auto answers = example("expert_review", "review.example.json").as_array();
  const auto experts = list(*step_answer(in, "panel"), "experts");
  json::array items;
  items.push_back(unit(experts[0], "done", answers[0]));
  items.push_back(unit(experts[1], "missing", nullptr));
  items.push_back(unit(experts[2], "done", answers[2]));
  for (std::size_t i = 3; i < experts.size(); ++i) items.push_back(unit(experts[i], "skipped", nullptr));
  in.steps["review"] = json::object{{"items", items}};
  const auto result = run("expert_review", in).value();
  EXPECT_TRUE(result.degraded);
  const auto& reviewed = list(result.view, "reviewed");
  const auto& silent = list(result.view, "silent");
  ASSERT_EQ(reviewed.size(), 2U);
  ASSERT_EQ(silent.size(), 6U);
  EXPECT_EQ(get_int(reviewed[1], "number"), 3) << "an expert keeps the number of the panel";
  EXPECT_EQ(get_int(list(reviewed[0], "issues")[0], "number"), 4);
  EXPECT_EQ(text(silent[0], "reason"), "the review could not be obtained");
  EXPECT_EQ(text(silent[1], "reason"), "not asked in this speed mode");
  const auto& raw = result.outputs.at("raw").as_array();
  ASSERT_EQ(raw.size(), 8U) << "files are numbered by expert";
  EXPECT_TRUE(raw[1].is_null());
  EXPECT_EQ(text(raw[2], "expert_ref"), "E3");
  EXPECT_EQ(list(raw[2], "negative_feedback_list").size(), 3U);
  EXPECT_EQ(result.outputs.at("experts").as_array().size(), 8U);
}

TEST(ExpertReview, SkippedAloneDoesNotDegrade) {
  auto in = expert_input();
  const auto answers = example("expert_review", "review.example.json").as_array();
  const auto experts = list(*step_answer(in, "panel"), "experts");
  in.steps["review"] =
      json::object{{"items", json::array{unit(experts[0], "done", answers[0]), unit(experts[1], "done", "no object")}}};
  const auto result = run("expert_review", in).value();
  EXPECT_FALSE(result.degraded);
  EXPECT_EQ(list(result.view, "reviewed").size(), 1U) << "an answer that is no object is no review";
}

// --- all
// --------------------------------------------------------------------------------------------------------------

TEST(ExecutionBuiltins, WithoutAnAnswerTheyFailInsteadOfInventing) {
  for (const char* name :
       {"pre_project_assessment", "project_plan", "governance_bodies", "governance_implementation",
        "governance_escalation", "governance_monitoring", "governance_validation", "related_resources",
        "find_team_members", "enrich_contract_type", "enrich_background_story", "enrich_environment_info",
        "team_markdown", "swot_analysis", "expert_panel", "expert_review"})
    EXPECT_FALSE(run(name, input(name)).has_value()) << name;
}

TEST(ExecutionBuiltins, AnswersOfTheWrongShapeAreSurvived) {
  for (const char* shape :
       {"null", "[]", "7", "\"text\"", R"({"experts":7,"team_members":{},"suggestion_list":"x"})"}) {
    for (const char* name :
         {"pre_project_assessment", "project_plan", "governance_bodies", "governance_implementation",
          "governance_escalation", "governance_monitoring", "governance_validation", "related_resources",
          "find_team_members", "enrich_contract_type", "swot_analysis", "expert_panel", "expert_review"}) {
      auto in = input(name);
      for (const char* step : {"main", "find", "panel", "validate"}) set_answer(in, parsed(shape), step);
      in.reads["find_team_members.clean"] = parsed(shape);
      const auto result = run(name, in);
      if (result) {
        EXPECT_FALSE(result->outputs.contains("clean") && result->outputs.at("clean").is_null()) << name << shape;
      } else {
        EXPECT_FALSE(result.error().message.empty()) << name << shape;
      }
    }
  }
}

}  // namespace
}  // namespace planexe::plan
