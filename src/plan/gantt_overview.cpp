#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "plan/gantt.hpp"
#include "plan/gantt_text.hpp"
#include "plan/html.hpp"
#include "plan/time_axis.hpp"

namespace planexe::plan {
namespace {

void figure(std::string& html, std::string_view label, std::string_view value, std::string_view note) {
  html += fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>\n", label, escape_html(value),
                      note.empty() ? "" : fmt::format(" <span>{}</span>", escape_html(note)));
}

std::string horizon_value(const Horizon& horizon) {
  switch (horizon.result) {
    case HorizonResult::not_stated: return "not stated";
    case HorizonResult::unclear: return "unclear";
    case HorizonResult::fits: return "fits";
    case HorizonResult::overshoots: return fmt::format("{} late", days_text(horizon.distance_days));
  }
  return "unclear";
}

std::string horizon_note(const Horizon& horizon) {
  if (horizon.result == HorizonResult::not_stated) return "the prompt names no end";
  if (horizon.result == HorizonResult::unclear) return fmt::format("“{}”", horizon.quote);
  return fmt::format("“{}” is {}", horizon.quote, format_date(*horizon.target));
}

void figures(std::string& html, const Schedule& schedule) {
  const ScheduleLengths& lengths = schedule.lengths;
  const ScheduleCoverage& coverage = schedule.coverage;
  html += "<dl class=\"figures\">\n";
  figure(html, "Start", format_date(schedule.calendar.start()), "");
  figure(html, "Computed finish", format_date(lengths.finish_date), working_days_text(lengths.critical_days));
  figure(html, "One after the other", format_date(lengths.chained_finish_date),
         working_days_text(lengths.chained_days));
  figure(html, "Stated horizon", horizon_value(schedule.horizon), horizon_note(schedule.horizon));
  figure(html, "Tasks", std::to_string(coverage.tasks),
         fmt::format("{} on the critical path", schedule.critical_path.size()));
  figure(html, "Links", std::to_string(schedule.links.size()),
         fmt::format("{} of {} tasks answered", coverage.answered, coverage.tasks));
  html += "</dl>\n";
}

void lane(std::string& html, const Schedule& schedule, const TimeAxis& axis, const Activity& phase) {
  html += fmt::format(
      "<div class=\"o-name\"><span class=\"ref\">{}</span> {}</div><div class=\"o-lane\"><svg width=\"100%\" "
      "height=\"30\" role=\"img\" aria-label=\"{} to {}\">",
      phase.ref, escape_html(phase.title), format_date(phase.start_date), format_date(phase.finish_date));
  for (const TimeAxis::Tick& tick : axis.ticks())
    html += fmt::format("<line class=\"month\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"100%\"/>", percent(tick.at));
  const double from = axis.at(phase.start_date);
  html += fmt::format("<rect class=\"sum\" x=\"{}\" y=\"5\" width=\"{}\" height=\"4\"/>", percent(from),
                      percent(std::max(axis.after(phase.finish_date) - from, 0.2)));
  for (const Activity& task : schedule.activities) {
    if (task.kind != ActivityKind::task || (task.parent_id != phase.id && task.id != phase.id)) continue;
    const double begin = axis.at(task.start_date);
    html += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"13\" width=\"{}\" height=\"10\"><title>{} {}: {} to {}</title></rect>",
        task.critical ? "crit" : "task", percent(begin), percent(std::max(axis.after(task.finish_date) - begin, 0.2)),
        task.ref, escape_html(task.title), format_date(task.start_date), format_date(task.finish_date));
  }
  if (axis.target())
    html += fmt::format("<line class=\"target\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"100%\"/>",
                        percent(axis.after(*axis.target())));
  html += "</svg></div>\n";
}

void lanes(std::string& html, const Schedule& schedule) {
  const TimeAxis axis(schedule);
  html += "<div class=\"overview\">\n";
  for (const Activity& row : schedule.activities)
    if (row.level == kWbsPhase && row.kind != ActivityKind::milestone) lane(html, schedule, axis, row);
  html += "<div class=\"o-name\"></div><div class=\"o-axis\"><svg width=\"100%\" height=\"18\" aria-hidden=\"true\">";
  double free_from = 0;
  for (const TimeAxis::Tick& tick : axis.ticks()) {
    if (tick.at < free_from || tick.at > 92) continue;
    html += fmt::format("<svg x=\"{}\" overflow=\"visible\"><text x=\"2\" y=\"13\">{}</text></svg>", percent(tick.at),
                        tick.label);
    free_from = tick.at + (tick.label.size() > 3 ? 13 : 8);
  }
  html += "</svg></div>\n</div>\n";
}

void phase_table(std::string& html, const Schedule& schedule) {
  html +=
      "<div class=\"table\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Phase</th><th "
      "scope=\"col\">Start</th><th scope=\"col\">Finish</th>"
      "<th scope=\"col\" class=\"right\">Working days</th><th scope=\"col\" class=\"right\">Tasks</th><th "
      "scope=\"col\" class=\"right\">Critical</th>"
      "<th scope=\"col\" class=\"right\">Float</th></tr></thead><tbody>\n";
  for (const Activity& phase : schedule.activities) {
    if (phase.level != kWbsPhase || phase.kind == ActivityKind::milestone) continue;
    const auto count = [&](bool critical_only) {
      return std::ranges::count_if(schedule.activities, [&](const Activity& row) {
        return row.kind == ActivityKind::task && (row.parent_id == phase.id || row.id == phase.id) &&
               (row.critical || !critical_only);
      });
    };
    html += fmt::format(
        "<tr><td>{} {}</td><td class=\"nowrap\">{}</td><td class=\"nowrap\">{}</td><td class=\"right\">{}</td><td "
        "class=\"right\">{}</td><td "
        "class=\"right\">{}</td><td class=\"right\">{}</td></tr>\n",
        phase.ref, escape_html(phase.title), format_date(phase.start_date), format_date(phase.finish_date),
        phase.duration_days, count(false), count(true), phase.total_float);
  }
  html += "</tbody></table></div>\n";
}

void warnings(std::string& html, const Schedule& schedule) {
  if (schedule.warnings.empty()) return;
  html += "<ul class=\"warnings\">\n";
  for (const std::string& warning : schedule.warnings) html += fmt::format("<li>{}</li>\n", escape_html(warning));
  html += "</ul>\n";
}

}  // namespace

std::string gantt_overview_html(const Schedule& schedule) {
  std::string html;
  figures(html, schedule);
  lanes(html, schedule);
  warnings(html, schedule);
  phase_table(html, schedule);
  return html;
}

}  // namespace planexe::plan
