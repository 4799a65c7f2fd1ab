#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

/// What a provider says about a failure: in an error body, an error event, or the response object.
struct ProviderError {
  std::string code, type, message, param;
  bool operator==(const ProviderError&) const = default;
};

/// A response of any transport, in the terms of the Responses API.
struct ModelResponse {
  std::string id;
  std::string status;             ///< queued in_progress completed incomplete failed cancelled; open set
  std::string incomplete_reason;  ///< max_output_tokens content_filter; open set
  std::string model;              ///< as the provider names it
  std::string service_tier;
  std::string text;               ///< all text parts of all message items
  std::string refusal;
  std::string reasoning;          ///< what the provider shows of it
  json::array reasoning_items;    ///< with encrypted content, to be sent back when the provider stores nothing
  std::string phase;              ///< of the last message item, to be sent back unchanged
  bool has_message = false;
  std::optional<ProviderError> error;
  std::optional<Usage> usage;     ///< nothing when the provider did not say

  /// True for the states after which a response does not change any more.
  [[nodiscard]] bool ended() const;
};

/// Reads a response object (llm.md 1.3). Unknown members are ignored and absent ones are normal. An object without any
/// member of a response is an error (PROVIDER_ERROR), so that an unrelated JSON body is not taken for an empty answer.
Result<ModelResponse> read_response(const json::value& value);

/// Reads a chat completion (llm.md 1.11): `choices[0].message`, finish reason and usage.
Result<ModelResponse> read_chat_completion(const json::value& value);

/// Reads `{"error": …}`, an error event or a bare error object. Lists with one object, numbers as code and plain texts
/// occur; nothing when there is no error in it.
std::optional<ProviderError> read_provider_error(const json::value& value);

/// Usage of both transports; absent details are 0, negative or absurd figures are limited to [0, 10^12].
std::optional<Usage> read_usage(const json::value& value);

/// completed, incomplete (with the reason) or failed for a finish reason of chat completions.
void apply_finish_reason(std::string_view reason, ModelResponse& response);

}  // namespace planexe::llm
