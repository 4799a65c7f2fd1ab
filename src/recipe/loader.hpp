#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "recipe/lint.hpp"
#include "recipe/recipe.hpp"
#include "recipe/toml_reader.hpp"

/// The parts of load_recipe. Internal to the recipe library.
namespace planexe::recipe {

using FileMap = std::map<std::string, std::string, std::less<>>;

/// One task folder while it is read. Every file that is looked at is marked, so that stray files can be told.
struct TaskFolder {
  const FileMap& files;
  Problems& problems;
  std::string key;
  std::set<std::string> used;

  std::string path(std::string_view name) const;  ///< "tasks/KEY/NAME"
  bool has(std::string_view name) const;
  const std::string* text(std::string_view name);  ///< null when there is none
  /// JSON of a file; reports its absence and its syntax errors. Null JSON then.
  json::value json_file(std::string_view name, std::string_view what_for);
  void bad(std::string_view name, std::string message);
};

/// The folder of one task. Nothing when task.toml cannot be read at all.
std::optional<Task> load_task(TaskFolder& folder);

/// The keys of a step from its table, and its files. `single`: the step of a task without [[step]].
Step load_step(TaskFolder& folder, TableReader& table, std::string name, bool single);

/// True when the table has keys or the folder files that only steps have.
bool has_step_keys(const TableReader& table);

/// [[assert]] and [[check]] of a table.
std::vector<Rule> load_rules(TableReader& table);

/// The sections of a prompt file.
void load_prompt(TaskFolder& folder, Step& step, const std::string& file);

/// Step `name`'s file: "prompt.md" for main, "find.prompt.md" for others.
std::string step_file(std::string_view step, std::string_view single_name, std::string_view suffix);

/// Checks every reference and fills the edges of all tasks; reports unknown names and cycles.
void link_recipe(Recipe& recipe, Problems& problems);

/// Makes the fingerprint of every template cover the fragments that it includes, directly or through others.
void seal_fingerprints(Recipe& recipe);

}  // namespace planexe::recipe
