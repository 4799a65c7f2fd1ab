#pragma once

#include "base/json.hpp"
#include "store/rows.hpp"

namespace planexe::server {

/// `tasks` of a snapshot, in canonical order.
json::array snapshot_tasks(const std::vector<store::TaskRow>& tasks);

/// A `status` message that repeats the plan's state; `response` is its PlanResponse.
json::object snapshot_status(const store::PlanRow& plan, const json::object& response);

}  // namespace planexe::server
