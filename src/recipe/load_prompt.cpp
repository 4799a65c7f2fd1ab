#include <fmt/format.h>

#include "base/text.hpp"
#include "recipe/filters.hpp"
#include "recipe/loader.hpp"

namespace planexe::recipe {
namespace {

struct Section {
  std::string text;
  int line = 0;
  bool found = false;
};

struct Sections {
  Section context, task, item;
};

/// Without blank lines at both ends; `line` follows.
void trim_section(Section& section) {
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = section.text.find('\n', begin);
    if (end == std::string::npos || !trim(std::string_view(section.text).substr(begin, end - begin)).empty()) break;
    begin = end + 1;
    ++section.line;
  }
  section.text.erase(0, begin);
  while (!section.text.empty() && (section.text.back() == '\n' || section.text.back() == ' ')) section.text.pop_back();
}

Sections split_sections(TaskFolder& folder, const std::string& file, const std::string& text) {
  Sections sections;
  Section* current = nullptr;
  int line = 0;
  for (const std::string_view row : split_lines(text)) {
    ++line;
    const std::string heading = row.starts_with("# ") ? trim(row) : std::string();
    Section* next = heading == "# context" ? &sections.context
                    : heading == "# task"  ? &sections.task
                    : heading == "# item"  ? &sections.item
                                           : nullptr;
    if (next) {
      if (next->found)
        folder.problems.error(fmt::format("{}:{}", folder.path(file), line),
                              fmt::format("the section \"{}\" comes twice", heading));
      current = next;
      current->found = true;
      current->line = line + 1;
    } else if (current) {
      (current->text += row) += '\n';
    } else if (!trim(row).empty()) {
      folder.problems.error(fmt::format("{}:{}", folder.path(file), line),
                            "text before the first section; sections are \"# context\", \"# task\", \"# item\"");
    }
  }
  for (Section* section : {&sections.context, &sections.task, &sections.item}) trim_section(*section);
  return sections;
}

Result<ContextEntry> context_entry(std::string_view row) {
  if (!row.starts_with("- "))
    return fail(ErrorCode::RecipeInvalid,
                "# context is a list of references: \"- task.output\" or \"- task.output | limit 8000\"");
  std::string_view rest = row.substr(2);
  ContextEntry entry;
  if (const std::size_t pipe = rest.find('|'); pipe != std::string_view::npos) {
    PLANEXE_TRY_ASSIGN(const Filter filter, parse_filter(rest.substr(pipe + 1)));
    if (filter.kind != Filter::Kind::limit)
      return fail(ErrorCode::RecipeInvalid, "in # context only the filter limit is allowed");
    entry.limit = filter.number;
    rest = rest.substr(0, pipe);
  }
  PLANEXE_TRY_ASSIGN(entry.path, parse_path(rest));
  entry.tolerant = entry.path.tolerant();
  return entry;
}

void read_context(TaskFolder& folder, Step& step, const std::string& file, const Section& section) {
  int line = section.line - 1;
  for (const std::string_view row : split_lines(section.text)) {
    ++line;
    if (trim(row).empty()) continue;
    auto entry = context_entry(trim(row));
    if (entry)
      step.context.push_back(*std::move(entry));
    else
      folder.problems.error(fmt::format("{}:{}", folder.path(file), line), entry.error().message);
  }
}

std::optional<Template> read_template(TaskFolder& folder, const std::string& file, const Section& section) {
  auto parsed = parse_template(section.text, folder.path(file), section.line);
  if (parsed) return *std::move(parsed);
  folder.problems.error(folder.path(file), parsed.error().message);
  return {};
}

}  // namespace

void load_prompt(TaskFolder& folder, Step& step, const std::string& file) {
  const std::string* text = folder.text(file);
  if (!text) {
    folder.problems.error(folder.path(file),
                          fmt::format("the file is missing: it asks the question of step '{}'", step.name));
    return;
  }
  const Sections sections = split_sections(folder, file, *text);
  read_context(folder, step, file, sections.context);
  if (sections.task.text.empty())
    folder.bad(file, "the section \"# task\" is missing or empty");
  else if (auto parsed = read_template(folder, file, sections.task))
    step.task_template = *std::move(parsed);
  const bool wants_item = step.map.has_value();
  if (sections.item.found && !step.map && !step.has_rounds())
    folder.bad(file, "\"# item\" belongs to a step with a map or rounds");
  if (sections.item.text.empty()) {
    if (wants_item) folder.bad(file, "the section \"# item\" is missing: it shows the element of the map");
    return;
  }
  step.item_template = read_template(folder, file, sections.item);
}

}  // namespace planexe::recipe
