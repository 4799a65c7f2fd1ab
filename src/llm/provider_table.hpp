#pragma once

#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/catalogue.hpp"

namespace planexe::llm {

/// Fills an entry with what the embedded table knows of its provider and of its model family. False for an unknown
/// provider; the entry then keeps the most modest capabilities.
bool apply_provider_defaults(ModelEntry& entry);

/// Sets the members of `object` that are capabilities; error (INVALID_CONFIG) for a wrong type. `place` begins messages.
Result<void> apply_capabilities(const json::object& object, std::string_view place, ModelEntry& entry);

/// True for a key that apply_capabilities reads.
bool is_capability_key(std::string_view key);

/// The names of the known providers, for messages.
std::string known_providers();

}  // namespace planexe::llm
