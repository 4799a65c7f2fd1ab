// What code computes of the structure: the trees, the schedule and the report.
#include <fmt/format.h>

#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/builtins/groups.hpp"
#include "plan/gantt.hpp"
#include "plan/report.hpp"
#include "plan/schedule.hpp"

namespace planexe::plan {
namespace {

Result<BuiltinResult> wbs_tree(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs,
                     build_wbs(read(in, "create_wbs_level1.clean"), read(in, "create_wbs_level2.clean")));
  BuiltinResult result;
  result.outputs["tree"] = wbs_to_json(wbs);
  return result;
}

Result<BuiltinResult> wbs_full_tree(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(Wbs wbs, wbs_from_json(read(in, "wbs_project_level1_and_level2.tree")));
  BuiltinResult result;
  PLANEXE_TRY_ASSIGN(result.findings, attach_subtasks(wbs, read(in, "create_wbs_level3.clean")));
  result.outputs["tree"] = wbs_to_json(wbs);
  result.outputs["table"] = wbs_to_csv(wbs);
  return result;
}

// The plan's own calendar, when it has one: {"working_weekdays": [1..7], "holidays": ["YYYY-MM-DD"]}.
Result<Calendar> calendar_of(const BuiltinInput& in, Date start) {
  const json::value plan = in.plan;
  const json::value* calendar = find(plan, "calendar");
  if (calendar == nullptr || !calendar->is_object()) return Calendar(start);
  std::vector<int> weekdays;
  for (const json::value& weekday : list(*calendar, "working_weekdays"))
    weekdays.push_back(static_cast<int>(as_int(weekday).value_or(0)));
  if (weekdays.empty()) weekdays = {1, 2, 3, 4, 5};
  std::vector<Date> holidays;
  for (const json::value& holiday : list(*calendar, "holidays")) {
    PLANEXE_TRY_ASSIGN(const Date date,
                       parse_date(holiday.is_string() ? std::string_view(holiday.get_string()) : std::string_view()));
    holidays.push_back(date);
  }
  return Calendar::make(start, weekdays, std::move(holidays));
}

// A first day that the prompt states is obeyed when it is not in the past of the plan.
Result<Date> start_of(const BuiltinInput& in, const json::value& limits, std::vector<Finding>& findings) {
  PLANEXE_TRY_ASSIGN(const Date start, parse_date(text(in.plan, "start_date")));
  const auto stated = stated_start(limits);
  if (!stated || *stated == start) return start;
  const bool later = *stated > start;
  findings.push_back(
      {"stated_start", "stated_limits",
       later ? fmt::format("The schedule begins on {}, as the prompt states, not on {}.", format_date(*stated),
                           format_date(start))
             : fmt::format("The prompt states the start {}; the schedule begins on {}, the start of the plan.",
                           format_date(*stated), format_date(start))});
  return later ? *stated : start;
}

void add_findings(const Schedule& schedule, std::vector<Finding>& findings) {
  for (const std::string& warning : schedule.warnings) findings.push_back({"schedule_warning", "schedule", warning});
  for (const RejectedLink& link : schedule.rejected_links)
    findings.push_back({"rejected_link", "links",
                        fmt::format("The link {} from {} to {} was dropped: {}.", to_string(link.type), link.from,
                                    link.to, link.reason)});
  if (schedule.horizon.result == HorizonResult::overshoots)
    findings.push_back({"horizon", "horizon",
                        fmt::format("The computed finish {} is {} days after the stated end {} (\"{}\").",
                                    format_date(schedule.lengths.finish_date), schedule.horizon.distance_days,
                                    format_date(*schedule.horizon.target), schedule.horizon.quote)});
}

Result<BuiltinResult> schedule(const BuiltinInput& in) {
  const json::value* limits = find(read(in, "identify_purpose.raw"), "stated_limits");
  const json::value stated = limits == nullptr ? json::value(nullptr) : *limits;
  BuiltinResult result;
  PLANEXE_TRY_ASSIGN(const Wbs wbs, wbs_from_json(read(in, "wbs_project_level1_and_level2_and_level3.tree")));
  PLANEXE_TRY_ASSIGN(const Date start, start_of(in, stated, result.findings));
  PLANEXE_TRY_ASSIGN(Calendar calendar, calendar_of(in, start));
  const json::value* intake = in.plan.if_contains("intake");
  PLANEXE_TRY_ASSIGN(
      const Schedule made,
      make_schedule({wbs, read(in, "estimate_task_durations.clean"), read(in, "identify_task_dependencies.raw"),
                     std::move(calendar), stated, intake == nullptr ? json::value(nullptr) : *intake}));
  const json::value& named = read(in, "create_wbs_level1.title");
  const std::string title = named.is_string() ? std::string(std::string_view(named.get_string())) : wbs.root.title;
  result.outputs["mermaid"] = gantt_overview_page(made, title);
  result.outputs["interactive"] = gantt_interactive_page(made, &wbs, title);
  result.outputs["csv"] = gantt_csv(made, &wbs);
  result.outputs["schedule"] = schedule_to_json(made);
  add_findings(made, result.findings);
  return result;
}

Result<BuiltinResult> report(const BuiltinInput& in) {
  ReportSource source{in.plan, in.reads, in.statuses};
  Report made = make_report(source);
  BuiltinResult result;
  result.outputs["html"] = std::move(made.html);
  result.view =
      json::object{{"complete", made.complete}, {"title", made.title}, {"quality", quality_to_json(made.quality)}};
  result.degraded = !made.complete;
  for (const ReportSection& section : made.sections)
    if (!section.present) result.findings.push_back({"missing_section", section.id, section.gap});
  return result;
}

}  // namespace

void register_structure(BuiltinMap& map) {
  map.emplace("wbs_tree", wbs_tree);
  map.emplace("wbs_full_tree", wbs_full_tree);
  map.emplace("schedule", schedule);
  map.emplace("report", report);
}

}  // namespace planexe::plan
