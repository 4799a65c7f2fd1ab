#include "plan/builtins/execution.hpp"

#include "plan/builtins/groups.hpp"

namespace planexe::plan {

void register_execution(BuiltinMap& map) {
  map["pre_project_assessment"] = finish_pre_project_assessment;
  map["project_plan"] = finish_project_plan;
  map["governance_bodies"] = finish_governance_bodies;
  map["governance_implementation"] = finish_governance_implementation;
  map["governance_escalation"] = finish_governance_escalation;
  map["governance_monitoring"] = finish_governance_monitoring;
  map["governance_checks"] = step_governance_checks;
  map["governance_validation"] = finish_governance_validation;
  map["related_resources"] = finish_related_resources;
  map["find_team_members"] = finish_find_team_members;
  map["enrich_contract_type"] = finish_enrich_contract_type;
  map["enrich_background_story"] = finish_enrich_background_story;
  map["enrich_environment_info"] = finish_enrich_environment_info;
  map["team_markdown"] = finish_team_markdown;
  map["swot_analysis"] = finish_swot_analysis;
  map["expert_panel"] = step_expert_panel;
  map["expert_review"] = finish_expert_review;
}

}  // namespace planexe::plan
