#include "llm/model_response.hpp"

#include <algorithm>
#include <array>

namespace planexe::llm {

namespace {

std::string text_of(const json::value& value, std::string_view key) {
  return std::string(get_string(value, key).value_or(""));
}

/// A string or a number as text: some servers send numeric codes.
std::string scalar_of(const json::value& value, std::string_view key) {
  const json::value* member = find(value, key);
  if (member == nullptr) return {};
  if (member->is_string()) return std::string(member->get_string());
  if (member->is_number()) return to_json(*member);
  return {};
}

std::int64_t count_of(const json::value& value, std::string_view key) {
  constexpr std::int64_t kMax = 1'000'000'000'000;
  const auto number = get_double(value, key);
  if (!number || !(*number > 0)) return 0;
  return *number >= static_cast<double>(kMax) ? kMax : static_cast<std::int64_t>(*number);
}

std::int64_t detail_of(const json::value& usage, std::string_view details, std::string_view key) {
  const json::value* object = find(usage, details);
  return object == nullptr ? 0 : count_of(*object, key);
}

void read_message_item(const json::value& item, ModelResponse& response) {
  response.has_message = true;
  response.phase = text_of(item, "phase");
  if (const auto plain = get_string(item, "content")) response.text += *plain;
  const json::array* content = get_array(item, "content");
  if (content == nullptr) return;
  for (const json::value& part : *content) {
    if (get_string(part, "type") == "refusal") {
      response.refusal += get_string(part, "refusal").value_or("");
    } else {
      response.text += get_string(part, "text").value_or("");
    }
  }
}

void read_reasoning_item(const json::value& item, ModelResponse& response) {
  constexpr std::array<std::string_view, 2> kLists{"summary", "content"};
  for (const std::string_view list : kLists) {
    const json::array* parts = get_array(item, list);
    if (parts == nullptr) continue;
    for (const json::value& part : *parts) {
      const auto text = get_string(part, "text");
      if (!text || text->empty()) continue;
      if (!response.reasoning.empty()) response.reasoning += "\n\n";
      response.reasoning += *text;
    }
  }
  if (get_string(item, "encrypted_content")) response.reasoning_items.push_back(item);
}

}  // namespace

bool ModelResponse::ended() const { return status != "queued" && status != "in_progress"; }

Result<ModelResponse> read_response(const json::value& value) {
  const bool recognised = value.is_object() && (find(value, "output") != nullptr || find(value, "status") != nullptr ||
                                                get_string(value, "object") == "response");
  if (!recognised) return fail(ErrorCode::ProviderError, "the answer is no response object");
  ModelResponse response;
  response.id = text_of(value, "id");
  response.status = text_of(value, "status");
  if (response.status.empty()) response.status = "completed";
  response.model = text_of(value, "model");
  response.service_tier = text_of(value, "service_tier");
  if (const json::value* details = find(value, "incomplete_details")) {
    response.incomplete_reason = text_of(*details, "reason");
  }
  if (const json::value* error = find(value, "error")) response.error = read_provider_error(*error);
  if (const json::value* usage = find(value, "usage")) response.usage = read_usage(*usage);
  if (const json::array* output = get_array(value, "output")) {
    for (const json::value& item : *output) {
      const auto type = get_string(item, "type").value_or("message");
      if (type == "message") read_message_item(item, response);
      if (type == "reasoning") read_reasoning_item(item, response);
    }
  }
  return response;
}

Result<ModelResponse> read_chat_completion(const json::value& value) {
  const json::array* choices = get_array(value, "choices");
  if (choices == nullptr || choices->empty()) {
    return fail(ErrorCode::ProviderError, "the answer is no chat completion");
  }
  ModelResponse response;
  response.id = text_of(value, "id");
  response.model = text_of(value, "model");
  response.service_tier = text_of(value, "service_tier");
  const json::value& choice = choices->front();
  if (const json::value* message = find(choice, "message")) {
    response.has_message = true;
    response.text = text_of(*message, "content");
    response.refusal = text_of(*message, "refusal");
    response.reasoning = text_of(*message, "reasoning_content");
    if (response.reasoning.empty()) response.reasoning = text_of(*message, "reasoning");
  }
  apply_finish_reason(get_string(choice, "finish_reason").value_or("stop"), response);
  if (const json::value* error = find(value, "error")) response.error = read_provider_error(*error);
  if (response.error) response.status = "failed";
  if (const json::value* usage = find(value, "usage")) response.usage = read_usage(*usage);
  return response;
}

std::optional<ProviderError> read_provider_error(const json::value& value) {
  if (value.is_string()) return ProviderError{.code = {}, .type = {}, .message = std::string(value.get_string()), .param = {}};
  if (value.is_array()) {
    return value.get_array().empty() ? std::nullopt : read_provider_error(value.get_array().front());
  }
  if (!value.is_object()) return std::nullopt;
  if (const json::value* nested = find(value, "error"); nested != nullptr && !nested->is_null()) {
    return read_provider_error(*nested);
  }
  ProviderError error{.code = scalar_of(value, "code"),
                      .type = text_of(value, "type"),
                      .message = text_of(value, "message"),
                      .param = text_of(value, "param")};
  // The flat error event names itself in `type`; some servers put the text in `detail`.
  if (error.type == "error") error.type.clear();
  if (error.message.empty()) error.message = text_of(value, "detail");
  if (error == ProviderError{}) return std::nullopt;
  return error;
}

std::optional<Usage> read_usage(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const bool chat = find(value, "prompt_tokens") != nullptr || find(value, "completion_tokens") != nullptr;
  const std::string_view in = chat ? "prompt_tokens" : "input_tokens";
  const std::string_view out = chat ? "completion_tokens" : "output_tokens";
  const std::string_view in_details = chat ? "prompt_tokens_details" : "input_tokens_details";
  const std::string_view out_details = chat ? "completion_tokens_details" : "output_tokens_details";
  // Counts that are absent or no numbers are no usage: an estimate says more than 0.
  if (!get_double(value, in) && !get_double(value, out)) return std::nullopt;
  Usage usage;
  usage.input_tokens = count_of(value, in);
  usage.output_tokens = count_of(value, out);
  usage.cached_input_tokens = std::min(detail_of(value, in_details, "cached_tokens"), usage.input_tokens);
  usage.cache_write_tokens = std::min(detail_of(value, in_details, "cache_write_tokens"),
                                      usage.input_tokens - usage.cached_input_tokens);
  usage.reasoning_tokens = std::min(detail_of(value, out_details, "reasoning_tokens"), usage.output_tokens);
  return usage;
}

void apply_finish_reason(std::string_view reason, ModelResponse& response) {
  if (reason == "length" || reason == "max_tokens") {
    response.status = "incomplete";
    response.incomplete_reason = "max_output_tokens";
  } else if (reason == "content_filter") {
    response.status = "incomplete";
    response.incomplete_reason = "content_filter";
  } else if (reason == "error") {
    response.status = "failed";
  } else {
    response.status = "completed";
  }
}

}  // namespace planexe::llm
