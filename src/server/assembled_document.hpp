#pragma once

#include <vector>

#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/rows.hpp"

namespace planexe::server {

/// The Markdown files of a plan in report order: those that are sections of the report as they stand there, then what
/// they were made from, by the numbers of the names. `files` as listed_files gives them. Pure.
std::vector<store::ContentRow> document_files(const std::vector<store::ContentRow>& files);

/// AssembledDocument of the contract, from document_files with their contents. Pure.
json::object assembled_document(const store::PlanRow& plan, const std::vector<store::ContentRow>& files,
                                const recipe::Recipe& recipe);

}  // namespace planexe::server
