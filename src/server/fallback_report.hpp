#pragma once

#include <vector>

#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// A file that the plan is to have when it is done.
struct ExpectedFile {
  std::string filename, task_key, stage;
};

/// The files of fixed names that the plan's tasks write, without the report and the completion marker, by order. A task
/// that has ended without writing one of its files had nothing to write there: that file is not expected any more,
/// unless the task failed. Pure.
std::vector<ExpectedFile> expected_files(const store::TaskBoard& board, const recipe::Recipe& recipe);

/// FallbackReport of the contract. `found`: the expected files that exist, with their contents. Pure; everything in the
/// page is escaped or cleaned.
json::object fallback_report(const store::PlanRow& plan, const store::TaskBoard& board, const recipe::Recipe& recipe,
                             const std::vector<store::ContentRow>& found);

}  // namespace planexe::server
