#include "server/message.hpp"

#include <charconv>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kJsonType = "application/json";

json::object error_body(ErrorCode code, std::string_view message, json::value detail, const std::string& request_id) {
  return {{"error", cut_code_points(message, planexe::limits::kErrorMessageCharsMax)},
          {"code", to_string(code)},
          {"detail", std::move(detail)},
          {"request_id", request_id}};
}

/// Seconds after which a refused request may succeed.
constexpr int kRetrySeconds = 5;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string_view() : std::string_view(it->second);
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

std::vector<std::string> Request::query_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query)
    if (key == name) values.push_back(value);
  return values;
}

std::int64_t Request::query_int(std::string_view name, std::int64_t fallback) const {
  const auto text = query_value(name);
  if (!text) return fallback;
  std::int64_t number = fallback;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

bool Request::query_bool(std::string_view name, bool fallback) const {
  const auto text = query_value(name);
  return text ? *text == "true" || *text == "1" : fallback;
}

const std::string& Request::parameter(std::string_view name) const {
  const auto it = parameters.find(name);
  PLANEXE_ASSERT(it != parameters.end());
  return it->second;
}

Response& Response::with(std::string name, std::string value) {
  headers.emplace_back(std::move(name), std::move(value));
  return *this;
}

Response json_response(const json::value& value, int status) {
  Response response;
  response.status = status;
  response.content_type = kJsonType;
  response.body = to_json(value);
  return response;
}

Response empty_response(int status) {
  Response response;
  response.status = status;
  return response;
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidJson:
    case ErrorCode::InvalidRequest: return 400;
    case ErrorCode::Unauthorized: return 401;
    case ErrorCode::HostNotAllowed:
    case ErrorCode::OriginNotAllowed:
    case ErrorCode::StreamingDisabled: return 403;
    case ErrorCode::NotFound:
    case ErrorCode::PlanNotFound:
    case ErrorCode::TaskNotFound:
    case ErrorCode::FileNotFound:
    case ErrorCode::ReportNotFound:
    case ErrorCode::ContentNotFound:
    case ErrorCode::InteractionNotFound:
    case ErrorCode::ConversationNotFound:
    case ErrorCode::SessionNotFound:
    case ErrorCode::SessionMismatch: return 404;
    case ErrorCode::MethodNotAllowed: return 405;
    case ErrorCode::NotAcceptable: return 406;
    case ErrorCode::RequestTimeout: return 408;
    case ErrorCode::PlanActive:
    case ErrorCode::PlanNotResumable:
    case ErrorCode::PlanNotCancellable:
    case ErrorCode::TaskNotRetryable:
    case ErrorCode::ConversationBusy:
    case ErrorCode::IdempotencyInProgress: return 409;
    case ErrorCode::SessionExpired: return 410;
    case ErrorCode::PayloadTooLarge: return 413;
    case ErrorCode::UriTooLong: return 414;
    case ErrorCode::UnsupportedMediaType: return 415;
    case ErrorCode::RangeNotSatisfiable: return 416;
    case ErrorCode::UpgradeRequired: return 426;
    case ErrorCode::HeadersTooLarge: return 431;
    case ErrorCode::ValidationFailed:
    case ErrorCode::CursorInvalid:
    case ErrorCode::ModelUnavailable:
    case ErrorCode::SchemaModelInvalid:
    case ErrorCode::IdempotencyKeyReused: return 422;
    case ErrorCode::RateLimited:
    case ErrorCode::QueueFull: return 429;
    case ErrorCode::ProviderError: return 502;
    case ErrorCode::ProviderTimeout: return 504;
    case ErrorCode::DatabaseUnavailable:
    case ErrorCode::ProviderNotConfigured:
    case ErrorCode::ShuttingDown: return 503;
    default: return 500;
  }
}

namespace {

/// What a client may see of an error: codes of the inside become those of the contract.
Error outward(const Error& error) {
  switch (error.code) {
    case ErrorCode::DatabaseError:
    case ErrorCode::IoError: return {ErrorCode::DatabaseUnavailable, "The database cannot answer now; try again."};
    case ErrorCode::Locked: return {ErrorCode::PlanActive, "Another process is running this plan."};
    case ErrorCode::Conflict:
    case ErrorCode::Fenced: return {ErrorCode::PlanActive, "The plan changed meanwhile; read it again."};
    case ErrorCode::LimitExceeded: return {ErrorCode::PayloadTooLarge, "This is larger than what can be stored."};
    default: break;
  }
  if (http_status(error.code) != 500) return error;
  return {ErrorCode::Internal, "The server could not answer this request; its log says why."};
}

}  // namespace

Response error_response(const Error& error, const std::string& request_id) {
  const Error shown = outward(error);
  const int status = http_status(shown.code);
  // A detail of an inner error may name files or statements; only codes of the contract carry one.
  json::value detail(shown.detail.empty() ? std::string_view(shown.message) : std::string_view(shown.detail));
  auto body = error_body(shown.code, shown.message, std::move(detail), request_id);
  if (status == 429 || status == 503) body["retry_after_seconds"] = kRetrySeconds;
  auto response = json_response(body, status);
  if (status == 429 || status == 503) response.with("Retry-After", std::to_string(kRetrySeconds));
  if (status == 401) response.with("WWW-Authenticate", "Bearer");
  return response;
}

Response field_errors_response(const std::vector<FieldError>& errors, const std::string& request_id) {
  json::array list;
  for (const auto& error : errors) {
    json::object entry{{"type", error.type}, {"loc", error.loc}, {"msg", error.msg}};
    if (!error.ctx.empty()) entry["ctx"] = error.ctx;
    list.push_back(std::move(entry));
  }
  std::string place;
  if (!errors.empty())
    for (std::size_t i = 1; i < errors.front().loc.size(); ++i) {
      const auto& part = errors.front().loc[i];
      place += (place.empty() ? "" : ".") + (part.is_string() ? std::string(part.get_string()) : to_json(part));
    }
  const std::string message = errors.empty() ? "The request does not fit." : (place.empty() ? "" : place + ": ") + errors.front().msg;
  return json_response(error_body(ErrorCode::ValidationFailed, message, std::move(list), request_id), 422);
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!valid_utf8(out) || out.find('\0') != std::string::npos) return std::nullopt;
  return out;
}

}  // namespace planexe::server
