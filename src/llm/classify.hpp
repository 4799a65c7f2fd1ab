#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "llm/delay.hpp"
#include "llm/model_response.hpp"

namespace planexe::llm {

/// Where an attempt failed.
enum class FailurePhase {
  connect,       ///< no connection: name, refusal, time-out; nothing was sent
  tls,           ///< no trusted connection; nothing was sent
  no_answer,     ///< the connection ended before the response headers
  headers_late,  ///< no response headers in time
  http,          ///< a status other than 2xx
  cut,           ///< the stream ended, or broke, before its final event
  stalled,       ///< no bytes, or no progress, in time
  protocol,      ///< what came is not what the protocol allows
  repeated,      ///< the same chunk without end
  too_long,      ///< an own limit: line, event, text
  event,         ///< an error inside a stream, or a failed response
  incomplete,    ///< the response ended early; the reason is in `code`
  refusal,       ///< the model refused; the text is in `message`
  gone,          ///< a response to be continued does not exist any more
};

/// Everything that is known of a failure.
struct FailureSignal {
  FailurePhase phase = FailurePhase::http;
  int status = 0;
  ProviderError error;
  HeaderMap headers;
  bool had_parent_id = false;
};

/// The classes of llm.md 3.1.
enum class FailureClass { retry, retry_after, adapt, rebuild_chain, raise_budget, next_model, fatal_provider, fatal_call };

/// What a failure means: exactly one class, and what the limits should learn from it.
struct Classification {
  FailureClass kind = FailureClass::retry;
  ErrorCode code = ErrorCode::ProviderUnavailable;   ///< when it ends the call
  std::string message;                               ///< one line, not yet redacted
  std::optional<std::chrono::milliseconds> delay;    ///< of the server; a minimum
  bool broken_stream = false;                        ///< counts as a restart, not as a retry
  bool rate_limited = false;                         ///< pauses the bucket
  bool congested = false;                            ///< halves the concurrency
  bool endpoint_failed = false;                      ///< counts for the breaker
  bool possibly_billed = false;                      ///< the provider may have worked and will charge for it
};

/// The one classification of failures.
Classification classify(const FailureSignal& signal, const ClientSettings& settings, TimePoint now);

std::string_view to_string(FailureClass kind);

}  // namespace planexe::llm
