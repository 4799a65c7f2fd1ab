#include "plan/builtins/governance_checks.hpp"
#include "unit/plan_builtins_execution_support.hpp"

namespace planexe::plan {
namespace {

using namespace execution_test;

json::array bodies() { return list(example("governance_phase2_bodies"), "internal_governance_bodies"); }

BuiltinInput governance_input(std::string task, json::value answer) {
  auto in = input(std::move(task));
  set_answer(in, std::move(answer));
  in.reads["governance_phase2_bodies.raw.internal_governance_bodies"] = bodies();
  return in;
}

TEST(Governance, ExamplesAgreeWithEachOther) {
  for (const auto& [task, function] : {std::pair{"governance_phase2_bodies", "governance_bodies"},
                                       {"governance_phase3_impl_plan", "governance_implementation"},
                                       {"governance_phase4_decision_escalation_matrix", "governance_escalation"},
                                       {"governance_phase5_monitoring_progress", "governance_monitoring"}}) {
    const auto result = run(function, governance_input(task, example(task))).value();
    EXPECT_EQ(rules(result), Rules{}) << task << ": " << (result.findings.empty() ? "" : result.findings[0].message);
  }
}

TEST(Governance, CirclesAndSelfEscalationAreFound) {
  std::vector<Finding> findings;
  check_governance_bodies(
      parsed(R"([{"body_id":"B1","name":"a","escalates_to":"B2"},{"body_id":"B2","name":"b","escalates_to":"B1"},
      {"body_id":"B3","name":"c","escalates_to":"B3"},{"body_id":"B4","name":"d","escalates_to":"B9"},{"body_id":"B5","name":"e","escalates_to":null}])")
          .as_array(),
      findings);
  BuiltinResult result;
  result.findings = findings;
  EXPECT_EQ(rules(result), (Rules{"escalation_circle", "escalation_circle", "self_escalation", "unknown_body"}));
}

TEST(Governance, ImportedBodiesWithoutLabelsAreQuiet) {
  std::vector<Finding> findings;
  check_governance_bodies(
      parsed(R"([{"name":"Steering Committee","membership":["CTO"],"escalation_path":"CEO"}])").as_array(), findings);
  EXPECT_TRUE(findings.empty());
}

TEST(Governance, BodiesDoNotActBeforeTheyExist) {
  std::vector<Finding> findings;
  check_governance_steps(parsed(R"([
      {"step_id":"S1","responsible_body_or_role":"B","responsible_body_id":"B1","depends_on":[],"creates_body_id":null},
      {"step_id":"S2","responsible_body_or_role":"x","responsible_body_id":null,"depends_on":["S3","S9"],"creates_body_id":"B1"},
      {"step_id":"S3","responsible_body_or_role":" ","responsible_body_id":null,"depends_on":["S3"],"creates_body_id":"B1"}])")
                             .as_array(),
                         bodies(), findings);
  BuiltinResult result;
  result.findings = findings;
  EXPECT_EQ(rules(result), (Rules{"body_before_creation", "body_created_twice", "body_not_created", "body_not_created",
                                  "missing_owner", "step_order", "step_order", "unknown_step"}));
}

TEST(Governance, ImportedStepsAreJudgedWithoutLabels) {
  std::vector<Finding> findings;
  check_governance_steps(
      parsed(R"([{"step_description":"s","responsible_body_or_role":"Project Manager","dependencies":["x"]}])")
          .as_array(),
      bodies(), findings);
  EXPECT_TRUE(findings.empty());
}

TEST(Governance, EscalationNameAndLabelMustAgree) {
  std::vector<Finding> findings;
  check_governance_cases(parsed(R"([
      {"issue_type":"a","escalation_level":"Friday bench meeting","escalation_body_id":"B1"},
      {"issue_type":"b","escalation_level":"MONTHLY  money hour","escalation_body_id":"B1"},
      {"issue_type":"c","escalation_level":"City court","escalation_body_id":null},
      {"issue_type":"d","escalation_level":"x","escalation_body_id":"B7"},
      {"issue_type":"e","escalation_level":"Steering Committee"}])")
                             .as_array(),
                         bodies(), findings);
  BuiltinResult result;
  result.findings = findings;
  EXPECT_EQ(rules(result), (Rules{"name_mismatch", "unknown_body", "unknown_body"}));
}

TEST(Governance, TriggersNeedNumberOrEvent) {
  std::vector<Finding> findings;
  check_governance_monitoring(parsed(R"x([
      {"approach":"a","responsible_role":"Second mechanic","adaptation_trigger":"significant deviation","trigger_kind":"number"},
      {"approach":"b","responsible_role":"bookkeeper (CONTRACT)","adaptation_trigger":"the letter has not come","trigger_kind":"event"},
      {"approach":"c","responsible_role":"Chief of staff","adaptation_trigger":"more than ٣ days","trigger_kind":"number"}])x")
                                  .as_array(),
                              bodies(), findings);
  BuiltinResult result;
  result.findings = findings;
  EXPECT_EQ(rules(result), (Rules{"trigger_without_number", "unknown_role"}));
}

TEST(Governance, ShortNamesAreNotContainedEverywhere) {
  EXPECT_FALSE(role_sits_in("e", bodies()));
  EXPECT_FALSE(role_sits_in("", bodies()));
  EXPECT_TRUE(role_sits_in("Mentor of Initiative Lyon", bodies()));
}

TEST(Governance, ChecksStepCollectsEverythingAndSurvivesGaps) {
  auto in = input("governance_phase6_extra");
  for (const char* task : {"governance_phase2_bodies", "governance_phase3_impl_plan",
                           "governance_phase4_decision_escalation_matrix", "governance_phase5_monitoring_progress"})
    in.reads[fmt::format("{}.raw", task)] = example(task);
  EXPECT_TRUE(list(run("governance_checks", in).value().answer, "findings").empty());

  in.reads["governance_phase5_monitoring_progress.raw"] = parsed(
      R"({"monitoring_progress":[{"approach":"a","responsible_role":"Nobody here","adaptation_trigger":"2","trigger_kind":"number"}]})");
  const auto answer = run("governance_checks", in).value().answer;
  ASSERT_EQ(list(answer, "findings").size(), 1U);
  EXPECT_EQ(text(list(answer, "findings")[0], "rule"), "unknown_role");

  for (auto& [key, value] : in.reads) value = nullptr;
  EXPECT_TRUE(list(run("governance_checks", in).value().answer, "findings").empty());
}

TEST(Governance, OwnNumbersAreTakenOffAndOthersStay) {
  auto in = input("governance_phase6_extra");
  set_answer(
      in,
      parsed(R"({"governance_validation_checks":["1. First","Point 2: Second","**3)** Third","3 suppliers are named",
      "2030: the lease ends","6.5 hours a month", 7, "  "],"tough_questions":["Q1 without mark","2) Second?"],"summary":"s"})"),
      "validate");
  const auto result = run("governance_validation", in).value();
  EXPECT_EQ(to_json(result.outputs.at("raw")), to_json(*step_answer(in, "validate")))
      << "the answer is stored as it came";
  const auto& view = result.view;
  EXPECT_EQ(to_json(*find(view, "checks")),
            R"(["First","Second","Third","3 suppliers are named","2030: the lease ends","6.5 hours a month"])");
  EXPECT_EQ(to_json(*find(view, "questions")), R"(["Q1 without mark","Second?"])");
}

}  // namespace
}  // namespace planexe::plan
