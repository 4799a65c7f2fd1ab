#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "recipe/loader.hpp"
#include "recipe/names.hpp"

namespace planexe::recipe {
namespace {

struct Phase {
  std::string_view key;
  std::string_view stage;
};
/// The 14 phases of the HTTP contract and the stage each belongs to; the last task of `reporting` is the report.
constexpr std::array<Phase, 14> kPhases{{
    {"setup", "setup"},
    {"initial_analysis", "analysis"},
    {"strategic_planning", "strategic"},
    {"scenario_planning", "strategic"},
    {"contextual_analysis", "context"},
    {"assumption_management", "assumptions"},
    {"project_planning", "planning"},
    {"governance", "planning"},
    {"resource_planning", "execution"},
    {"documentation", "execution"},
    {"work_breakdown", "structure"},
    {"scheduling", "output"},
    {"reporting", "output"},
    {"completion", "report"},
}};

struct ContentType {
  std::string_view extension;
  std::string_view name;
};
constexpr std::array<ContentType, 5> kContentTypes{
    {{".json", "json"}, {".md", "markdown"}, {".csv", "csv"}, {".html", "html"}, {".txt", "txt"}}};

void read_phase(TableReader& table, Task& task) {
  task.phase = table.text("phase").value_or("");
  const auto* known = std::ranges::find(kPhases, task.phase, &Phase::key);
  if (known != kPhases.end()) {
    task.stage = known->stage;
    return;
  }
  std::vector<std::string> names;
  for (const Phase& phase : kPhases) names.emplace_back(phase.key);
  table.bad("phase", task.phase.empty()
                         ? "is missing"
                         : fmt::format("'{}' is no phase{}", task.phase, did_you_mean(task.phase, names)));
}

Output make_output(TableReader& table, const std::string& name, const std::string& file,
                   const std::vector<std::string>& plain) {
  Output output{name, file, "", file.contains("{n}")};
  for (const ContentType& type : kContentTypes)
    if (file.ends_with(type.extension)) output.content_type = type.name;
  if (std::ranges::find(plain, name) != plain.end()) output.content_type = "txt";
  if (!is_name(name)) table.bad(name, "is no name: letters, digits and _");
  const bool odd =
      std::ranges::any_of(file, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) <= ' '; });
  if (file.empty() || file.size() > 100 || odd || file.starts_with('.'))
    table.bad(name, fmt::format("'{}' is no file name: letters, digits, '-', '_', '.'", cut_code_points(file, 60)));
  else if (output.content_type.empty())
    table.bad(name, "the extension is not one of json, md, csv, html, txt");
  return output;
}

void read_outputs(TableReader& table, Task& task) {
  std::vector<std::string> plain = table.texts("plain");
  auto outputs = table.table("outputs");
  if (!outputs) return;
  // Written after the header [outputs], `plain` lands in that table; a list cannot be a file name.
  if (const toml::node* list = outputs->node("plain"); list && list->is_array()) plain = outputs->texts("plain");
  // Tables come sorted by key; the order of writing is that of the lines.
  std::vector<std::pair<std::size_t, std::string>> names;
  for (const std::string& name : outputs->keys()) {
    const toml::node* node = outputs->node(name);
    if (!(name == "plain" && node->is_array())) names.emplace_back(node->source().begin.line, name);
  }
  std::ranges::sort(names);
  for (const auto& [line, name] : names)
    task.outputs.push_back(make_output(*outputs, name, outputs->text(name).value_or(""), plain));
  for (const std::string& name : plain)
    if (!task.output(name)) table.bad("outputs", fmt::format("plain names '{}', which is no output", name));
}

void read_raw_shape(TableReader& table, Task& task) {
  if (const auto raw = table.text("raw")) {
    task.raw_shape = *raw;
    if (*raw != "flat" && *raw != "response") table.bad("raw", "must be \"flat\" or \"response\"");
  }
  task.raw_prompts = table.boolean("prompts").value_or(task.raw_prompts);
}

void read_finish(TableReader& table, Task& task) {
  read_raw_shape(table, task);
  if (auto finish = table.table("finish")) {
    task.finish = finish->text("builtin").value_or("");
    task.finish_reads = finish->paths("reads");
    read_raw_shape(*finish, task);
    if (finish->has("reads") && task.finish.empty()) finish->bad("reads", "needs builtin");
    finish->done();
  }
  auto from = table.table("from");
  if (!from) return;
  for (const std::string& name : from->keys()) {
    auto path = from->path(name);
    if (!task.output(name))
      from->bad(name, "is no output of this task");
    else if (path)
      task.from.emplace(name, *std::move(path));
  }
}

void read_steps(TaskFolder& folder, TableReader& table, Task& task) {
  std::vector<TableReader> blocks = table.tables("step");
  if (blocks.empty()) {
    const bool asks = folder.has("prompt.md") || has_step_keys(table) || table.text("kind").value_or("") == "llm";
    if (asks) task.steps.push_back(load_step(folder, table, "main", true));
    return;
  }
  if (has_step_keys(table)) table.bad("step", "with [[step]] the keys of a step stand in its block, not at the top");
  for (TableReader& block : blocks) {
    const std::string name = block.text("name").value_or("");
    if (!is_name(name) || name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
      block.bad("name", "a step needs a name of small letters, digits and _");
      continue;
    }
    if (task.step(name)) block.bad("name", fmt::format("there is a step '{}' already", name));
    task.steps.push_back(load_step(folder, block, name, false));
    block.done();
  }
}

