#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/cpm.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {

/// Lags and durations beyond forty working years are slips of a model.
inline constexpr int kDaysMax = 10'000;
/// Links after phases stand for their tasks. Real plans have below 100; more costs time in the search for cycles.
inline constexpr std::size_t kLinksMax = 20'000;

/// A link as it was answered: ids (or refs) of tasks or phases.
struct LinkRequest {
  std::string from;  ///< predecessor
  std::string to;    ///< the one that waits
  LinkType type = LinkType::FS;
  int lag_days = 0;
  std::string explanation;
};

/// A link of the schedule, between activities.
struct ScheduleLink {
  std::string from;
  std::string to;
  LinkType type = LinkType::FS;
  int lag_days = 0;
  std::string explanation;
  bool driving = false;
  bool operator==(const ScheduleLink&) const = default;
};

struct RejectedLink {
  std::string from;
  std::string to;
  LinkType type = LinkType::FS;
  std::string reason;  ///< unknown_id, self_link, own_phase, lag_out_of_range, too_many, duplicate or cycle
  bool operator==(const RejectedLink&) const = default;
};

/// The activities of a tree in WBS order: its tasks, and phases without tasks. Points into `wbs`.
std::vector<const WbsNode*> activities_of(const Wbs& wbs);

struct CheckedLinks {
  std::vector<ScheduleLink> links;   ///< by WBS order of the waiting activity, then of its predecessor, then type
  std::vector<NetworkLink> network;  ///< the same links, by position in activities_of
  std::vector<RejectedLink> rejected;
};

/// Checks links in the order: unknown id, self-link, task to its own phase, lag, duplicate (the larger lag stays),
/// cycle (in each strongly connected set the link that reaches furthest back in WBS order goes, ties by ids, until none
/// is left). A phase stands for all its tasks. The result does not depend on the order of `requests`.
CheckedLinks check_links(const Wbs& wbs, std::vector<LinkRequest> requests);

/// The links of 021: {"task_dependency_details": [{dependent_task_id, depends_on_task_id_list,
/// depends_on_task_explanation_list, depends_on_task_type_list, depends_on_task_lag_days_list}]}; a missing type is FS,
/// a missing lag 0.
std::vector<LinkRequest> links_from_json(const json::value& dependencies);

/// The ids of the tasks that have an answer in 021, with or without predecessors.
std::vector<std::string> answered_tasks(const json::value& dependencies);

}  // namespace planexe::plan
