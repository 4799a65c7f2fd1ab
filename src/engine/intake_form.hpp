#pragma once

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::engine {

/// Checks an intake form and fills the defaults of its optional fields, so that prompts can rely on every field. VALIDATION_FAILED names the field.
Result<void> check_intake(json::value& form);

}  // namespace planexe::engine
