#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"
#include "plan/schedule_coverage.hpp"
#include "plan/schedule_links.hpp"

namespace planexe::plan {
namespace {

using documents::note;

/// Groups of the fast mode: two requests carry all phases.
constexpr std::size_t kFastGroups = 2;

Result<Wbs> phases_of(const BuiltinInput& in) {
  const json::value root =
      json::object{{"id", in.plan_id + "/project"}, {"project_title", "-"}, {"final_deliverable", ""}};
  return build_wbs(root, read(in, "create_wbs_level2.clean"));
}

json::object phase_object(const WbsNode& phase) {
  json::array tasks;
  for (const WbsNode& task : phase.children) tasks.push_back(json::object{{"ref", task.ref}, {"title", task.title}});
  return {{"ref", phase.ref}, {"title", phase.title}, {"tasks", std::move(tasks)}};
}

/// What links of this phase may name: its tasks, or the phase itself when it has none.
void add_refs(const WbsNode& phase, json::array& refs) {
  for (const WbsNode& task : phase.children) refs.emplace_back(task.ref);
  if (phase.children.empty()) refs.emplace_back(phase.ref);
}

json::object group_of(const Wbs& wbs, std::size_t begin, std::size_t end) {
  const auto& phases = wbs.root.children;
  json::array objects;
  json::array own;
  json::array allowed;
  for (std::size_t i = 0; i < end; ++i) {
    add_refs(phases[i], allowed);
    if (i < begin) continue;
    objects.push_back(phase_object(phases[i]));
    add_refs(phases[i], own);
  }
  const std::string ref =
      end - begin == 1 ? phases[begin].ref : fmt::format("{}-{}", phases[begin].ref, phases[end - 1].ref);
  return {{"ref", ref},
          {"phases", std::move(objects)},
          {"task_refs", std::move(own)},
          {"allowed_refs", std::move(allowed)}};
}

/// Where the first of two groups ends: as soon as it holds half of the tasks, leaving at least one phase.
std::size_t middle(const Wbs& wbs) {
  const auto& phases = wbs.root.children;
  std::size_t total = 0;
  for (const WbsNode& phase : phases) total += phase.children.size();
  std::size_t seen = 0;
  for (std::size_t i = 0; i + 1 < phases.size(); ++i) {
    seen += phases[i].children.size();
    if (2 * seen >= total) return i + 1;
  }
  return phases.size() - 1;
}

LinkRequest link_request(const json::value& link, std::string dependent) {
  const std::int64_t lag = std::clamp<std::int64_t>(get_int(link, "lag_days").value_or(0), -kDaysMax - 1, kDaysMax + 1);
  return {text(link, "depends_on_task_id"), std::move(dependent),
          link_type_from(text(link, "type")).value_or(LinkType::FS), static_cast<int>(lag), text(link, "explanation")};
}

/// All that the model said about links, of both steps.
struct Answers {
  std::vector<LinkRequest> links;
  std::vector<std::string> answered;                        ///< refs of tasks with an entry
  std::map<std::string, std::string> reasons;               ///< ref -> why it starts at once
  std::vector<std::pair<std::string, std::string>> inputs;  ///< phase ref, what it receives
};

Answers answers_of(const BuiltinInput& in) {
  Answers answers;
  for (const json::value& item : step_items(in, "links")) {
    const json::value* answer = documents::done_answer(item);
    if (answer == nullptr) continue;
    for (const json::value& entry : list(*answer, "task_dependency_details")) {
      const std::string dependent = text(entry, "dependent_task_id");
      answers.answered.push_back(dependent);
      answers.reasons.emplace(dependent, trim(text(entry, "free_start_reason")));
      for (const json::value& link : list(entry, "links")) answers.links.push_back(link_request(link, dependent));
    }
    for (const json::value& entry : list(*answer, "phase_inputs"))
      answers.inputs.emplace_back(text(entry, "phase_id"), text(entry, "receives"));
  }
  for (const json::value& item : step_items(in, "again"))
    if (const json::value* answer = documents::done_answer(item))
      for (const json::value& link : list(*answer, "links"))
        answers.links.push_back(link_request(link, text(link, "dependent_task_id")));
  return answers;
}

json::object detail_of(const WbsNode& task, const std::vector<ScheduleLink>& links, const Answers& answers) {
  json::array from;
  json::array explanations;
  json::array types;
  json::array lags;
  for (const ScheduleLink& link : links) {
    if (link.to != task.id) continue;
    from.emplace_back(link.from);
    explanations.emplace_back(link.explanation);
    types.emplace_back(to_string(link.type));
    lags.emplace_back(link.lag_days);
  }
  const auto reason = answers.reasons.find(task.ref);
  const bool free = from.empty() && reason != answers.reasons.end() && !reason->second.empty();
  return {{"dependent_task_id", task.id},
          {"ref", task.ref},
          {"depends_on_task_id_list", std::move(from)},
          {"depends_on_task_explanation_list", std::move(explanations)},
          {"depends_on_task_type_list", std::move(types)},
          {"depends_on_task_lag_days_list", std::move(lags)},
          {"free_start_reason", free ? json::value(reason->second) : json::value(nullptr)}};
}

/// Entries of the activities that were answered or got a link, in WBS order.
json::array details_of(const Wbs& wbs, const CheckedLinks& checked, const Answers& answers) {
  const std::set<std::string> answered(answers.answered.begin(), answers.answered.end());
  json::array details;
  for (const WbsNode* task : activities_of(wbs)) {
    const bool linked =
        std::ranges::any_of(checked.links, [&](const ScheduleLink& link) { return link.to == task->id; });
    if (linked || answered.contains(task->ref)) details.push_back(detail_of(*task, checked.links, answers));
  }
  return details;
}

json::array rejected_of(const Wbs& wbs, const CheckedLinks& checked, BuiltinResult& result) {
  const auto nodes = index_wbs(wbs);
  const auto ref = [&](const std::string& id) {
    const auto node = nodes.find(id);
    return node == nodes.end() ? id : node->second->ref;
  };
  json::array rejected;
  for (const RejectedLink& link : checked.rejected) {
    rejected.push_back(
        json::object{{"from", link.from}, {"to", link.to}, {"type", to_string(link.type)}, {"reason", link.reason}});
    note(result, "rejected_link", ref(link.to),
         fmt::format("A link from {} to {} was dropped: {}.", ref(link.from), ref(link.to), link.reason));
  }
  return rejected;
}

/// Ids as a list, one finding each.
json::array noted(const Wbs& wbs, const std::vector<std::string>& ids, const char* rule, const char* what,
                  BuiltinResult& result) {
  const auto nodes = index_wbs(wbs);
  json::array stored;
  for (const std::string& id : ids) {
    stored.emplace_back(id);
    const auto node = nodes.find(id);
    if (node == nodes.end()) continue;
    note(result, rule, node->second->ref, fmt::format("{} \"{}\" {}.", node->second->ref, node->second->title, what));
  }
  return stored;
}

json::array phase_inputs(const Wbs& wbs, const Answers& answers) {
  json::array inputs;
  for (const WbsNode& phase : wbs.root.children) {
    const auto entry = std::ranges::find(answers.inputs, phase.ref, &std::pair<std::string, std::string>::first);
    if (entry != answers.inputs.end())
      inputs.push_back(json::object{{"phase_id", phase.id}, {"ref", phase.ref}, {"receives", entry->second}});
  }
  return inputs;
}

}  // namespace

Result<BuiltinResult> step_dependency_groups(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, phases_of(in));
  const std::size_t count = wbs.root.children.size();
  BuiltinResult result;
  json::array groups;
  if (documents::is_fast(in) && count > kFastGroups) {
    const std::size_t half = middle(wbs);
    groups = {group_of(wbs, 0, half), group_of(wbs, half, count)};
  } else {
    for (std::size_t i = 0; i < count; ++i) groups.push_back(group_of(wbs, i, i + 1));
  }
  result.answer = std::move(groups);
  return result;
}

