#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "request.hpp"

namespace planexe::rehearsal {

/// Everything about one answer that its wire forms show.
struct Answer {
  std::string id;            ///< "resp_…"
  std::int64_t created_at = 0;
  std::string text, reasoning, refusal;
  std::string status = "completed";      ///< completed, incomplete, failed, cancelled
  std::string incomplete_reason;
  std::string error_code, error_message;
  std::int64_t input_tokens = 0, cached_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
};

/// Characters / 4, rounded up: the rule of thumb that the client's estimates use too.
std::int64_t estimate_tokens(std::string_view text);

/// The beginning of a text with at most that many tokens by the same rule, cut between characters.
std::string cut_to_tokens(std::string_view text, std::int64_t tokens);

/// The response object of the Responses API; `status` overrides (for created and in_progress events).
json::object response_object(const Request& request, const Answer& answer, std::string_view status);

/// One server-sent event: name, and data as one line of JSON.
struct WireEvent {
  std::string type;
  json::object data;
  [[nodiscard]] std::string text() const;  ///< "event: …\ndata: …\n\n"
};

/// The events of a streamed response in documented order with sequence numbers from 0; the text in pieces of about `chunk` characters.
std::vector<WireEvent> response_events(const Request& request, const Answer& answer, std::size_t chunk);

/// Chat completions: the whole object, and the chunks of a stream (without the final [DONE]).
json::object chat_object(const Request& request, const Answer& answer);
std::vector<json::object> chat_chunks(const Request& request, const Answer& answer, std::size_t chunk);

/// An error body as providers send it.
json::object error_object(std::string_view message, std::string_view type, std::string_view code, std::string_view param = {});

}  // namespace planexe::rehearsal
