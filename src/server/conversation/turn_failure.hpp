#pragma once

#include <string>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

namespace planexe::server {

/// Why a turn or an analysis failed, as clients see it: a code of the contract's list and a sentence of our own, never
/// words of a provider.
struct TurnFailure {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
  bool retryable = false;
};

/// Any error as one of the codes that a turn may fail with.
TurnFailure turn_failure(ErrorCode code);
TurnFailure turn_failure(const Error& error);

/// {code, message, at} of a conversation; {code, message} of a turn.
json::object last_error_json(const TurnFailure& failure, TimePoint at);
json::object turn_error_json(const TurnFailure& failure);

/// The same for an answer without a stream: 502 PROVIDER_ERROR, 504 PROVIDER_TIMEOUT, or what is the server's own fault.
Error as_http_error(const TurnFailure& failure);

}  // namespace planexe::server
