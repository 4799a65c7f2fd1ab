#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "engine/example_plan.hpp"
#include "engine/preview.hpp"
#include "llm/prefix_share.hpp"
#include "plan/builtin.hpp"
#include "recipe/cases.hpp"
#include "recipe/docs.hpp"
#include "recipe/lint.hpp"
#include "recipe/report.hpp"

namespace planexe::cli {
namespace {

std::set<std::string, std::less<>> builtin_names() {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, function] : plan::builtins()) names.insert(name);
  return names;
}

std::string prompt_page(const std::string& unit, const std::vector<std::string>& parts) {
  std::string page = "=== " + unit + "\n";
  for (const auto& part : parts) page += part + "\n\n";
  return page;
}

Exit print_prompts(const std::vector<std::pair<std::string, std::vector<std::string>>>& prompts, const std::string& only) {
  bool any = false;
  for (const auto& [unit, parts] : prompts) {
    if (!only.empty() && unit != only) continue;
    any = true;
    fmt::print("{}", prompt_page(unit, parts));
  }
  if (!any) return report(Error(ErrorCode::TaskNotFound, only.empty() ? "This task sends no request." : "The task has no such unit."));
  return Exit::ok;
}

Exit render_of_plan(const App& app, const Command& command) {
  auto store = app.open_store();
  if (!store) return report(store.error());
  auto id = find_plan_id(**store, command.recipe.plan_id);
  if (!id) return report(id.error());
  auto prompts = engine::prompts_now(**store, *id, command.recipe.key);
  if (!prompts) return report(prompts.error());
  std::vector<std::pair<std::string, std::vector<std::string>>> pages;
  for (const auto& [unit, prompt] : *prompts) {
    std::vector<std::string> parts{prompt.system};
    for (const auto& block : prompt.blocks) parts.push_back(block.text);
    pages.emplace_back(unit, std::move(parts));
  }
  return print_prompts(pages, command.recipe.unit);
}

Exit render_of_example(const recipe::Recipe& recipe, const Command& command) {
  const auto run = engine::run_example(recipe, {});
  std::vector<std::pair<std::string, std::vector<std::string>>> pages;
  for (const auto& [unit, spec] : run.calls) {
    if (spec.task_key != command.recipe.key) continue;
    std::vector<std::string> parts;
    for (const auto& message : spec.messages) parts.insert(parts.end(), message.parts.begin(), message.parts.end());
    pages.emplace_back(unit.substr(unit.find('/') + 1), std::move(parts));
  }
  return print_prompts(pages, command.recipe.unit);
}

/// What the example plan sends, and how much of it a provider's prefix cache could serve.
void print_input(const recipe::Recipe& recipe) {
  const auto run = engine::run_example(recipe, {});
  std::vector<const llm::CallSpec*> calls;
  for (const auto& unit : run.order) calls.push_back(&run.calls.at(unit));
  std::int64_t input = 0;
  std::int64_t cached = 0;
  for (const auto& [group, share] : llm::prefix_shares(calls)) {
    input += share.input_tokens;
    cached += share.cached_tokens;
  }
  fmt::print("input of the example plan: {} calls, about {} tokens, of which a prefix cache could serve {} %\n", calls.size(), input,
             input == 0 ? 0 : cached * 100 / input);
}

}  // namespace

Exit run_recipe_lint(const App& app, const Command&) {
  auto files = app.recipe_files();
  if (!files) return report(files.error());
  // Everything that is wrong is wanted, not only what stops loading first.
  auto inspection = recipe::inspect_recipe(std::move(*files));
  fmt::print("{}", recipe::lint_report(inspection.recipe, builtin_names(), inspection.problems));
  const auto is_error = [](const recipe::LintMessage& message) { return message.is_error; };
  const auto messages = recipe::lint(inspection.recipe, builtin_names());
  const bool broken = std::ranges::any_of(inspection.problems, is_error) || std::ranges::any_of(messages, is_error);
  if (!broken) print_input(inspection.recipe);
  return broken ? Exit::configuration : Exit::ok;
}

Exit run_recipe_graph(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  const auto& recipe = *loaded->recipe;
  if (command.recipe.format == "json") {
    json::array tasks;
    for (const auto& task : recipe.tasks) {
      json::array edges;
      for (const auto& edge : task.edges) edges.push_back(json::object{{"from", edge.from}, {"tolerant", edge.tolerant}});
      tasks.push_back(json::object{{"task_key", task.key}, {"title", task.title}, {"phase", task.phase}, {"stage", task.stage},
                                   {"required", task.required}, {"edges", std::move(edges)}});
    }
    fmt::print("{}\n", to_json_pretty(tasks));
  } else {
    fmt::print("{}", command.recipe.format == "dot" ? recipe::graph_dot(recipe) : recipe::graph_mermaid(recipe));
  }
  return Exit::ok;
}

Exit run_recipe_show(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  if (!loaded->recipe->task(command.recipe.key))
    return report(Error(ErrorCode::TaskNotFound, "The recipe has no task \"" + strip_control(command.recipe.key) + "\"."));
  fmt::print("{}", recipe::show_task(*loaded->recipe, command.recipe.key));
  return Exit::ok;
}

Exit run_recipe_render(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  if (!loaded->recipe->task(command.recipe.key))
    return report(Error(ErrorCode::TaskNotFound, "The recipe has no task \"" + strip_control(command.recipe.key) + "\"."));
  return command.recipe.plan_id.empty() ? render_of_example(*loaded->recipe, command) : render_of_plan(app, command);
}

Exit run_recipe_test(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  const auto& recipe = *loaded->recipe;
  int passed = 0, failed = 0;
  const auto say = [&](bool good, const std::string& what, const std::string& why) {
    (good ? passed : failed) += 1;
    if (!good) fmt::print("FAIL {}\n{}\n", what, why);
  };
  for (const auto& task : recipe.tasks) {
    if (!command.recipe.key.empty() && task.key != command.recipe.key) continue;
    for (const auto& result : recipe::run_cases(recipe, task.key)) say(result.passed, task.key + "/cases/" + result.name, result.message);
  }
  if (command.recipe.key.empty()) {
    const auto run = engine::run_example(recipe, {});
    say(run.status == "completed", "example plan", run.error);
    for (const auto& problem : run.problems) say(false, "example plan", problem);
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? Exit::ok : Exit::plan_failed;
}

Exit run_recipe_docs(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  const std::filesystem::path folder = command.path;
  if (auto made = ensure_dir(folder / "tasks"); !made) return report(made.error());
  for (const auto& page : recipe::docs_pages(*loaded->recipe))
    if (auto written = write_file_atomic(folder / page.path, page.text); !written) return report(written.error());
  return Exit::ok;
}

}  // namespace planexe::cli