Result<BuiltinResult> step_isolated_phases(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, phases_of(in));
  const Answers answers = answers_of(in);
  const ScheduleCoverage coverage = coverage_of(wbs, check_links(wbs, answers.links).links, answers.answered);
  json::array refs;
  for (const WbsNode& phase : wbs.root.children) add_refs(phase, refs);
  BuiltinResult result;
  json::array isolated;
  for (const WbsNode& phase : wbs.root.children) {
    if (std::ranges::find(coverage.isolated_phases, phase.id) == coverage.isolated_phases.end()) continue;
    json::object element = phase_object(phase);
    element["any_refs"] = refs;
    isolated.push_back(std::move(element));
  }
  result.answer = std::move(isolated);
  return result;
}

Result<BuiltinResult> finish_task_dependencies(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, phases_of(in));
  const Answers answers = answers_of(in);
  const CheckedLinks checked = check_links(wbs, answers.links);
  const ScheduleCoverage coverage = coverage_of(wbs, checked.links, answers.answered);
  if (coverage.answered == 0) return fail(ErrorCode::TaskFailed, "Task dependencies: no task has an answer.");
  BuiltinResult result;
  json::object raw;
  raw["task_dependency_details"] = details_of(wbs, checked, answers);
  raw["rejected_links"] = rejected_of(wbs, checked, result);
  raw["phase_inputs"] = phase_inputs(wbs, answers);
  raw["tasks_without_answer"] = noted(wbs, coverage.without_answer, "unanswered_task",
                                      "was asked about its predecessors and got no answer", result);
  raw["tasks_without_links"] =
      noted(wbs, coverage.without_links, "unlinked_task", "waits for nothing, and nothing waits for it", result);
  raw["isolated_phases"] =
      noted(wbs, coverage.isolated_phases, "isolated_phase", "has no link to another phase", result);
  result.degraded = !coverage.without_answer.empty();
  result.outputs["raw"] = std::move(raw);
  return result;
}

}  // namespace planexe::plan