void read_kind(TaskFolder& folder, TableReader& table, Task& task) {
  const bool asks = std::ranges::any_of(task.steps, [](const Step& step) { return step.builtin.empty(); });
  const std::string kind = table.text("kind").value_or("");
  if (kind == "given")
    task.kind = TaskKind::given;
  else if (kind == "view")
    task.kind = TaskKind::view;
  else if (kind == "builtin")
    task.kind = TaskKind::builtin;
  else if (kind == "llm" || (kind.empty() && asks))
    task.kind = TaskKind::llm;
  else if (kind.empty())
    task.kind = task.finish.empty() && task.steps.empty() ? TaskKind::view : TaskKind::builtin;
  else
    table.bad("kind", fmt::format("'{}' is none of llm, view, builtin, given", kind));
  if (asks && task.kind != TaskKind::llm) table.bad("kind", "a task with a prompt is of kind llm");
  if (!asks && task.kind == TaskKind::llm) folder.bad("task.toml", "a task of kind llm asks at least one question");
  if (task.kind == TaskKind::builtin && task.finish.empty() && task.steps.empty())
    folder.bad("task.toml", "a task of kind builtin needs [finish] builtin");
}

void read_views(TaskFolder& folder, Task& task) {
  const std::string prefix = folder.path("");
  for (auto file = folder.files.lower_bound(prefix); file != folder.files.end() && file->first.starts_with(prefix);
       ++file) {
    const std::string name = file->first.substr(prefix.size());
    if (name.contains('/') || (name != "view.md" && !name.ends_with(".view.md"))) continue;
    auto parsed = parse_template(*folder.text(name), folder.path(name));
    if (!parsed) {
      folder.problems.error(folder.path(name), parsed.error().message);
      continue;
    }
    if (name == "view.md") {
      task.view = *std::move(parsed);
      continue;
    }
    const std::string derived = name.substr(0, name.size() - std::string_view(".view.md").size());
    if (!is_name(derived) || task.output(derived) || task.step(derived) || derived == "answer" || derived == "items" ||
        derived == "status")
      folder.bad(name, fmt::format("'{}' is no free name for a derived text: outputs and steps have names of their own",
                                   derived));
    else
      task.derived.emplace(derived, *std::move(parsed));
  }
}

/// Files that nothing reads are mistakes in a name; cases are kept for run_cases.
void report_stray_files(TaskFolder& folder, Task& task) {
  const std::string prefix = folder.path("");
  std::vector<std::string> used(folder.used.begin(), folder.used.end());
  for (auto file = folder.files.lower_bound(prefix); file != folder.files.end() && file->first.starts_with(prefix);
       ++file) {
    const std::string name = file->first.substr(prefix.size());
    if (name.starts_with("cases/")) task.cases.push_back({name.substr(6), file->second});
    if (name.starts_with("cases/") || folder.used.contains(name)) continue;
    folder.bad(name, fmt::format("nothing reads this file{}", did_you_mean(name, used)));
  }
}

void check_names(TaskFolder& folder, const Task& task) {
  for (const Output& output : task.outputs)
    if (task.step(output.name) || output.name == "answer" || output.name == "items" || output.name == "status")
      folder.bad(
          "task.toml",
          fmt::format("the output '{}' needs another name: steps, answer, items and status are taken", output.name));
  for (const Step& step : task.steps) {
    if (step.name == "answer" || step.name == "items" || step.name == "out" || step.name == "view" ||
        step.name == "plan")
      folder.bad("task.toml", fmt::format("the step '{}' needs another name: this one has a meaning", step.name));
    if (step.chain.empty()) continue;
    const Step* parent = task.step(step.chain);
    if (!parent || parent >= &step || !parent->builtin.empty() || parent->map)
      folder.bad("task.toml", fmt::format("step '{}': chain must name an earlier step that asks one question, not '{}'",
                                          step.name, step.chain));
  }
}

}  // namespace

std::string TaskFolder::path(std::string_view name) const { return fmt::format("tasks/{}/{}", key, name); }

bool TaskFolder::has(std::string_view name) const { return files.contains(path(name)); }

const std::string* TaskFolder::text(std::string_view name) {
  const auto found = files.find(path(name));
  if (found == files.end()) return nullptr;
  used.emplace(name);
  return &found->second;
}

json::value TaskFolder::json_file(std::string_view name, std::string_view what_for) {
  const std::string* bytes = text(name);
  if (!bytes) {
    bad(name, fmt::format("the file is missing: {}", what_for));
    return nullptr;
  }
  auto parsed = parse_json(*bytes);
  if (parsed) return *std::move(parsed);
  bad(name, parsed.error().message);
  return nullptr;
}

void TaskFolder::bad(std::string_view name, std::string message) { problems.error(path(name), std::move(message)); }

std::optional<Task> load_task(TaskFolder& folder) {
  const std::string* text = folder.text("task.toml");
  if (!text) {
    folder.bad("task.toml", "the file is missing");
    return {};
  }
  const auto parsed = parse_toml(*text, folder.path("task.toml"), folder.problems);
  if (!parsed) return {};
  TableReader table(*parsed, folder.path("task.toml"), folder.problems);
  Task task;
  task.key = folder.key;
  task.title = table.text("title").value_or("");
  if (trim(task.title).empty()) table.bad("title", "is missing");
  read_phase(table, task);
  task.required = table.boolean("required").value_or(true);
  read_outputs(table, task);
  read_finish(table, task);
  read_steps(folder, table, task);
  read_kind(folder, table, task);
  read_views(folder, task);
  table.done();
  check_names(folder, task);
  report_stray_files(folder, task);
  return task;
}

}  // namespace planexe::recipe
