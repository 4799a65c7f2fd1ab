#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// A place of a task folder that mentions a path.
struct Reference {
  enum class Where { context, prompt, when, over, expect, rule, read, view, derived, from } where{};
  Path path;
  std::string place;  ///< file, for messages
};

/// What a step mentions: its context, prompt (with the fragments it includes), `when`, `over`, `expect`, rules and
/// `reads`. Own values and other tasks' alike.
std::vector<Reference> step_references(const Recipe& recipe, const Task& task, const Step& step);

/// What the end of a task mentions: `reads` of its finish function, `from`, the view, the derived views.
std::vector<Reference> finish_references(const Recipe& recipe, const Task& task);

/// True when the path waits only for the end of the task that it names: '?' on the task, the output or step, or its
/// answer; or `task.status`.
bool tolerant_edge(const Path& path);

/// The step that `task.answer` and `task.items` mean: the only one that asks. Null when there are none or several.
const Step* single_asked_step(const Task& task);

/// A mapped step or one with rounds: it has items, not one answer.
bool has_items(const Step& step);

}  // namespace planexe::recipe
