#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/cases.hpp"
#include "recipe/lint.hpp"
#include "recipe/report.hpp"

namespace {

/// Prints what is wrong with the recipe in a folder; with keys, only what concerns these tasks. Gives the exit code.
int lint_folder(const std::string& folder, const std::vector<std::string>& keys) {
  auto files = planexe::recipe::read_recipe_folder(folder);
  if (!files) {
    fmt::print(stderr, "{}\n", files.error().message);
    return 2;
  }
  planexe::recipe::Inspection inspection = planexe::recipe::inspect_recipe(*std::move(files));
  for (planexe::recipe::LintMessage& problem : planexe::recipe::lint(inspection.recipe, {}))
    inspection.problems.push_back(std::move(problem));
  int errors = 0;
  for (const planexe::recipe::LintMessage& problem : inspection.problems) {
    bool shown = keys.empty();
    for (const std::string& key : keys)
      shown = shown || (problem.place + ": " + problem.message).find("tasks/" + key + "/") != std::string::npos;
    if (!shown) continue;
    fmt::print("{}: {}: {}\n", problem.is_error ? "error" : "warning", problem.place, problem.message);
    errors += problem.is_error;
  }
  for (const planexe::recipe::Task& task : inspection.recipe.tasks) {
    const bool shown = keys.empty() || std::find(keys.begin(), keys.end(), task.key) != keys.end();
    for (const planexe::recipe::CaseResult& result : planexe::recipe::run_cases(inspection.recipe, task.key)) {
      if (!shown || result.passed) continue;
      fmt::print("error: tasks/{}/cases/{}: {}\n", task.key, result.name, result.message);
      ++errors;
    }
  }
  if (keys.empty())
    fmt::print("\n{}\n", planexe::recipe::chain_report(inspection.recipe));
  else if (keys.size() == 1)
    fmt::print("\n{}\n", planexe::recipe::show_task(inspection.recipe, keys.front()));
  fmt::print("{} tasks read, {} errors\n", inspection.recipe.tasks.size(), errors);
  return errors == 0 ? 0 : 1;
}

}  // namespace

/// The test program; with `--lint FOLDER [KEY…]` it checks a recipe folder instead.
int main(int argc, char** argv) {
  if (argc >= 3 && std::string_view(argv[1]) == "--lint") return lint_folder(argv[2], {argv + 3, argv + argc});
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
