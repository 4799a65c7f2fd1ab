#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// Outcome of one folder cases/NAME/.
struct CaseResult {
  std::string name;
  bool passed = false;
  std::string message;  ///< what was expected and what came; "" when passed
};

/// Runs the cases of a task. `scope.json` has the values by path root (for the only asked step's own answer it may have
/// none); `step.txt` names the step when the task has several that ask (else the last one that asks). What else lies
/// there is what is checked:
/// - `prompt.txt`: the rendered "# task", a blank line, and "# item" if there is one;
/// - `answer.json` with `findings.json`: the failed asserts and checks as a list of {"rule", "path"}, the path as in
/// task.toml or one place ("a[2].b");
/// - `answer.json` with `view.md`: the rendered view (`scope.json` may give `view` and `out`).
/// `element` of a mapped step comes from scope.json under its `as` name.
std::vector<CaseResult> run_cases(const Recipe& recipe, std::string_view key);

}  // namespace planexe::recipe
