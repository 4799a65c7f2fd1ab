#pragma once

#include "plan/builtin.hpp"

namespace planexe::plan {

/// 004-2: both reviewers' actions in one list, with calendar dates beside the day offsets. Names and titles are left
/// out, so that later prompts do not take the simulated reviewers for people of the plan.
Result<BuiltinResult> finish_pre_project_assessment(const BuiltinInput& in);

/// Compares the length that the project plan promises with the horizon that the user stated. Gives findings only.
Result<BuiltinResult> finish_project_plan(const BuiltinInput& in);

/// Findings on the bodies: nobody at the top, escalation in a circle or to itself.
Result<BuiltinResult> finish_governance_bodies(const BuiltinInput& in);

/// Findings on the set-up steps: order of dependencies, bodies that act before they exist, bodies nobody creates.
Result<BuiltinResult> finish_governance_implementation(const BuiltinInput& in);

/// Findings on the escalation cases: unknown bodies, name and label that disagree.
Result<BuiltinResult> finish_governance_escalation(const BuiltinInput& in);

/// Findings on the watch points: roles that sit in no body, triggers without a number.
Result<BuiltinResult> finish_governance_monitoring(const BuiltinInput& in);

/// Step `checks` of governance 6: all of the findings above over the stored chapters, as `answer.findings[] {rule,
/// path, message}`.
Result<BuiltinResult> step_governance_checks(const BuiltinInput& in);

/// 006-11 and the `view` of governance 6: findings and questions without the numbers that a model puts in front of
/// them.
Result<BuiltinResult> finish_governance_validation(const BuiltinInput& in);

/// Findings on similar projects: malformed addresses, too few that are fully described.
Result<BuiltinResult> finish_related_resources(const BuiltinInput& in);

/// 008-2: roles with ids 1..n; equal titles are merged into the first.
Result<BuiltinResult> finish_find_team_members(const BuiltinInput& in);

/// 009-2, 010-2, 011-2: every role with the fields of its answer, in the order of the roles; unknown ids are dropped
/// with a finding, roles without an answer keep their own fields and degrade the task.
Result<BuiltinResult> finish_enrich_contract_type(const BuiltinInput& in);
Result<BuiltinResult> finish_enrich_background_story(const BuiltinInput& in);
Result<BuiltinResult> finish_enrich_environment_info(const BuiltinInput& in);

/// `view` of the team document: roles merged by id with whatever enrichments exist, and the review.
Result<BuiltinResult> finish_team_markdown(const BuiltinInput& in);

/// 014-1 in its stored shape: purpose beside the analysis.
Result<BuiltinResult> finish_swot_analysis(const BuiltinInput& in);

/// Step `panel` of the expert review: experts with ref E1.. and id; equal titles are merged into the first.
Result<BuiltinResult> step_expert_panel(const BuiltinInput& in);

/// 015-1, 015-2, the 016-1 files (number = expert; null where there is no review) and the `view` of the expert review.
/// Experts whose review is missing or was left out by the speed mode are listed as silent with the reason.
Result<BuiltinResult> finish_expert_review(const BuiltinInput& in);

}  // namespace planexe::plan
