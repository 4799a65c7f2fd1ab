#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "llm/catalogue.hpp"
#include "llm/model_response.hpp"

namespace planexe::llm {

/// What an endpoint turned out not to take, beyond its capability table; remembered for the model.
struct Adaptations {
  std::set<std::string, std::less<>> dropped;              ///< parameters by their Responses API names
  std::optional<std::vector<std::string>> effort_values;   ///< as the provider listed them in a refusal
  std::string max_tokens_name;                             ///< "" = as the capability table says

  [[nodiscard]] bool drops(std::string_view parameter) const { return dropped.contains(parameter); }
};

/// Learns from a refused parameter (code unsupported_parameter or unsupported_value). False when the parameter is not
/// one that a request can do without, or was adapted before: then sending again would fail again.
bool adapt(const ProviderError& error, Adaptations& adaptations);

/// The parameter that an error is about: its `param`, else the first quoted word of the message.
std::string refused_parameter(const ProviderError& error);

/// The effort to send: the wanted value if it is accepted, else the next higher one, else the highest; "" when the
/// model takes none or none is wanted.
std::string adapt_effort(std::string_view wanted, const std::vector<std::string>& accepted);

/// One step below `current` among the accepted values, or nothing at the bottom.
std::optional<std::string> lower_effort(std::string_view current, const std::vector<std::string>& accepted);

/// The effort values in force for a model.
const std::vector<std::string>& effort_values_of(const ModelEntry& model, const Adaptations& adaptations);

}  // namespace planexe::llm
