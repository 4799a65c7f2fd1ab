#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "recipe/loader.hpp"
#include "recipe/names.hpp"

namespace planexe::recipe {
namespace {

constexpr int kFormat = 1;
constexpr std::size_t kTasksMax = 500;    // eight times the real recipe; graph algorithms here are quadratic
constexpr std::size_t kErrorsShown = 20;  // more are noise: one mistake often causes many

/// Text files with one kind of line end and without a byte order mark.
std::string clean_text(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  return bytes.find('\r') == std::string_view::npos ? std::string(bytes) : replace_all(bytes, "\r\n", "\n");
}

FileMap file_map(const std::vector<RecipeFile>& files, Problems& problems) {
  FileMap map;
  for (const RecipeFile& file : files) {
    if (!valid_utf8(file.bytes))
      problems.error(file.path, "is not UTF-8 text");
    else if (!map.emplace(file.path, clean_text(file.bytes)).second)
      problems.error(file.path, "comes twice");
  }
  return map;
}

std::string content_hash(std::vector<RecipeFile> files) {
  std::ranges::sort(files, {}, &RecipeFile::path);
  Sha256 hash;
  for (const RecipeFile& file : files)
    hash.update(fmt::format("{}\n{}\n", file.path, file.bytes.size())).update(file.bytes);
  return hash.hex();
}

void load_fragments(const FileMap& files, Recipe& recipe, Problems& problems) {
  for (const auto& [path, bytes] : files) {
    if (!path.starts_with("fragments/")) continue;
    const std::string file = path.substr(std::string_view("fragments/").size());
    const std::string name = file.ends_with(".md") ? file.substr(0, file.size() - 3) : file;
    if (!file.ends_with(".md") || !is_name(name)) {
      problems.error(path, "a fragment is a file NAME.md, its name of letters, digits and _");
      continue;
    }
    std::string_view source = bytes;
    while (source.ends_with('\n')) source.remove_suffix(1);
    auto parsed = parse_template(source, path);
    if (!parsed)
      problems.error(path, parsed.error().message);
    else
      recipe.fragments.emplace(name, *std::move(parsed));
  }
  const auto system = recipe.fragments.find("system");
  if (system != recipe.fragments.end())
    recipe.system = system->second;
  else
    problems.error("fragments/system.md", "the file is missing: it is the system text of every request");
}

void load_defaults(TableReader& table, Recipe& recipe) {
  auto defaults = table.table("defaults");
  if (!defaults) return;
  recipe.default_effort = defaults->text("effort").value_or("medium");
  recipe.max_output_tokens = defaults->integer("max_output_tokens", 256, 1'000'000).value_or(recipe.max_output_tokens);
  recipe.prompt_tokens_max =
      defaults->integer("prompt_tokens_max", 1000, 10'000'000).value_or(recipe.prompt_tokens_max);
  defaults->done();
}

std::vector<std::string> load_settings(const FileMap& files, Recipe& recipe, Problems& problems) {
  const auto file = files.find("recipe.toml");
  if (file == files.end()) {
    problems.error("recipe.toml", "the file is missing: it names the recipe and the order of its tasks");
    return {};
  }
  const auto parsed = parse_toml(file->second, "recipe.toml", problems);
  if (!parsed) return {};
  TableReader table(*parsed, "recipe.toml", problems);
  recipe.name = table.text("name").value_or("");
  recipe.version = table.text("version").value_or("");
  if (recipe.name.empty()) table.bad("name", "is missing");
  recipe.format = table.integer("format", 0, 1000).value_or(kFormat);
  if (recipe.format != kFormat) table.bad("format", fmt::format("this program reads format {}", kFormat));
  recipe.gate = table.text("gate").value_or("");
  std::vector<std::string> keys = table.texts("tasks");
  if (keys.empty()) table.bad("tasks", "the list of task keys is missing");
  if (keys.size() > kTasksMax) table.bad("tasks", fmt::format("more than {} tasks", kTasksMax));
  if (!recipe.gate.empty() && std::ranges::find(keys, recipe.gate) == keys.end())
    table.bad("gate", fmt::format("'{}' is no task{}", recipe.gate, did_you_mean(recipe.gate, keys)));
  load_defaults(table, recipe);
  table.done();
  return keys;
}

std::set<std::string> task_folders(const FileMap& files, Problems& problems) {
  std::set<std::string> folders;
  for (const auto& [path, bytes] : files) {
    const bool task_file = path.starts_with("tasks/") && path.find('/', 6) != std::string::npos;
    if (task_file)
      folders.insert(path.substr(6, path.find('/', 6) - 6));
    else if (path != "recipe.toml" && !path.starts_with("fragments/"))
      problems.error(path, "does not belong here; a recipe has recipe.toml, fragments/ and tasks/KEY/");
  }
  return folders;
}

void load_tasks(const FileMap& files, const std::vector<std::string>& keys, Recipe& recipe, Problems& problems) {
  std::set<std::string> folders = task_folders(files, problems);
  std::set<std::string> seen;
  for (const std::string& key : keys) {
    if (!seen.insert(key).second)
      problems.error("recipe.toml", fmt::format("tasks: '{}' comes twice", key));
    else if (folders.erase(key) == 0)
      problems.error("recipe.toml", fmt::format("tasks: the folder tasks/{} does not exist", key));
    else {
      TaskFolder folder{files, problems, key, {}};
      auto task = load_task(folder);
      if (!task) continue;
      task->position = static_cast<int>(recipe.tasks.size());
      recipe.tasks.push_back(*std::move(task));
    }
  }
  for (const std::string& key : folders)
    problems.error(fmt::format("tasks/{}", key),
                   fmt::format("recipe.toml does not list this task{}", did_you_mean(key, keys)));
  // The phase `reporting` covers the texts about the plan and the report itself, which comes last and is a stage of its
  // own.
  if (!recipe.tasks.empty() && recipe.tasks.back().phase == "reporting") recipe.tasks.back().stage = "report";
}

void check_filenames(const Recipe& recipe, Problems& problems) {
  std::map<std::string, std::string> owner;
  for (const Task& task : recipe.tasks) {
    for (const Output& output : task.outputs) {
      const auto [known, fresh] = owner.emplace(output.filename, task.key);
      if (!fresh)
        problems.error(fmt::format("tasks/{}/task.toml", task.key),
                       fmt::format("{} is written by {} already", output.filename, known->second));
    }
  }
}

}  // namespace

Inspection inspect_recipe(std::vector<RecipeFile> files) {
  Problems problems;
  Recipe recipe;
  const FileMap map = file_map(files, problems);
  const std::vector<std::string> keys = load_settings(map, recipe, problems);
  load_fragments(map, recipe, problems);
  load_tasks(map, keys, recipe, problems);
  check_filenames(recipe, problems);
  link_recipe(recipe, problems);
  seal_fingerprints(recipe);
  recipe.hash = content_hash(std::move(files));
  return {std::move(recipe), problems.take()};
}

Result<Recipe> load_recipe(std::vector<RecipeFile> files) {
  Inspection inspection = inspect_recipe(std::move(files));
  std::erase_if(inspection.problems, [](const LintMessage& message) { return !message.is_error; });
  if (inspection.problems.empty()) return std::move(inspection.recipe);
  std::string detail;
  for (std::size_t i = 0; i < std::min(kErrorsShown, inspection.problems.size()); ++i)
    detail += fmt::format("{}{}: {}", i ? "\n" : "", inspection.problems[i].place, inspection.problems[i].message);
  const std::string first =
      fmt::format("{}: {}", inspection.problems.front().place, inspection.problems.front().message);
  const std::string more = inspection.problems.size() > 1
                               ? fmt::format(" (and {} more; run planexe recipe lint)", inspection.problems.size() - 1)
                               : "";
  return fail(ErrorCode::RecipeInvalid, cut_code_points(first, 150) + more, std::move(detail));
}

}  // namespace planexe::recipe
