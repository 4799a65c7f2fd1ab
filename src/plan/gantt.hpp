#pragma once

#include <string>

#include "base/json.hpp"
#include "plan/schedule.hpp"

namespace planexe::plan {

/// What the data of a Gantt chart holds beside dates and floats.
struct GanttDataOptions {
  bool tooltips = false;  ///< custom_tooltip as HTML, for widgets that want it
};

/// {tasks, links} in the shape that common Gantt widgets read, with own members beside: ref, kind, finish_date,
/// working_days, total_float, critical, details, resources, estimate. Order of rows as in the schedule. `wbs` may be
/// null: then descriptions and resources are missing.
json::value gantt_data(const Schedule& schedule, const Wbs* wbs, const GanttDataOptions& options = {});

/// The chart as HTML and SVG: names beside bars for phases, tasks and subtasks, critical path, float, links, months,
/// the stated end, the final milestone. Readable without script; with gantt.js it zooms, unfolds and shows details.
/// `data` is gantt_data of the same schedule.
std::string gantt_chart_html(const Schedule& schedule, const json::value& data);

/// The short picture: the figures of the schedule, one bar per phase with its tasks in it, and a table of phases.
std::string gantt_overview_html(const Schedule& schedule);

/// Mermaid text: a section per phase, a line per task, the final milestone. Characters with a meaning in Mermaid are
/// written as its entities.
std::string gantt_mermaid_text(const Schedule& schedule);

/// 026-1: a self-contained page with the overview and the Mermaid text.
std::string gantt_overview_page(const Schedule& schedule, std::string_view title);

/// 026-2: a self-contained page with the chart; the data is in <script type="application/json" id="gantt-data">.
std::string gantt_interactive_page(const Schedule& schedule, const Wbs* wbs, std::string_view title);

/// 026-3: the machai CSV. Rows by start, parents before children, names made unique, dates M/D/YYYY, end exclusive.
std::string gantt_csv(const Schedule& schedule, const Wbs* wbs);

/// A Microsoft Project XML file: summaries, tasks, subtasks and links. Durations in working hours, lags in tenths of a
/// minute, as that format counts them.
std::string ms_project_xml(const Schedule& schedule, std::string_view title);

}  // namespace planexe::plan
