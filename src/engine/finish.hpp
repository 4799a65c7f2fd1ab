#pragma once

#include <string>
#include <vector>

#include "engine/actions.hpp"
#include "plan/builtin.hpp"
#include "recipe/recipe.hpp"

namespace planexe::engine {

/// Everything that is needed to make the outputs of one task, by value: may run on any thread.
struct FinishJob {
  const recipe::Recipe* recipe = nullptr;
  const recipe::Task* task = nullptr;
  plan::Builtin builtin;                     ///< empty: no finish function
  plan::BuiltinInput input;
  std::map<std::string, json::value> roots;  ///< values that views and `from` may reference
  json::object own;                          ///< own values kept for other tasks: answer, items, steps
  json::object metadata;                     ///< models, number of calls
  std::string system_prompt;
  std::vector<std::string> user_prompts;     ///< one per answered call, in unit order
  std::vector<std::string> item_prompts;     ///< of the last mapped step: one per item, "" where there is no answer
};

/// Runs the finish function, makes the remaining outputs (raw, from, views) and the derived texts. Pure.
Result<FinishedTask> finish_task(const FinishJob& job);

/// Derived texts of a finished task, rendered from its values; used when a finished task is read back.
Result<void> render_derived(const recipe::Recipe& recipe, const recipe::Task& task, const recipe::Scope& scope,
                            json::object& values);

}  // namespace planexe::engine
