#include "plan/estimates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/schedule_links.hpp"

namespace planexe::plan {
namespace {

std::optional<int> days(const json::value& entry, std::string_view key) {
  const auto value = get_int(entry, key);
  if (!value || *value < 1 || *value > kDaysMax) return std::nullopt;
  return static_cast<int>(*value);
}

// What is there of an answered estimate; nothing without a realistic value.
std::optional<Estimate> read_estimate(const json::value& entry, EstimateSet& set, const WbsNode& node) {
  const auto realistic = days(entry, "days_realistic");
  if (!realistic) return std::nullopt;
  Estimate estimate{days(entry, "days_min").value_or(*realistic), *realistic,
                    days(entry, "days_max").value_or(*realistic), false};
  if (estimate.min > estimate.realistic || estimate.max < estimate.realistic) {
    set.findings.push_back({"estimate_order", node.ref,
                            fmt::format("The estimates of \"{}\" are out of order ({}, {}, {} days).", node.title,
                                        estimate.min, estimate.realistic, estimate.max)});
    const auto [low, high] = std::minmax({estimate.min, estimate.realistic, estimate.max});
    estimate.min = low;
    estimate.max = high;
  }
  return estimate;
}

// The upper median of one part; taken part by part it keeps min <= realistic <= max.
int median(const std::vector<Estimate>& estimates, int Estimate::* part) {
  std::vector<int> values;
  for (const Estimate& estimate : estimates) values.push_back(estimate.*part);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

Estimate derived_from(const std::vector<Estimate>& siblings) {
  return {median(siblings, &Estimate::min), median(siblings, &Estimate::realistic), median(siblings, &Estimate::max),
          true};
}

std::vector<Estimate> known_of(const std::vector<const WbsNode*>& nodes, const EstimateSet& set) {
  std::vector<Estimate> known;
  for (const WbsNode* node : nodes) {
    const auto found = set.by_id.find(node->id);
    if (found != set.by_id.end() && !found->second.derived) known.push_back(found->second);
  }
  return known;
}

void derive(const std::vector<const WbsNode*>& group, const std::vector<Estimate>& all, EstimateSet& set) {
  const std::vector<Estimate> siblings = known_of(group, set);
  const Estimate estimate = derived_from(siblings.empty() ? all : siblings);
  for (const WbsNode* activity : group)
    if (set.by_id.emplace(activity->id, estimate).second) set.derived.push_back(activity->id);
}

void read_answers(const Wbs& wbs, const json::value& durations, EstimateSet& set) {
  if (!durations.is_array()) return;
  std::map<std::string, const WbsNode*, std::less<>> by_ref;
  const auto by_id = index_wbs(wbs);
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode*) { by_ref.emplace(node.ref, &node); });
  for (const json::value& entry : durations.get_array()) {
    const std::string id = text(entry, "task_id");
    auto node = by_id.find(id);
    if (node == by_id.end()) node = by_ref.find(id);
    if (node == by_ref.end() || node->second->level == kWbsSubtask || node->second->level == kWbsProject) {
      set.findings.push_back({"unknown_id", id, fmt::format("An estimate names \"{}\", which is no task.", id)});
      continue;
    }
    if (const auto estimate = read_estimate(entry, set, *node->second)) set.by_id.emplace(node->second->id, *estimate);
  }
}

}  // namespace

Result<EstimateSet> estimates_for(const Wbs& wbs, const json::value& durations) {
  EstimateSet set;
  read_answers(wbs, durations, set);
  const auto activities = activities_of(wbs);
  const std::vector<Estimate> all = known_of(activities, set);
  if (all.empty())
    return fail(ErrorCode::TaskFailed, "Schedule: no task has a duration estimate; run estimate_task_durations again.");
  for (const WbsNode& phase : wbs.root.children) {
    std::vector<const WbsNode*> group;
    for (const WbsNode& task : phase.children) group.push_back(&task);
    if (group.empty()) group.push_back(&phase);
    derive(group, all, set);
  }
  return set;
}

}  // namespace planexe::plan
