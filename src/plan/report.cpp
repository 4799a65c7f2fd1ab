#include "plan/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/html.hpp"
#include "plan/report_notices.hpp"
#include "plan/report_sections.hpp"

namespace planexe::plan {
namespace {

constexpr std::size_t kTitleCharsMax = 120;
// A table of contents is for finding; deeper or longer lists hide what they list.
constexpr std::size_t kSubheadingsMax = 24;

std::string first_words(std::string_view prompt) {
  const std::string line = trim(prompt.substr(0, prompt.find('\n')));
  if (code_points(line) <= 70) return line;
  std::string cut = cut_code_points(line, 70);
  if (const std::size_t space = cut.find_last_of(' '); space != std::string::npos && space > 30) cut.resize(space);
  return cut + " …";
}

int top_level(const std::vector<MarkdownHeading>& headings) {
  int level = 6;
  for (const MarkdownHeading& heading : headings) level = std::min(level, heading.level);
  return level;
}

void contents_entry(std::string& html, std::string_view id, std::string_view title, bool gap,
                    const std::vector<MarkdownHeading>& headings) {
  html += fmt::format("<li><a href=\"#{}\"{}>{}</a>", id, gap ? " class=\"missing\" title=\"missing\"" : "",
                      escape_html(title));
  const int level = top_level(headings);
  std::size_t shown = 0;
  for (const MarkdownHeading& heading : headings) {
    if (heading.level != level || shown == kSubheadingsMax) continue;
    html += fmt::format("{}<li><a href=\"#{}\">{}</a></li>", shown++ == 0 ? "<ol>" : "", heading.id,
                        escape_html(cut_code_points(heading.text, 80)));
  }
  html += shown > 0 ? "</ol></li>\n" : "</li>\n";
}

std::string contents(std::string_view title, const std::vector<RenderedSection>& sections) {
  std::string html = fmt::format(
      "<nav class=\"contents\" aria-label=\"Contents\">\n<div class=\"nav-bar\"><a class=\"nav-title\" "
      "href=\"#top\">{}</a>"
      "<span class=\"nav-buttons\"><button type=\"button\" class=\"menu\" aria-expanded=\"false\" "
      "hidden>Contents</button>"
      "<button type=\"button\" class=\"theme\" hidden>Dark</button></span></div>\n"
      "<div class=\"find\" role=\"search\" hidden><input type=\"search\" placeholder=\"Find in the report\" "
      "aria-label=\"Find in the report\">"
      "<span class=\"find-count\" aria-live=\"polite\"></span></div>\n<ol class=\"toc\">\n",
      escape_html(title));
  for (const RenderedSection& section : sections)
    contents_entry(html, section.section.id, section.section.title, !section.section.present, section.headings);
  contents_entry(html, "quality", "Appendix: figures on quality", false, {});
  return html + "</ol>\n</nav>\n";
}

std::string part(std::string_view id, std::string_view number, std::string_view title, std::string_view kind,
                 std::string_view html) {
  return fmt::format(
      "<section class=\"part {}\" id=\"{}\" aria-labelledby=\"{}-h\">\n<h2 id=\"{}-h\"><span class=\"no\">{}</span> {} "
      "<a class=\"anchor\" href=\"#{}\" "
      "aria-label=\"Link to this section\">#</a></h2>\n<div class=\"body\" lang=\"\">\n{}</div>\n</section>\n",
      kind, id, id, id, number, escape_html(title), id, html);
}

std::string_view kind_class(SectionKind kind) {
  switch (kind) {
    case SectionKind::gantt_overview:
    case SectionKind::gantt_chart: return "wide";
    case SectionKind::wbs: return "wide tree";
    default: return "prose";
  }
}

std::string cover(const ReportSource& source, const ReportValues& values, std::string_view title,
                  const std::vector<ReportSection>& sections) {
  std::string meta;
  const auto add = [&](std::string_view label, std::string_view value) {
    if (!value.empty())
      meta += fmt::format("{}<span class=\"nowrap\">{}{} {}</span>", meta.empty() ? "" : " ", meta.empty() ? "" : "· ",
                          label, escape_html(value));
  };
  add("Project start", text(source.plan, "start_date"));
  add("Plan made", text(source.plan, "created_at").substr(0, 10));
  const std::string deliverable = values.wbs ? values.wbs->root.final_deliverable : std::string();
  return fmt::format(
      "<header class=\"cover\" id=\"top\">\n<h1>{}</h1>\n{}<p class=\"muted\">{}</p>\n{}</header>\n",
      escape_html(title),
      deliverable.empty() ? "" : fmt::format("<p class=\"deliverable\">{}</p>\n", escape_html(deliverable)), meta,
      notices_html(source, values, sections));
}

std::vector<QualitySection> quality_sections(const std::vector<RenderedSection>& sections, const ReportSource& source) {
  std::vector<QualitySection> list;
  for (const RenderedSection& rendered : sections) {
    QualitySection section{rendered.section.id, rendered.section.title, rendered.section.content,
                           rendered.section.present, true};
    section.prose = rendered.kind == SectionKind::markdown || rendered.kind == SectionKind::questions;
    if (rendered.kind == SectionKind::questions) {
      section.markdown.clear();
      for (const json::value& pair :
           planexe::plan::list(read_value(source, "questions_and_answers.raw"), "question_answer_pairs"))
        section.markdown += fmt::format("## {}\n\n{}\n\n", text(pair, "question"), text(pair, "answer"));
    }
    list.push_back(std::move(section));
  }
  return list;
}

std::string report_script() { return fmt::format("{}\n{}", asset("gantt.js"), asset("report.js")); }

}  // namespace

std::string report_script_hash() { return csp_hash(report_script()); }

std::string report_title(const ReportSource& source) {
  for (std::string title : {read_text(source, "create_wbs_level1.title"), text(source.plan, "title"),
                            first_words(text(source.plan, "prompt"))})
    if (title = trim(strip_control(title)); !title.empty())
      return cut_code_points(replace_all(title, "\n", " "), kTitleCharsMax);
  return "Plan";
}

Report make_report(const ReportSource& source) {
  Report report;
  report.title = report_title(source);
  const ReportValues values = report_values(source);
  report.sections = report_sections(source);
  report.complete = std::ranges::all_of(report.sections, &ReportSection::present);
  const std::vector<RenderedSection> rendered = render_sections(source, values, report.sections);
  report.quality = assess_quality(quality_sections(rendered, source), {text(source.plan, "prompt"), values.limits,
                                                                       values.schedule ? &*values.schedule : nullptr});

  HtmlPage page;
  page.title = report.title;
  page.style = fmt::format("{}\n{}\n{}", asset("theme.css"), asset("gantt.css"), asset("report.css"));
  page.script = report_script();
  page.body = "<a class=\"skip\" href=\"#executive-summary\">Skip to the text</a>\n<div class=\"layout\">\n" +
              contents(report.title, rendered);
  page.body += "<main>\n" + cover(source, values, report.title, report.sections);
  for (std::size_t i = 0; i < rendered.size(); ++i)
    page.body += part(rendered[i].section.id, std::to_string(i + 1), rendered[i].section.title,
                      kind_class(rendered[i].kind), rendered[i].html);
  page.body += part("quality", "A", "Figures on quality", "wide", quality_html(report.quality));
  page.body += "</main>\n</div>\n";
  report.html = render_page(page);
  return report;
}

json::array report_sections_json(const std::vector<ReportSection>& sections) {
  json::array array;
  for (const ReportSection& section : sections) {
    if (!section.present) continue;
    array.push_back(json::object{{"id", section.id},
                                 {"title", section.title},
                                 {"stage", section.stage},
                                 {"content", section.content},
                                 {"content_type", section.content_type},
                                 {"filename", section.filename},
                                 {"task_key", section.task_key}});
  }
  return array;
}

}  // namespace planexe::plan
