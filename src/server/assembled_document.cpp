#include "server/assembled_document.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "plan/artefact.hpp"
#include "plan/html.hpp"
#include "plan/markdown.hpp"
#include "plan/report_sections.hpp"
#include "recipe/words.hpp"
#include "server/report_view.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

/// Of imported files that belong to no task.
constexpr std::string_view kPhaseOfNone = "reporting";

std::size_t report_place(std::string_view filename) {
  const auto specs = plan::section_specs();
  const auto found = std::ranges::find(specs, filename, &plan::SectionSpec::filename);
  return static_cast<std::size_t>(found - specs.begin());
}

/// "012-2-swot_analysis.md" -> "swot-analysis", with a number behind it where that was taken already.
std::string section_id(std::string_view filename, std::map<std::string, int>& taken) {
  auto stem = filename.substr(0, filename.rfind('.'));
  if (const auto word = stem.find_first_not_of("0123456789-"); word != std::string_view::npos) stem.remove_prefix(word);
  const std::string id = plan::html_slug(replace_all(stem, "_", "-"));
  const int count = ++taken[id];
  return count == 1 ? id : id + "-" + std::to_string(count);
}

std::string title_of(const store::ContentRow& file, const recipe::Recipe& recipe) {
  if (!file.task_key.empty()) return view::task_title(recipe, file.task_key);
  return view::humanised(file.filename.substr(0, file.filename.rfind('.')));
}

/// Texts that begin without a title of their own get that of their task, so that the parts can be told from each other.
std::string part_of(const std::string& title, std::string_view content) {
  std::string text = trim(content);
  return text.starts_with("# ") ? text : "# " + title + "\n\n" + text;
}

}  // namespace

std::vector<store::ContentRow> document_files(const std::vector<store::ContentRow>& files) {
  std::vector<store::ContentRow> chosen;
  for (const auto& file : files)
    if (file.content_type == "markdown") chosen.push_back(file);
  std::ranges::sort(chosen, {}, [](const auto& file) {
    return std::tuple(report_place(file.filename), plan::artefact_order(file.filename),
                      std::string_view(file.filename));
  });
  return chosen;
}

json::object assembled_document(const store::PlanRow& plan, const std::vector<store::ContentRow>& files,
                                const recipe::Recipe& recipe) {
  json::array sections;
  std::string markdown;
  std::size_t words = 0;
  std::map<std::string, int> ids;
  for (const auto& file : files) {
    const auto title = title_of(file, recipe);
    sections.push_back(json::object{{"id", section_id(file.filename, ids)},
                                    {"task_name", title},
                                    {"stage", file.stage.empty() ? kPhaseOfNone : std::string_view(file.stage)},
                                    {"content", file.content},
                                    {"created_at", format_iso(file.created_at)},
                                    {"is_final", !file.stale}});
    const auto part = part_of(title, file.content);
    markdown += (markdown.empty() ? "" : "\n\n") + part;
    words += recipe::word_count(plan::markdown_to_text(part));
  }
  return {{"plan_id", plan.plan_id},
          {"section_count", sections.size()},
          {"sections", std::move(sections)},
          {"markdown", std::move(markdown)},
          {"word_count", words},
          {"last_updated", files.empty() ? json::value(nullptr) : json::value(format_iso(newest(files, {})))}};
}

}  // namespace planexe::server
