#include "server/conversation/turn_failure.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace planexe::server {
namespace {

struct Known {
  ErrorCode code;
  bool retryable;
  std::string_view message;
};

constexpr std::array kKnown{
    Known{ErrorCode::SessionNotFound, false, "The token is unknown; send the message again."},
    Known{ErrorCode::SessionExpired, false, "The token has expired; send the message again."},
    Known{ErrorCode::SessionMismatch, false, "The token belongs to something else."},
    Known{ErrorCode::ModelUnavailable, false, "This model cannot be used; choose another one."},
    Known{ErrorCode::ProviderNotConfigured, false, "No model provider is configured on this server."},
    Known{ErrorCode::ProviderError, true, "The model provider failed; try again."},
    Known{ErrorCode::ProviderTimeout, true, "The model provider did not answer in time; try again."},
    Known{ErrorCode::ProviderAuth, false, "The model provider refused the server's key."},
    Known{ErrorCode::ProviderQuota, false, "The quota at the model provider is used up."},
    Known{ErrorCode::ProviderUnavailable, true, "The model provider cannot be reached; try again in a moment."},
    Known{ErrorCode::ModelRefused, false, "The model declined to answer; put it in other words."},
    Known{ErrorCode::ContentFiltered, false, "The provider's filter stopped the answer; put it in other words."},
    Known{ErrorCode::OutputTruncated, true, "The answer was too long and was cut; try again."},
    Known{ErrorCode::SchemaRepairExhausted, true, "The model did not give a usable form; try again."},
    Known{ErrorCode::ContextTooLong, false, "The conversation is too long for this model; choose one with a larger context."},
    Known{ErrorCode::Cancelled, true, "It was stopped before it was complete."},
    Known{ErrorCode::DatabaseUnavailable, true, "The database does not answer; try again."},
    Known{ErrorCode::ShuttingDown, true, "The server was stopped before the answer was complete; send the message again."},
    Known{ErrorCode::Internal, true, "Something went wrong inside the server; try again."},
};

/// Codes of other layers that mean one of the list.
ErrorCode wire_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::Timeout: return ErrorCode::ProviderTimeout;
    case ErrorCode::DatabaseError:
    case ErrorCode::Conflict:
    case ErrorCode::IoError: return ErrorCode::DatabaseUnavailable;
    default: return code;
  }
}

}  // namespace

TurnFailure turn_failure(ErrorCode code) {
  const auto wanted = wire_code(code);
  const auto it = std::ranges::find(kKnown, wanted, &Known::code);
  const auto& known = it == kKnown.end() ? kKnown.back() : *it;
  return {known.code, std::string(known.message), known.retryable};
}

TurnFailure turn_failure(const Error& error) { return turn_failure(error.code); }

json::object last_error_json(const TurnFailure& failure, TimePoint at) {
  return {{"code", to_string(failure.code)}, {"message", failure.message}, {"at", format_iso(at)}};
}

json::object turn_error_json(const TurnFailure& failure) {
  return {{"code", to_string(failure.code)}, {"message", failure.message}};
}

Error as_http_error(const TurnFailure& failure) {
  switch (failure.code) {
    case ErrorCode::ProviderTimeout:
    case ErrorCode::ProviderNotConfigured:
    case ErrorCode::DatabaseUnavailable:
    case ErrorCode::ShuttingDown:
    case ErrorCode::Internal: return Error(failure.code, failure.message);
    default:
      return Error(ErrorCode::ProviderError, failure.message, "Reason: " + std::string(to_string(failure.code)) + ".");
  }
}

}  // namespace planexe::server
