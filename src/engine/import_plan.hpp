#pragma once

#include <string>

#include "llm/client.hpp"
#include "plan/import.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// The transaction that makes a plan of an imported run. Tasks with their files are completed; what code computes (views, tables, schedule, report) is
/// pending, so that the next run makes it; model tasks without files are `cancelled` and open for a resume. Imported versions of computed files stay as
/// earlier versions, unknown files as attachments.
store::Transaction make_import(const plan::ImportedRun& run, const recipe::Recipe& recipe, const std::string& packed_recipe,
                               const std::string& plan_id, TimePoint now);

/// A model client that asks nobody: every call ends as CANCELLED. For runs that must not spend anything.
std::unique_ptr<llm::ModelClient> make_offline_client(boost::asio::any_io_executor executor);

}  // namespace planexe::engine
