#pragma once

#include <functional>
#include <string>

#include "base/error.hpp"
#include "llm/catalogue.hpp"
#include "llm/request.hpp"

namespace planexe::llm {

using Secrets = std::function<std::string(const std::string& variable)>;

/// The URL of a path below the entry's address, variables replaced. Error: INVALID_CONFIG when one is not set.
Result<std::string> endpoint_url(const ModelEntry& model, const Secrets& secrets, const std::string& path);

/// Headers that carry the key, and the entry's own ones; those whose variables are not set are left out.
HeaderList endpoint_headers(const ModelEntry& model, const Secrets& secrets);

/// Values of all variables that keys and headers of the catalogue name, and what may be a key in a header itself: to be masked
/// everywhere.
std::vector<std::string> secret_values(const Catalogue& catalogue, const Secrets& secrets);

/// Refuses keys that cannot be sent in a header. Error: INVALID_CONFIG; names the variable, never the value.
Result<void> check_keys(const Catalogue& catalogue, const Secrets& secrets);

}  // namespace planexe::llm
