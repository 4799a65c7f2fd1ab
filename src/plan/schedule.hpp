#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/calendar.hpp"
#include "plan/estimates.hpp"
#include "plan/horizon.hpp"
#include "plan/schedule_links.hpp"

namespace planexe::plan {

enum class ActivityKind { summary, task, subtask, milestone };
std::string_view to_string(ActivityKind kind);
std::optional<ActivityKind> activity_kind_from(std::string_view name);

/// A row of the schedule. Days are working days from 0; the activity covers [es, ef). Dates are inclusive.
struct Activity {
  std::string id;
  std::string ref;        ///< position in the WBS, "2.4"; "" for the project and the milestone
  std::string parent_id;  ///< "" for the project
  int level = kWbsProject;
  ActivityKind kind = ActivityKind::task;
  std::string title;
  int duration_days = 0;
  int es = 0, ef = 0, ls = 0, lf = 0;
  int total_float = 0, free_float = 0;
  bool critical = false;
  Date start_date{};
  Date finish_date{};
  std::optional<Estimate> estimate;
  bool operator==(const Activity&) const = default;
};

struct ScheduleLengths {
  int critical_days = 0;  ///< along the longest chain of links
  int chained_days = 0;   ///< all tasks one after another: the pessimistic end
  Date finish_date{};     ///< of the critical length
  Date chained_finish_date{};
  bool operator==(const ScheduleLengths&) const = default;
};

/// How much of the network was answered; a sparse network makes the critical length too short.
struct ScheduleCoverage {
  int tasks = 0;
  int answered = 0;
  std::vector<std::string> without_answer;   ///< ids of tasks
  std::vector<std::string> without_links;    ///< ids of tasks that neither wait nor are waited for
  std::vector<std::string> isolated_phases;  ///< ids of phases without a link to another phase
  int open_starts = 0;                       ///< tasks that wait for nothing
  int open_ends = 0;                         ///< tasks that nothing waits for
  int derived_estimates = 0;
  bool operator==(const ScheduleCoverage&) const = default;
};

/// The content of 026-4-schedule.json: everything that Gantt views, exports and later prompts show.
struct Schedule {
  explicit Schedule(Calendar plan_calendar) : calendar(std::move(plan_calendar)) {}

  Calendar calendar;                 ///< its start is the project start
  std::vector<Activity> activities;  ///< in WBS pre-order; the final milestone is last
  std::vector<ScheduleLink> links;
  std::vector<RejectedLink> rejected_links;
  std::vector<std::string> critical_path;  ///< ids
  ScheduleLengths lengths;
  Horizon horizon;
  ScheduleCoverage coverage;
  std::vector<std::string> warnings;  ///< one sentence each
  bool operator==(const Schedule&) const = default;
};

/// What a schedule is computed from.
struct ScheduleInput {
  const Wbs& wbs;
  const json::value& durations;     ///< 022-2
  const json::value& dependencies;  ///< 021
  Calendar calendar;
  json::value stated_limits;  ///< [{kind, quote, value}] or null
  json::value intake;         ///< the intake form or null
};

/// Computes the schedule: links checked, critical path method over tasks, summaries, subtasks laid out inside their
/// tasks, dates, horizon, coverage. Error (TASK_FAILED): no task or no estimate.
Result<Schedule> make_schedule(const ScheduleInput& input);

/// The days of subtask `index` (from 0) of `count` inside a task of `days` days: [first, second).
std::pair<int, int> subtask_days(int index, int count, int days);

json::value schedule_to_json(const Schedule& schedule);

/// Reads schedule_to_json's form. Error (TASK_FAILED): a field is missing or of the wrong kind; the message names it.
Result<Schedule> schedule_from_json(const json::value& value);

/// The activity with that id, or null.
const Activity* find_activity(const Schedule& schedule, std::string_view id);

}  // namespace planexe::plan
