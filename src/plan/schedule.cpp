#include "plan/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/schedule_coverage.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::pair<ActivityKind, std::string_view>, 4> kKinds{{
    {ActivityKind::summary, "summary"},
    {ActivityKind::task, "task"},
    {ActivityKind::subtask, "subtask"},
    {ActivityKind::milestone, "milestone"},
}};

class Builder {
 public:
  Builder(const ScheduleInput& input, EstimateSet estimates)
      : input_(input),
        estimates_(std::move(estimates)),
        activities_(activities_of(input.wbs)),
        schedule_(input.calendar) {}

  Schedule run() {
    CheckedLinks checked = check_links(input_.wbs, links_from_json(input_.dependencies));
    solve(checked);
    schedule_.links = std::move(checked.links);
    schedule_.rejected_links = std::move(checked.rejected);
    add_earlier_rejections();
    add_subtree(input_.wbs.root, nullptr);
    add_milestone();
    set_dates();
    schedule_.horizon = compare_horizon(horizon_statements(input_.stated_limits, input_.intake, schedule_.calendar),
                                        schedule_.lengths.finish_date);
    schedule_.coverage = coverage_of(input_.wbs, schedule_.links, answered_tasks(input_.dependencies));
    schedule_.coverage.derived_estimates = static_cast<int>(estimates_.derived.size());
    schedule_.warnings = schedule_warnings(input_.wbs, schedule_, estimates_);
    return std::move(schedule_);
  }

 private:
  void solve(CheckedLinks& checked) {
    Network network;
    for (const WbsNode* activity : activities_)
      network.durations.push_back(estimates_.by_id.at(activity->id).realistic);
    network.links = checked.network;
    const CpmResult result = solve_network(network);
    for (std::size_t i = 0; i < checked.links.size(); ++i) checked.links[i].driving = result.driving[i];
    for (const std::size_t position : result.path) schedule_.critical_path.push_back(activities_[position]->id);
    for (std::size_t i = 0; i < activities_.size(); ++i) times_[activities_[i]] = result.times[i];
    schedule_.lengths.critical_days = result.length;
    for (const int days : network.durations) schedule_.lengths.chained_days += days;
  }

  // Links that were dropped when the answers were joined are stored beside them.
  void add_earlier_rejections() {
    for (const json::value& link : list(input_.dependencies, "rejected_links"))
      schedule_.rejected_links.push_back({text(link, "from"), text(link, "to"),
                                          link_type_from(text(link, "type")).value_or(LinkType::FS),
                                          text(link, "reason")});
  }

  // Returns the position of the added activity.
  std::size_t add_subtree(const WbsNode& node, const WbsNode* parent) {
    const std::size_t position = schedule_.activities.size();
    schedule_.activities.push_back(base_row(node, parent));
    if (const auto times = times_.find(&node); times != times_.end()) {
      fill_task(schedule_.activities[position], times->second);
      add_subtasks(node, position);
    } else {
      std::vector<std::size_t> children;
      for (const WbsNode& child : node.children) children.push_back(add_subtree(child, &node));
      fill_summary(position, children);
    }
    return position;
  }

  Activity base_row(const WbsNode& node, const WbsNode* parent) const {
    Activity row;
    row.id = node.id;
    row.ref = node.ref;
    row.parent_id = parent == nullptr ? "" : parent->id;
    row.level = node.level;
    row.title = node.title;
    if (const auto estimate = estimates_.by_id.find(node.id); estimate != estimates_.by_id.end())
      row.estimate = estimate->second;
    return row;
  }

  static void fill_task(Activity& row, const ActivityTimes& times) {
    row.kind = ActivityKind::task;
    row.duration_days = times.ef - times.es;
    row.es = times.es;
    row.ef = times.ef;
    row.ls = times.ls;
    row.lf = times.lf;
    row.total_float = times.total_float;
    row.free_float = times.free_float;
    row.critical = times.critical;
  }

