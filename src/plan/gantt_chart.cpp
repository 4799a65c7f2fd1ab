#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "plan/gantt.hpp"
#include "plan/gantt_text.hpp"
#include "plan/html.hpp"
#include "plan/time_axis.hpp"

namespace planexe::plan {
namespace {

// gantt.css and gantt.js have the same height.
constexpr int kRowHeight = 26;
constexpr int kAxisHeight = 28;
// Labels closer than this share of the width would run into each other in a chart of common width.
constexpr double kTickRoom = 6.5;
constexpr double kLabelRoom = 10.0;

struct Row {
  const Activity* activity = nullptr;
  bool shown = true;  // without script; subtasks are folded away
  int y = 0;
};

class Chart {
 public:
  Chart(const Schedule& schedule, const json::value& data) : schedule_(schedule), axis_(schedule), data_(data) {
    for (const Activity& activity : schedule.activities) {
      const bool shown = activity.kind != ActivityKind::subtask && activity.level != kWbsProject;
      positions_.emplace(activity.id, rows_.size());
      rows_.push_back({&activity, shown, height_});
      if (shown) height_ += kRowHeight;
    }
  }

  std::string html() {
    out_ += "<div class=\"gantt\" data-gantt>\n";
    tools();
    out_ +=
        "<div class=\"g-frame\" tabindex=\"0\" role=\"region\" aria-label=\"Gantt chart, scrolls\"><div "
        "class=\"g-inner\">\n";
    out_ += "<div class=\"g-corner\">Phase, task</div>\n";
    axis();
    names();
    plot();
    out_ += "</div></div>\n";
    legend();
    out_ += "<div class=\"g-detail\" hidden></div>\n";
    out_ += fmt::format("<script type=\"application/json\" id=\"gantt-data\">{}</script>\n</div>\n",
                        json_for_script(data_));
    return std::move(out_);
  }

 private:
  void tools() {
    out_ +=
        "<div class=\"g-tools\" hidden>"
        "<span class=\"group\" role=\"group\" aria-label=\"Zoom\"><button type=\"button\" data-zoom=\"out\" "
        "aria-label=\"Zoom out\">&minus;</button>"
        "<button type=\"button\" data-zoom=\"fit\">Fit</button>"
        "<button type=\"button\" data-zoom=\"in\" aria-label=\"Zoom in\">+</button></span>"
        "<span class=\"group\" role=\"group\" aria-label=\"Rows\"><button type=\"button\" "
        "data-rows=\"phases\">Phases</button>"
        "<button type=\"button\" data-rows=\"tasks\">Tasks</button><button type=\"button\" "
        "data-rows=\"all\">Subtasks</button></span>"
        "<span class=\"group\" role=\"group\" aria-label=\"Layers\"><button type=\"button\" data-layer=\"critical\" "
        "aria-pressed=\"true\">Critical path</button>"
        "<button type=\"button\" data-layer=\"float\" aria-pressed=\"true\">Float</button>"
        "<button type=\"button\" data-layer=\"links\" aria-pressed=\"true\">Links</button></span></div>\n";
  }

  void axis() {
    out_ += fmt::format("<div class=\"g-axis\"><svg width=\"100%\" height=\"{}\" aria-hidden=\"true\">", kAxisHeight);
    double free_from = -1;
    for (const TimeAxis::Tick& tick : axis_.ticks()) {
      const bool fits = tick.at >= free_from && tick.at < 97;
      out_ += fmt::format("<g class=\"tick\"><line x1=\"{0}\" x2=\"{0}\" y1=\"20\" y2=\"{1}\"/>", percent(tick.at),
                          kAxisHeight);
      out_ += fmt::format("<svg x=\"{}\" overflow=\"visible\"><text x=\"3\" y=\"18\"{}>{}</text></svg></g>",
                          percent(tick.at), fits ? "" : " display=\"none\"", tick.label);
      if (fits) free_from = tick.at + (tick.label.size() > 3 ? kLabelRoom : kTickRoom);
    }
    out_ += "</svg></div>\n";
  }

  void names() {
    out_ += "<div class=\"g-names\">\n";
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Activity& activity = *rows_[i].activity;
      if (activity.level == kWbsProject) continue;
      const bool parent = i + 1 < rows_.size() && rows_[i + 1].activity->parent_id == activity.id;
      out_ += fmt::format("<div class=\"n k-{}{}\" data-i=\"{}\"{}>", to_string(activity.kind),
                          activity.critical ? " crit" : "", i, rows_[i].shown ? "" : " hidden");
      if (parent)
        out_ += fmt::format(
            "<button type=\"button\" class=\"g-fold\" aria-expanded=\"{}\" aria-label=\"Show or hide what is "
            "below\"></button>",
            activity.kind == ActivityKind::summary ? "true" : "false");
      out_ += fmt::format("<button type=\"button\" class=\"g-name\" title=\"{}\">{}{}</button></div>\n",
                          escape_html(activity.title),
                          activity.ref.empty() ? "" : fmt::format("<span class=\"ref\">{}</span> ", activity.ref),
                          escape_html(activity.title));
    }
    out_ += "</div>\n";
  }

