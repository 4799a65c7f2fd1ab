#pragma once

#include <optional>
#include <string>

#include "base/json.hpp"

namespace planexe::rehearsal {

/// Where a schema leaves the strict subset, as the provider says it (llm.md 1.9), or nothing. Written from the vendor's rules and apart
/// from the client's own check, so that one does not hide the other's mistakes.
std::optional<std::string> strict_violation(const json::value& schema);

}  // namespace planexe::rehearsal
