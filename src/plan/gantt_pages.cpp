#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/gantt.hpp"
#include "plan/html.hpp"

namespace planexe::plan {
namespace {

std::string mermaid_label(std::string_view title) {
  std::string label;
  for (const char c : trim(title)) {
    if (std::string_view(":[]{}|\"'#;,%").find(c) != std::string_view::npos) {
      label += fmt::format("#{};", static_cast<int>(c));
    } else {
      label += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    }
  }
  return label;
}

HtmlPage page_with(std::string_view title, std::string_view heading) {
  HtmlPage page;
  page.title = fmt::format("{}: {}", title, heading);
  page.style = fmt::format("{}\n{}", asset("theme.css"), asset("gantt.css"));
  page.body =
      fmt::format("<main class=\"sheet\">\n<h1>{}</h1>\n<p class=\"muted\">{}</p>\n", escape_html(title), heading);
  return page;
}

}  // namespace

std::string gantt_mermaid_text(const Schedule& schedule) {
  std::string text = "gantt\n    dateFormat  YYYY-MM-DD\n    axisFormat  %d %b\n    todayMarker off\n";
  for (const Activity& row : schedule.activities) {
    const std::string start = format_date(row.start_date);
    if (row.level == kWbsPhase && row.kind != ActivityKind::milestone)
      text += fmt::format("    section {}\n", mermaid_label(row.title));
    if (row.kind == ActivityKind::task)
      text += fmt::format("    {} :{}, {}d\n", mermaid_label(row.title), start,
                          days_between(row.start_date, row.finish_date) + 1);
    if (row.kind == ActivityKind::milestone)
      text += fmt::format("    {} :milestone, {}, 0d\n", mermaid_label(row.title), start);
  }
  return text;
}

std::string gantt_overview_page(const Schedule& schedule, std::string_view title) {
  HtmlPage page = page_with(title, "Gantt overview");
  page.body += gantt_overview_html(schedule);
  page.body += fmt::format(
      "<details><summary>The same as Mermaid text</summary>\n<pre class=\"mermaid\">{}</pre></details>\n</main>\n",
      escape_html(gantt_mermaid_text(schedule)));
  return render_page(page);
}

std::string gantt_interactive_page(const Schedule& schedule, const Wbs* wbs, std::string_view title) {
  HtmlPage page = page_with(title, "Gantt chart");
  page.body += gantt_chart_html(schedule, gantt_data(schedule, wbs, {.tooltips = true}));
  page.body += "</main>\n";
  page.script = asset("gantt.js");
  return render_page(page);
}

}  // namespace planexe::plan
