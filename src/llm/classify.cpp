#include "llm/classify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include "base/text.hpp"

namespace planexe::llm {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.contains(word); });
}

/// Codes, types and messages in lower case, so that one spelling is compared.
struct Said {
  std::string code, type, message;

  explicit Said(const ProviderError& error)
      : code(lower(error.code)), type(lower(error.type)), message(lower(error.message)) {}

  [[nodiscard]] bool is(std::initializer_list<std::string_view> names) const {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return code == name || type == name; });
  }
  [[nodiscard]] bool says(std::initializer_list<std::string_view> words) const { return contains_any(message, words); }
};

bool is_quota(const Said& said) {
  return said.is({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active"}) ||
         said.says({"exceeded your current quota", "spend limit", "insufficient credits", "credit balance"});
}

bool is_context(const Said& said) {
  return said.is({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}) ||
         said.says({"context length", "context window", "maximum context", "context size", "prompt is too long",
                    "too many tokens", "input is too long"});
}

bool is_lost_parent(const Said& said, bool had_parent_id) {
  if (said.is({"previous_response_not_found"})) return true;
  return had_parent_id && said.says({"previous response", "previous_response_id", "response with id"});
}

bool is_parameter(const Said& said) {
  return said.is({"unsupported_parameter", "unsupported_value", "unknown_parameter"}) ||
         said.says({"unsupported parameter", "unsupported value", "unrecognized request argument", "unknown parameter"});
}

bool is_policy(const Said& said) {
  return said.is({"content_filter", "content_policy_violation", "bio_policy", "moderation_blocked",
                  "responsibleaipolicyviolation"});
}

bool is_about_model(const Said& said) {
  return said.is({"model_not_found", "model_not_available"}) ||
         (said.says({"model"}) && said.says({"does not have access", "not have access", "not allowed to use",
                                             "must be verified to use", "not permitted", "does not exist"}));
}

/// "Request too large … Limit 30000, Requested 45000": waiting would not help.
bool is_larger_than_limit(const Said& said) {
  if (said.says({"request too large", "request is too large"})) return true;
  const auto number_behind = [&](std::string_view word) -> std::int64_t {
    const std::size_t at = said.message.find(word);
    if (at == std::string::npos) return -1;
    std::int64_t value = -1;
    const char* begin = said.message.data() + at + word.size();
    std::from_chars(begin, said.message.data() + said.message.size(), value);
    return value;
  };
  const std::int64_t limit = number_behind("limit ");
  const std::int64_t requested = number_behind("requested ");
  return limit > 0 && requested > limit && number_behind("used ") <= 0;
}

Classification make(FailureClass kind, ErrorCode code) {
  Classification result;
  result.kind = kind;
  result.code = code;
  return result;
}

Classification make_retry(std::optional<std::chrono::milliseconds> delay) {
  Classification result = make(delay ? FailureClass::retry_after : FailureClass::retry, ErrorCode::ProviderUnavailable);
  result.delay = delay;
  return result;
}

Classification rate_limited(const FailureSignal& signal, const Said& said, TimePoint now) {
  if (is_larger_than_limit(said)) return make(FailureClass::next_model, ErrorCode::ProviderUnavailable);
  Classification result = make_retry(server_delay(signal.headers, signal.error.message, now));
  result.rate_limited = true;
  result.congested = true;
  return result;
}

Classification server_failed(const FailureSignal& signal, TimePoint now) {
  Classification result = make_retry(server_delay(signal.headers, signal.error.message, now));
  // A conflict says nothing about the endpoint's health.
  result.endpoint_failed = signal.status != 409;
  result.congested = signal.status == 503 || signal.status == 529;
  return result;
}

/// What code and message say, whatever the status; nothing when they decide nothing.
std::optional<Classification> by_words(const FailureSignal& signal, const Said& said, const ClientSettings& settings,
                                       TimePoint now) {
  if (is_quota(said)) return make(FailureClass::fatal_provider, ErrorCode::ProviderQuota);
  if (said.is({"invalid_api_key", "authentication_error", "account_deactivated"})) {
    return make(FailureClass::fatal_provider, ErrorCode::ProviderAuth);
  }
  if (is_lost_parent(said, signal.had_parent_id)) return make(FailureClass::rebuild_chain, ErrorCode::Internal);
  if (said.is({"conversation_locked"})) return make_retry(settings.conversation_locked_delay);
  if (is_policy(said)) return make(FailureClass::next_model, ErrorCode::ContentFiltered);
  if (said.is({"invalid_json_schema", "invalid_prompt", "missing_required_parameter"})) {
    return make(FailureClass::fatal_call, ErrorCode::Internal);
  }
  if (is_parameter(said)) return make(FailureClass::adapt, ErrorCode::Internal);
  if (said.is({"rate_limit_exceeded", "rate_limit_error", "tokens", "requests"}) || said.says({"rate limit reached"})) {
    return rate_limited(signal, said, now);
  }
  if (is_context(said)) return make(FailureClass::next_model, ErrorCode::ContextTooLong);
  if (said.is({"slow_down", "server_is_overloaded", "overloaded_error"})) {
    Classification result = server_failed(signal, now);
    result.congested = true;
    return result;
  }
  return std::nullopt;
}

bool is_server_status(int status) {
  return status == 500 || (status >= 502 && status <= 504) || (status >= 520 && status <= 529);
}

Classification by_status(const FailureSignal& signal, const Said& said, TimePoint now) {
  const int status = signal.status;
  if (status == 401) return make(FailureClass::fatal_provider, ErrorCode::ProviderAuth);
  if (status == 402) return make(FailureClass::fatal_provider, ErrorCode::ProviderQuota);
  if (status == 403) {
    return make(is_about_model(said) ? FailureClass::next_model : FailureClass::fatal_provider,
                is_about_model(said) ? ErrorCode::ProviderUnavailable : ErrorCode::ProviderAuth);
  }
  if (status == 404) {
    if (signal.had_parent_id && !is_about_model(said)) return make(FailureClass::rebuild_chain, ErrorCode::Internal);
    return make(FailureClass::next_model, ErrorCode::ProviderUnavailable);
  }
  if (status == 429) return rate_limited(signal, said, now);
  if (status == 408 || status == 409 || is_server_status(status)) return server_failed(signal, now);
  if (status >= 300 && status < 400) return make(FailureClass::fatal_provider, ErrorCode::ProviderUnavailable);
  if (status >= 500) return make(FailureClass::next_model, ErrorCode::ProviderUnavailable);
  return make(FailureClass::fatal_call, ErrorCode::Internal);
}

/// The server's own word on retrying goes before everything but the chain: "false" means that the same request will
/// fail again here, "true" that it is worth another try.
void obey_should_retry(const FailureSignal& signal, TimePoint now, Classification& result) {
  const auto header = signal.headers.find("x-should-retry");
  if (header == signal.headers.end()) return;
  const bool retries = result.kind == FailureClass::retry || result.kind == FailureClass::retry_after;
  if (header->second == "false" && retries) {
    result.kind = FailureClass::next_model;
    result.delay.reset();
  } else if (header->second == "true" && !retries) {
    const auto delay = server_delay(signal.headers, signal.error.message, now);
    result.kind = delay ? FailureClass::retry_after : FailureClass::retry;
    result.code = ErrorCode::ProviderUnavailable;
    result.delay = delay;
  }
}

Classification classify_http(const FailureSignal& signal, const ClientSettings& settings, TimePoint now) {
  const Said said(signal.error);
  Classification result = by_words(signal, said, settings, now).value_or(by_status(signal, said, now));
  obey_should_retry(signal, now, result);
  return result;
}

/// An error inside a 200 stream. Without a known code it is the server's trouble.
Classification classify_event(const FailureSignal& signal, const ClientSettings& settings, TimePoint now) {
  const Said said(signal.error);
  int numeric = 0;
  const std::string& code = signal.error.code;
  std::from_chars(code.data(), code.data() + code.size(), numeric);
  FailureSignal as_status = signal;
  as_status.status = numeric;
  Classification result = server_failed(signal, now);
  if (const auto words = by_words(signal, said, settings, now)) {
    result = *words;
  } else if (numeric >= 400 && numeric < 600) {
    result = by_status(as_status, said, now);
  } else if (is_about_model(said)) {
    result = make(FailureClass::next_model, ErrorCode::ProviderUnavailable);
  }
  result.broken_stream = !result.rate_limited;
  result.possibly_billed = true;
  return result;
}

Classification classify_transport(FailurePhase phase) {
  Classification result = make_retry(std::nullopt);
  result.endpoint_failed = true;
  switch (phase) {
    case FailurePhase::tls:
      result.kind = FailureClass::fatal_provider;
      break;
    case FailurePhase::headers_late:
    case FailurePhase::no_answer:
      result.congested = phase == FailurePhase::headers_late;
      result.possibly_billed = true;
      break;
    case FailurePhase::cut:
    case FailurePhase::stalled:
    case FailurePhase::protocol:
    case FailurePhase::gone:
      result.congested = phase == FailurePhase::stalled;
      result.broken_stream = true;
      result.possibly_billed = true;
      break;
    case FailurePhase::repeated:
    case FailurePhase::too_long:
      result.broken_stream = true;
      result.possibly_billed = true;
      result.endpoint_failed = false;
      break;
    default: break;
  }
  return result;
}

Classification classify_answer(const FailureSignal& signal) {
  if (signal.phase == FailurePhase::refusal) return make(FailureClass::next_model, ErrorCode::ModelRefused);
  if (signal.error.code == "content_filter") return make(FailureClass::next_model, ErrorCode::ContentFiltered);
  return make(FailureClass::raise_budget, ErrorCode::OutputTruncated);
}

std::string place_of(const FailureSignal& signal) {
  switch (signal.phase) {
    case FailurePhase::connect: return "no connection to the provider";
    case FailurePhase::tls: return "no trusted connection to the provider";
    case FailurePhase::no_answer: return "the connection ended before the answer began";
    case FailurePhase::headers_late: return "the provider did not answer in time";
    case FailurePhase::http: return fmt::format("the provider answered with HTTP status {}", signal.status);
    case FailurePhase::cut: return "the answer broke off before its end";
    case FailurePhase::stalled: return "the answer stopped coming";
    case FailurePhase::protocol: return "the answer breaks the protocol";
    case FailurePhase::repeated: return "the model repeated the same text without end";
    case FailurePhase::too_long: return "the answer is over a limit";
    case FailurePhase::event: return "the provider reported a failure";
    case FailurePhase::incomplete:
      return signal.error.code == "content_filter" ? "the provider's content filter stopped the answer"
                                                   : "the answer is longer than its output budget";
    case FailurePhase::refusal: return "the model refused to answer";
    case FailurePhase::gone: return "the provider does not know the response any more";
  }
  return "the attempt failed";
}

std::string describe(const FailureSignal& signal) {
  constexpr std::size_t kDetailCharsMax = 600;
  std::string text = place_of(signal);
  if (signal.phase == FailurePhase::http && signal.status >= 300 && signal.status < 400) {
    text += "; redirects are refused, set base_url to the final address";
  }
  std::string detail = signal.error.code;
  if (!signal.error.param.empty()) detail += (detail.empty() ? "" : " ") + signal.error.param;
  if (!signal.error.message.empty()) detail += (detail.empty() ? "" : ": ") + signal.error.message;
  if (detail.empty()) return text;
  detail = trim(strip_control(detail));
  std::replace(detail.begin(), detail.end(), '\n', ' ');
  return text + " (" + cut_code_points(detail, kDetailCharsMax) + ")";
}

}  // namespace

Classification classify(const FailureSignal& signal, const ClientSettings& settings, TimePoint now) {
  Classification result;
  switch (signal.phase) {
    case FailurePhase::http: result = classify_http(signal, settings, now); break;
    case FailurePhase::event: result = classify_event(signal, settings, now); break;
    case FailurePhase::incomplete:
    case FailurePhase::refusal: result = classify_answer(signal); break;
    default: result = classify_transport(signal.phase); break;
  }
  result.message = describe(signal);
  return result;
}

std::string_view to_string(FailureClass kind) {
  constexpr std::array<std::string_view, 8> kNames{"retry",        "retry_after", "adapt",          "rebuild_chain",
                                                   "raise_budget", "next_model",  "fatal_provider", "fatal_call"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace planexe::llm
