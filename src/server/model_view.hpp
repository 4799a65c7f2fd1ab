#pragma once

#include <optional>
#include <string_view>

#include "base/json.hpp"
#include "llm/catalogue.hpp"

namespace planexe::server {

/// Model of the contract. `why_unavailable`: "" for one that can be asked. Any thread.
json::object model_view(const llm::ModelEntry& model, const std::optional<llm::Price>& price,
                        std::string_view why_unavailable);

/// Whether a list for `capability` (text, image, all) has this model.
bool has_capability(const llm::ModelEntry& model, std::string_view capability);

}  // namespace planexe::server
