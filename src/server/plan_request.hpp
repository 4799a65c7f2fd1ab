#pragma once

#include <vector>

#include "engine/requests.hpp"
#include "server/message.hpp"
#include "server/services.hpp"

namespace planexe::server {

struct PlanRequest {
  engine::CreateRequest request;
  std::vector<FieldError> errors;
};

/// A sum of the interface in millionths of a dollar; the smallest one is one of them.
std::int64_t micros_of(double dollars);

/// What a checked body of createPlan asks for, with the server's defaults for what it leaves out.
PlanRequest plan_request_of(const Services& services, const Request& request);

}  // namespace planexe::server
