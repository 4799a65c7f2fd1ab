#pragma once

#include <string>

#include "base/error.hpp"
#include "recipe/prompt.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// The report of a plan in any state: the stored one when it is current, else assembled from what exists (gaps are marked).
Result<std::string> report_now(store::Store& store, const std::string& plan_id);

/// The requests that a task of a stored plan would send now, by unit key.
Result<std::vector<std::pair<std::string, recipe::Prompt>>> prompts_now(store::Store& store, const std::string& plan_id,
                                                                        const std::string& task_key);

/// The recipe that a plan was made with, from the database.
Result<recipe::Recipe> stored_recipe(store::Store& store, const store::PlanRow& plan);

}  // namespace planexe::engine
