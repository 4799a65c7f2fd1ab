#pragma once

#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// TaskList of the contract. `recipe` is the plan's own. Pure.
json::object task_list(const store::PlanRow& plan, const store::TaskBoard& board, const recipe::Recipe& recipe);

/// Whether the engine would take a retry of this task in this state of the plan.
bool is_retryable(const store::PlanRow& plan, const store::TaskRow& task, const recipe::Recipe& recipe);

}  // namespace planexe::server
