#pragma once

#include <string>

#include "server/services.hpp"

namespace planexe::server {

/// True when at least one text model can be asked.
bool any_model(const Services& services);

/// A request's model: "" for automatic choice, else a text model of the catalogue that can be asked. PROVIDER_NOT_CONFIGURED when
/// there is none at all, MODEL_UNAVAILABLE otherwise.
Result<void> check_model_choice(const Services& services, const std::string& model);

}  // namespace planexe::server