  void plot() {
    out_ += fmt::format(
        "<div class=\"g-plot\"><svg width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"Bars from {} to {}\">\n",
        height_, format_date(schedule_.calendar.start()), format_date(schedule_.lengths.finish_date));
    out_ +=
        "<defs><marker id=\"g-arrow\" viewBox=\"0 0 6 6\" refX=\"5\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" "
        "orient=\"auto\">"
        "<path d=\"M0 0 6 3 0 6z\"/></marker></defs>\n<g class=\"months\">";
    for (const TimeAxis::Tick& tick : axis_.ticks())
      out_ += fmt::format("<line x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"100%\"/>", percent(tick.at));
    out_ += "</g>\n<g class=\"rows\">\n";
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (rows_[i].activity->level != kWbsProject) bar(i);
    out_ += "</g>\n<g class=\"links\">\n";
    for (const ScheduleLink& link : schedule_.links) connection(link);
    out_ += "</g>\n";
    if (axis_.target())
      out_ += fmt::format(
          "<g class=\"target\"><line x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"100%\"/><title>Stated end: {1}</title></g>\n",
          percent(axis_.after(*axis_.target())), format_date(*axis_.target()));
    out_ += "</svg></div>\n";
  }

  // Upper edge and height in the row.
  static std::pair<int, int> bar_place(ActivityKind kind) {
    if (kind == ActivityKind::summary) return {8, 5};
    return kind == ActivityKind::subtask ? std::pair(9, 8) : std::pair(6, 14);
  }

  std::string title_of(const Activity& activity) const {
    return fmt::format("<title>{}\n{} to {}, {}{}</title>", escape_html(activity.title),
                       format_date(activity.start_date), format_date(activity.finish_date),
                       working_days_text(activity.duration_days),
                       activity.critical ? ", critical" : fmt::format(", float {}", days_text(activity.total_float)));
  }

  void bar(std::size_t index) {
    const Row& row = rows_[index];
    const Activity& activity = *row.activity;
    out_ +=
        fmt::format("<g class=\"r k-{}{}\" data-i=\"{}\" transform=\"translate(0 {})\"{}>", to_string(activity.kind),
                    activity.critical ? " crit" : "", index, row.y, row.shown ? "" : " display=\"none\"");
    const double from = axis_.at(activity.start_date);
    const double to = axis_.after(activity.finish_date);
    if (activity.kind == ActivityKind::milestone) {
      out_ += fmt::format("<svg x=\"{}\" y=\"13\" overflow=\"visible\"><path d=\"M-7 0 0-7 7 0 0 7z\"/></svg>",
                          percent(to));
    } else {
      if (!activity.critical && activity.kind == ActivityKind::task) float_bar(activity, to);
      const auto [y, height] = bar_place(activity.kind);
      out_ += fmt::format("<rect x=\"{}\" width=\"{}\" y=\"{}\" height=\"{}\" rx=\"2\"/>", percent(from),
                          percent(std::max(to - from, 0.05)), y, height);
    }
    out_ += title_of(activity) + "</g>\n";
  }

  void float_bar(const Activity& activity, double from) {
    const double to = axis_.after(schedule_.calendar.date_of_day(std::max(activity.lf - 1, 0)));
    if (to > from)
      out_ +=
          fmt::format("<line class=\"slack\" x1=\"{}\" x2=\"{}\" y1=\"13\" y2=\"13\"/>", percent(from), percent(to));
  }

  // Down or up at the end that binds, then along to the end that is bound.
  void connection(const ScheduleLink& link) {
    const auto from = positions_.find(link.from);
    const auto to = positions_.find(link.to);
    if (from == positions_.end() || to == positions_.end()) return;
    const Activity& a = *rows_[from->second].activity;
    const Activity& b = *rows_[to->second].activity;
    const bool leaves_at_end = link.type == LinkType::FS || link.type == LinkType::FF;
    const bool enters_at_end = link.type == LinkType::FF || link.type == LinkType::SF;
    const std::string x1 = percent(leaves_at_end ? axis_.after(a.finish_date) : axis_.at(a.start_date));
    const std::string x2 = percent(enters_at_end ? axis_.after(b.finish_date) : axis_.at(b.start_date));
    const int y1 = rows_[from->second].y + kRowHeight / 2;
    const int y2 = rows_[to->second].y + kRowHeight / 2;
    const bool critical = link.driving && a.critical && b.critical;
    out_ += fmt::format("<g class=\"l{}\" data-f=\"{}\" data-t=\"{}\"><line x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                        critical ? " crit" : "", from->second, to->second, x1, x1, y1, y2);
    out_ += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\" marker-end=\"url(#g-arrow)\"/></g>\n", x1, x2,
                        y2, y2);
  }

  void legend() {
    out_ +=
        "<p class=\"g-legend\"><span class=\"key crit\"></span>critical path <span class=\"key\"></span>other task "
        "<span class=\"key slack\"></span>float <span class=\"key sum\"></span>phase";
    if (axis_.target())
      out_ += fmt::format(" <span class=\"key target\"></span>stated end {}", format_date(*axis_.target()));
    out_ += "</p>\n";
  }

  const Schedule& schedule_;
  TimeAxis axis_;
  const json::value& data_;
  std::vector<Row> rows_;
  std::map<std::string, std::size_t> positions_;
  int height_ = 0;
  std::string out_;
};

}  // namespace

std::string gantt_chart_html(const Schedule& schedule, const json::value& data) { return Chart(schedule, data).html(); }

}  // namespace planexe::plan
