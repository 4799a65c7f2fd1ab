#include <cstdlib>

#include "base/zip.hpp"
#include "unit/plan_builtins_execution_support.hpp"

// The finish functions on the answers of real plan runs: what they make must be what these runs stored.

namespace planexe::plan {
namespace {

using namespace execution_test;

class ExecutionRealRuns : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("PLANEXE_REAL_RUNS");
    if (folder == nullptr) GTEST_SKIP() << "set PLANEXE_REAL_RUNS to the folder with the published runs";
    auto entries = read_zip(fmt::format("{}/{}.zip", folder, GetParam()));
    ASSERT_TRUE(entries.has_value()) << entries.error().message;
    entries_ = *std::move(entries);
  }

  /// The JSON file of that name, wherever in the archive it lies.
  json::value file(std::string_view name) const {
    for (const ZipEntry& entry : entries_)
      if (entry.name.ends_with(fmt::format("/{}", name)) && !entry.name.contains("__MACOSX"))
        return parse_json(entry.bytes).value();
    ADD_FAILURE() << name << " is not in the run";
    return nullptr;
  }

  BuiltinInput answered(std::string task, std::string_view raw) const {
    auto in = input(std::move(task));
    set_answer(in, file(raw));
    return in;
  }

 private:
  std::vector<ZipEntry> entries_;
};

TEST_P(ExecutionRealRuns, AssessmentIsTheSame) {
  const auto in = answered("pre_project_assessment", "004-1-pre_project_assessment_raw.json");
  const auto clean = run("pre_project_assessment", in).value().outputs.at("clean");
  EXPECT_EQ(canonical_json(clean), canonical_json(file("004-2-pre_project_assessment.json")));
}

TEST_P(ExecutionRealRuns, RolesAreTheSame) {
  const auto clean =
      run("find_team_members", answered("find_team_members", "008-1-find_team_members_raw.json")).value();
  EXPECT_EQ(canonical_json(clean.outputs.at("clean")), canonical_json(file("008-2-find_team_members.json")));
}

TEST_P(ExecutionRealRuns, ContractTypesAreTheSame) {
  auto in = answered("enrich_team_members_with_contract_type", "009-1-enrich_team_members_contract_type_raw.json");
  in.reads["find_team_members.clean"] = file("008-2-find_team_members.json");
  const auto result = run("enrich_contract_type", in).value();
  EXPECT_FALSE(result.degraded);
  EXPECT_EQ(canonical_json(result.outputs.at("clean")),
            canonical_json(file("009-2-enrich_team_members_contract_type.json")));
}

TEST_P(ExecutionRealRuns, LastEnrichmentAloneGivesTheWholeTeam) {
  // In these runs each enrichment handed on the fields of the one before.
  auto in = input("team_markdown");
  in.reads["find_team_members.clean"] = file("008-2-find_team_members.json");
  in.reads["enrich_team_members_with_environment_info.clean"] = file("011-2-enrich_team_members_environment_info.json");
  in.reads["review_team.raw"] = file("012-review_team_raw.json");
  const auto view = run("team_markdown", in).value().view;
  ASSERT_EQ(list(view, "members").size(), 8U);
  for (const auto& member : list(view, "members"))
    for (const char* field : {"contract_type", "background_story", "equipment_needs", "consequences"})
      EXPECT_FALSE(text(member, field).empty()) << field;
  EXPECT_FALSE(list(view, "omissions").empty());
}

TEST_P(ExecutionRealRuns, PanelKeepsExpertsAndOrder) {
  auto in = input("expert_review");
  set_answer(in, file("015-1-experts_raw.json"), "find");
  const auto answer = run("expert_panel", in).value().answer;
  const auto stored = file("015-2-experts.json").as_array();
  const auto& experts = list(answer, "experts");
  ASSERT_EQ(experts.size(), stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i)
    for (const char* field : {"title", "knowledge", "why", "what", "skills", "search_query"})
      EXPECT_EQ(text(experts[i], field), text(stored[i], field));
}

TEST_P(ExecutionRealRuns, ReviewsOfTwoExpertsLeaveTheOthersSilent) {
  auto in = input("expert_review");
  const auto experts = file("015-2-experts.json").as_array();
  set_answer(in, json::object{{"experts", experts}}, "panel");
  json::array items;
  for (std::size_t i = 0; i < 2; ++i)
    items.push_back(json::object{{"key", fmt::format("{}", i + 1)},
                                 {"state", "done"},
                                 {"answer", file(fmt::format("016-1-{}-expert_criticism_raw.json", i + 1))},
                                 {"element", experts[i]}});
  in.steps["review"] = json::object{{"items", items}};
  const auto result = run("expert_review", in).value();
  EXPECT_EQ(list(result.view, "reviewed").size(), 2U);
  EXPECT_EQ(list(result.view, "silent").size(), experts.size() - 2);
}

TEST_P(ExecutionRealRuns, GovernanceWithoutLabelsIsJudgedByName) {
  auto in = input("governance_phase6_extra");
  in.reads["governance_phase2_bodies.raw"] = file("006-3-governance_phase2_bodies_raw.json");
  in.reads["governance_phase3_impl_plan.raw"] = file("006-5-governance_phase3_impl_plan_raw.json");
  in.reads["governance_phase4_decision_escalation_matrix.raw"] =
      file("006-7-governance_phase4_decision_escalation_matrix_raw.json");
  in.reads["governance_phase5_monitoring_progress.raw"] = file("006-9-governance_phase5_monitoring_progress_raw.json");
  const auto answer = run("governance_checks", in).value().answer;
  const std::set<std::string> by_name{"unknown_body", "unknown_role", "trigger_without_number"};
  for (const auto& finding : list(answer, "findings"))
    EXPECT_TRUE(by_name.contains(text(finding, "rule"))) << text(finding, "message");
}

INSTANTIATE_TEST_SUITE_P(Published, ExecutionRealRuns,
                         testing::Values("20251012_human_as_a_service_protocol", "20251016_minecraft_escape",
                                         "20251101_e_bus_security"),
                         [](const auto& run) { return std::string(run.param); });

}  // namespace
}  // namespace planexe::plan
