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

/// What a checked body of createPlan asks for, with the server's defaults for what it leaves out.
PlanRequest plan_request_of(const Services& services, const Request& request);

}  // namespace planexe::server
