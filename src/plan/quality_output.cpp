#include <fmt/format.h>

#include <algorithm>

#include "plan/html.hpp"
#include "plan/quality.hpp"

namespace planexe::plan {
namespace {

json::array strings(const std::vector<std::string>& values) {
  json::array array;
  for (const std::string& value : values) array.emplace_back(value);
  return array;
}

std::string share(int part, int whole) {
  return whole == 0 ? "–" : fmt::format("{} %", (part * 100 + whole / 2) / whole);
}

std::string part_of(int part, int whole) { return whole == 0 ? "–" : fmt::format("{} of {}", part, whole); }

void section_row(std::string& html, const SectionQuality& section) {
  html += fmt::format("<tr><td><a href=\"#{}\">{}</a></td>", escape_html(section.id), escape_html(section.title));
  if (section.words == 0) {
    html +=
        "<td class=\"right\">–</td><td class=\"right\">–</td><td class=\"right\">–</td><td class=\"right\">–</td><td "
        "class=\"right\">–</td>";
  } else {
    html += fmt::format(
        "<td class=\"right\">{}{}</td><td class=\"right\">{}</td><td class=\"right\">{}</td><td "
        "class=\"right\">{}</td><td class=\"right\">{}</td>",
        section.words, section.length.empty() ? "" : ", " + section.length, share(section.specific, section.sentences),
        part_of(section.figures_with_basis, section.figures),
        part_of(section.references - static_cast<int>(section.unresolved.size()), section.references),
        section.duplicates);
  }
  html += "<td>";
  for (std::size_t i = 0; i < section.attention.size(); ++i)
    html += fmt::format("{}<span class=\"alert\">{}</span>", i > 0 ? "<br>" : "", escape_html(section.attention[i]));
  html += "</td></tr>\n";
}

std::string kind_text(const std::string& kind) {
  std::string text = kind;
  std::ranges::replace(text, '_', ' ');
  return text;
}

void limits_table(std::string& html, const std::vector<LimitQuality>& limits) {
  if (limits.empty()) return;
  html +=
      "<h3 id=\"quality-limits\">Limits stated in the prompt</h3>\n<div class=\"table\" "
      "tabindex=\"0\"><table><thead><tr><th scope=\"col\">Kind</th>"
      "<th scope=\"col\">Words of the prompt</th><th scope=\"col\">Kept</th><th "
      "scope=\"col\">Why</th></tr></thead><tbody>\n";
  for (const LimitQuality& limit : limits)
    html += fmt::format("<tr><td>{}</td><td>{}</td><td{}>{}</td><td>{}</td></tr>\n", escape_html(kind_text(limit.kind)),
                        escape_html(limit.quote), limit.verdict == "broken" ? " class=\"alert\"" : "",
                        limit.verdict == "kept"     ? "yes"
                        : limit.verdict == "broken" ? "no"
                                                    : "not checked",
                        escape_html(limit.detail));
  html += "</tbody></table></div>\n";
}

}  // namespace

json::value quality_to_json(const QualityReport& report) {
  json::array sections;
  for (const SectionQuality& section : report.sections) {
    json::array classes;
    for (const ClassShare& share : section.classes)
      classes.push_back(
          json::object{{"field", share.field}, {"value", share.value}, {"count", share.count}, {"total", share.total}});
    sections.push_back(json::object{{"id", section.id},
                                    {"title", section.title},
                                    {"present", section.present},
                                    {"words", section.words},
                                    {"sentences", section.sentences},
                                    {"specific", section.specific},
                                    {"figures", section.figures},
                                    {"figures_with_basis", section.figures_with_basis},
                                    {"references", section.references},
                                    {"unresolved", strings(section.unresolved)},
                                    {"banned_uses", strings(section.banned_uses)},
                                    {"banned_mentions", section.banned_mentions},
                                    {"duplicates", section.duplicates},
                                    {"opener_share", section.opener_share},
                                    {"classes", std::move(classes)},
                                    {"dates_outside", strings(section.dates_outside)},
                                    {"length", section.length},
                                    {"attention", strings(section.attention)}});
  }
  json::array limits;
  for (const LimitQuality& limit : report.limits)
    limits.push_back(json::object{
        {"kind", limit.kind}, {"quote", limit.quote}, {"verdict", limit.verdict}, {"detail", limit.detail}});
  return json::object{{"sections", std::move(sections)}, {"limits", std::move(limits)}};
}

std::string quality_html(const QualityReport& report) {
  std::string html =
      "<p>Computed from the text alone. <em>Specific</em>: share of sentences with a number, name or rare word of this "
      "prompt. <em>Figures</em>: "
      "quantities that come from the prompt, the schedule or another section, or say that they are assumed. "
      "<em>References</em>: ids that some "
      "section defines. <em>Repeats</em>: sentences that also stand elsewhere.</p>\n"
      "<div class=\"table\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Section</th><th scope=\"col\" "
      "class=\"right\">Words</th>"
      "<th scope=\"col\" class=\"right\">Specific</th><th scope=\"col\" class=\"right\">Figures with basis</th><th "
      "scope=\"col\" class=\"right\">References</th>"
      "<th scope=\"col\" class=\"right\">Repeats</th><th scope=\"col\">Look at</th></tr></thead><tbody>\n";
  for (const SectionQuality& section : report.sections) section_row(html, section);
  html += "</tbody></table></div>\n";
  limits_table(html, report.limits);
  return html;
}

}  // namespace planexe::plan
