#pragma once

#include "base/json.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// PlanResponse of the contract. Reads sums and task states from the store. Any thread.
/// `queue_position`: place in the queue from 1, for a pending plan that waits.
Result<json::object> plan_response(store::Store& store, const store::PlanRow& plan, std::optional<int> queue_position = std::nullopt);

/// The same for a plan that `transaction` is about to create.
json::object new_plan_response(const store::Transaction& transaction, std::optional<int> queue_position = std::nullopt);

/// Several plans, in the order given.
Result<json::array> plan_responses(store::Store& store, const std::vector<store::PlanRow>& plans);

}  // namespace planexe::server