  void add_subtasks(const WbsNode& task, std::size_t task_position) {
    const Activity owner = schedule_.activities[task_position];
    const int count = static_cast<int>(task.children.size());
    for (int k = 0; k < count; ++k) {
      const auto [begin, end] = subtask_days(k, count, owner.duration_days);
      Activity row = base_row(task.children[static_cast<std::size_t>(k)], &task);
      row.kind = ActivityKind::subtask;
      row.duration_days = end - begin;
      row.es = owner.es + begin;
      row.ef = owner.es + end;
      row.ls = owner.ls + begin;
      row.lf = owner.ls + end;
      row.total_float = owner.total_float;
      row.free_float = owner.free_float;
      row.critical = owner.critical;
      schedule_.activities.push_back(std::move(row));
    }
  }

  // A summary has no time of its own: it spans its children, moves as little as the tightest and is critical with any.
  void fill_summary(std::size_t position, const std::vector<std::size_t>& children) {
    Activity& row = schedule_.activities[position];
    row.kind = ActivityKind::summary;
    if (children.empty()) return;
    const auto of = [this, &children](auto choose, int Activity::* part) {
      int value = schedule_.activities[children.front()].*part;
      for (const std::size_t child : children) value = choose(value, schedule_.activities[child].*part);
      return value;
    };
    const auto low = [](int a, int b) { return std::min(a, b); };
    const auto high = [](int a, int b) { return std::max(a, b); };
    row.es = of(low, &Activity::es);
    row.ef = of(high, &Activity::ef);
    row.ls = of(low, &Activity::ls);
    row.lf = of(high, &Activity::lf);
    row.total_float = of(low, &Activity::total_float);
    row.free_float = of(low, &Activity::free_float);
    row.duration_days = row.ef - row.es;
    row.critical = row.total_float == 0;
  }

  void add_milestone() {
    const WbsNode& root = input_.wbs.root;
    Activity row;
    row.id = root.id + "/finish";
    row.parent_id = root.id;
    row.level = kWbsPhase;
    row.kind = ActivityKind::milestone;
    row.title = root.final_deliverable.empty() ? root.title : root.final_deliverable;
    row.es = row.ef = row.ls = row.lf = schedule_.lengths.critical_days;
    row.critical = true;
    schedule_.activities.push_back(std::move(row));
  }

  void set_dates() {
    const Calendar& calendar = schedule_.calendar;
    for (Activity& row : schedule_.activities) {
      const int last = std::max(row.ef - 1, 0);
      row.start_date = calendar.date_of_day(std::min(row.es, last));
      row.finish_date = calendar.date_of_day(last);
    }
    schedule_.lengths.finish_date = calendar.date_of_day(std::max(schedule_.lengths.critical_days - 1, 0));
    schedule_.lengths.chained_finish_date = calendar.date_of_day(std::max(schedule_.lengths.chained_days - 1, 0));
  }

  const ScheduleInput& input_;
  EstimateSet estimates_;
  std::vector<const WbsNode*> activities_;
  std::map<const WbsNode*, ActivityTimes> times_;
  Schedule schedule_;
};

}  // namespace

std::string_view to_string(ActivityKind kind) { return kKinds[static_cast<std::size_t>(kind)].second; }

std::optional<ActivityKind> activity_kind_from(std::string_view name) {
  for (const auto& [kind, text] : kKinds)
    if (text == name) return kind;
  return std::nullopt;
}

std::pair<int, int> subtask_days(int index, int count, int days) {
  const auto at = [&](int k) { return static_cast<int>(static_cast<std::int64_t>(k) * days / count); };
  const int begin = at(index);
  return {begin, std::min(std::max(begin + 1, at(index + 1)), days)};
}

Result<Schedule> make_schedule(const ScheduleInput& input) {
  if (activities_of(input.wbs).empty()) return fail(ErrorCode::TaskFailed, "Schedule: the work breakdown has no task.");
  PLANEXE_TRY_ASSIGN(EstimateSet estimates, estimates_for(input.wbs, input.durations));
  return Builder(input, std::move(estimates)).run();
}

const Activity* find_activity(const Schedule& schedule, std::string_view id) {
  const auto found = std::ranges::find(schedule.activities, id, &Activity::id);
  return found == schedule.activities.end() ? nullptr : &*found;
}

}  // namespace planexe::plan
