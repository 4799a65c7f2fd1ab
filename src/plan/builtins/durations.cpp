#include <fmt/format.h>

#include <optional>

#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"

namespace planexe::plan {
namespace {

using documents::note;

/// Phases and tasks in pre-order; subtasks have no estimates.
std::vector<const WbsNode*> nodes_of(const Wbs& wbs) {
  std::vector<const WbsNode*> nodes;
  for (const WbsNode& phase : wbs.root.children) {
    nodes.push_back(&phase);
    for (const WbsNode& task : phase.children) nodes.push_back(&task);
  }
  return nodes;
}

struct Days {
  std::int64_t min, realistic, max;
};

std::optional<Days> days_of(const json::value& entry) {
  const auto min = get_int(entry, "days_min");
  const auto realistic = get_int(entry, "days_realistic");
  const auto max = get_int(entry, "days_max");
  if (!min || !realistic || !max) return std::nullopt;
  if (*min < 1 || *realistic < *min || *max < *realistic) return std::nullopt;
  return Days{*min, *realistic, *max};
}

/// Collects the estimates of all chunks by node; the first one of a node counts.
class Collector {
 public:
  Collector(const Wbs& wbs, BuiltinResult& result) : result_(result) {
    for (const WbsNode* node : nodes_of(wbs)) {
      by_name_.emplace(node->ref, node);
      by_name_.emplace(node->id, node);
    }
  }

  void add(const json::value& entry) {
    const std::string id = text(entry, "task_id");
    const auto node = by_name_.find(id);
    if (node == by_name_.end())
      return note(result_, "unknown_id", id, fmt::format("An estimate names \"{}\", which is no phase or task.", id));
    const auto days = days_of(entry);
    if (!days)
      return note(result_, "bad_estimate", id,
                  fmt::format("The estimate of {} is not 1 <= min <= realistic <= max and is not used.", id));
    if (!found_.emplace(node->second, stored(entry, *node->second, *days)).second)
      note(result_, "duplicate_estimate", id, fmt::format("{} was estimated twice; the first estimate counts.", id));
  }

  const json::object* of(const WbsNode* node) const {
    const auto entry = found_.find(node);
    return entry == found_.end() ? nullptr : &entry->second;
  }

 private:
  static json::object stored(const json::value& entry, const WbsNode& node, const Days& days) {
    return {{"task_id", node.id},
            {"ref", node.ref},
            {"delay_risks", text(entry, "delay_risks")},
            {"mitigation_strategy", text(entry, "mitigation_strategy")},
            {"days_min", days.min},
            {"days_max", days.max},
            {"days_realistic", days.realistic}};
  }

  BuiltinResult& result_;
  std::map<std::string, const WbsNode*> by_name_;
  std::map<const WbsNode*, json::object> found_;
};

}  // namespace

Result<BuiltinResult> step_duration_nodes(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, documents::tree_of(in));
  BuiltinResult result;
  json::array nodes;
  for (const WbsNode& phase : wbs.root.children) {
    nodes.push_back(json::object{{"ref", phase.ref},
                                 {"kind", "phase"},
                                 {"title", phase.title},
                                 {"phase_title", phase.title},
                                 {"task_count", phase.children.size()}});
    for (const WbsNode& task : phase.children)
      nodes.push_back(json::object{
          {"ref", task.ref}, {"kind", "task"}, {"title", task.title}, {"phase_title", phase.title}, {"task_count", 0}});
  }
  result.answer = std::move(nodes);
  return result;
}

Result<BuiltinResult> finish_task_durations(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, documents::tree_of(in));
  BuiltinResult result;
  Collector collector(wbs, result);
  for (const json::value& item : step_items(in, "estimate"))
    if (const json::value* answer = documents::done_answer(item))
      for (const json::value& entry : list(*answer, "task_details")) collector.add(entry);
  json::array clean;
  for (const WbsNode* node : nodes_of(wbs)) {
    if (const json::object* entry = collector.of(node)) {
      clean.push_back(*entry);
    } else {
      result.degraded = true;
      note(result, "missing_estimate", node->ref,
           fmt::format("{} \"{}\" has no estimate; the schedule derives one from its neighbours.", node->ref,
                       node->title));
    }
  }
  if (clean.empty()) return fail(ErrorCode::TaskFailed, "Task durations: no phase or task has a usable estimate.");
  result.outputs["clean"] = std::move(clean);
  return result;
}

}  // namespace planexe::plan
