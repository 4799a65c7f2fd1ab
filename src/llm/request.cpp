#include "llm/request.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "llm/schema_clean.hpp"
#include "llm/transcript.hpp"

namespace planexe::llm {

namespace {

/// The provider refuses less.
constexpr int kOutputTokensMin = 16;
/// Metadata values may have 512 characters.
constexpr std::size_t kMetadataCharsMax = 512;

bool is_structured(const CallSpec& spec) { return !spec.schema.is_null(); }

std::string ascii_only(std::string_view text, std::size_t chars_max) {
  std::string clean;
  for (const char c : text.substr(0, chars_max)) clean += c > ' ' && c < 0x7f ? c : '_';
  return clean;
}

/// A response id comes from outside: nothing in it may change the path or add a query.
std::string path_segment(std::string_view id) {
  std::string segment;
  for (const char c : id.substr(0, 512)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    segment += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return segment;
}

std::string schema_text(const json::value& schema) {
  return "Answer with one JSON value, without any text around it, that satisfies this JSON Schema:\n" +
         to_json(clean_schema(schema));
}

/// The messages to send; where nobody enforces the schema it is said in words behind the last question.
std::vector<Message> messages_to_send(const RequestInput& input) {
  const std::size_t from = input.parent_id.empty() ? 0 : std::min(input.known, input.messages.size());
  std::vector<Message> messages(input.messages.begin() + static_cast<std::ptrdiff_t>(from), input.messages.end());
  if (!is_structured(input.spec) || enforces_schema(input.model, input.wire)) return messages;
  const auto last_user = std::find_if(messages.rbegin(), messages.rend(),
                                      [](const Message& m) { return m.role == Message::Role::user; });
  if (last_user != messages.rend()) last_user->parts.push_back(schema_text(input.spec.schema));
  return messages;
}

json::value input_items(const RequestInput& input) {
  json::array items;
  for (const Message& message : messages_to_send(input)) {
    const bool assistant = message.role == Message::Role::assistant;
    const bool own = assistant && message.origin == input.model.id;
    if (own) {
      for (const json::value& item : message.reasoning_items) items.push_back(item);
    }
    json::array content;
    for (const std::string& part : message.parts) {
      content.push_back(json::object{{"type", assistant ? "output_text" : "input_text"}, {"text", part}});
    }
    json::object item{{"type", "message"}, {"role", to_string(message.role)}, {"content", std::move(content)}};
    if (own && !message.phase.empty()) item["phase"] = message.phase;
    items.push_back(std::move(item));
  }
  return items;
}

json::object format_of(const RequestInput& input) {
  if (!is_structured(input.spec)) return json::object{{"type", "text"}};
  json::object format{{"type", "json_schema"}, {"name", clean_schema_name(input.spec.schema_name)}};
  if (!input.adaptations.drops("strict")) format["strict"] = true;
  format["schema"] = clean_schema(input.spec.schema);
  return format;
}

json::object metadata_of(const RequestInput& input) {
  return json::object{{"call", cut_code_points(input.spec.call_key, kMetadataCharsMax)},
                      {"attempt", std::to_string(input.attempt)},
                      {"item", std::to_string(input.spec.item_number)}};
}

/// The wanted verbosity where the model takes that very value.
std::string_view verbosity_of(const RequestInput& input) {
  const auto& accepted = input.model.caps.verbosity_values;
  const bool takes = std::find(accepted.begin(), accepted.end(), input.spec.verbosity) != accepted.end();
  return takes && !input.adaptations.drops("text.verbosity") ? std::string_view(input.spec.verbosity) : std::string_view();
}

void add_sampling(const RequestInput& input, json::object& body) {
  if (!input.spec.temperature || !input.model.caps.sampling || input.adaptations.drops("temperature")) return;
  body["temperature"] = *input.spec.temperature;
}

void add_reasoning(const RequestInput& input, json::object& body) {
  if (input.adaptations.drops("reasoning")) return;
  json::object reasoning;
  if (!input.effort.empty() && !input.adaptations.drops("reasoning.effort")) reasoning["effort"] = input.effort;
  const bool reasons = !effort_values_of(input.model, input.adaptations).empty();
  if (input.model.caps.summary && reasons && !input.adaptations.drops("reasoning.summary")) {
    reasoning["summary"] = input.spec.summary.empty() ? "auto" : input.spec.summary;
  }
  if (!reasoning.empty()) body["reasoning"] = std::move(reasoning);
}

void add_storage(const RequestInput& input, json::object& body) {
  const Capabilities& caps = input.model.caps;
  if (caps.store && !input.adaptations.drops("store")) body["store"] = input.store;
  const bool reasons = !effort_values_of(input.model, input.adaptations).empty();
  if (!input.store && caps.encrypted_reasoning && reasons && !input.adaptations.drops("include")) {
    body["include"] = json::array{"reasoning.encrypted_content"};
  }
  if (input.background && !input.adaptations.drops("background")) body["background"] = true;
}

std::string responses_body(const RequestInput& input) {
  const Capabilities& caps = input.model.caps;
  json::object body{{"model", input.model.model}};
  if (!input.parent_id.empty()) body["previous_response_id"] = input.parent_id;
  body["input"] = input_items(input);
  json::object text{{"format", format_of(input)}};
  if (const auto verbosity = verbosity_of(input); !verbosity.empty()) text["verbosity"] = verbosity;
  body["text"] = std::move(text);
  add_reasoning(input, body);
  add_sampling(input, body);
  body["max_output_tokens"] = std::max(input.max_output_tokens, kOutputTokensMin);
  add_storage(input, body);
  body["stream"] = true;
  if (caps.obfuscation && !input.adaptations.drops("stream_options")) {
    body["stream_options"] = json::object{{"include_obfuscation", false}};
  }
  if (caps.metadata && !input.adaptations.drops("metadata")) body["metadata"] = metadata_of(input);
  if (caps.cache_key && !input.spec.cache_key.empty() && !input.adaptations.drops("prompt_cache_key")) {
    body["prompt_cache_key"] = input.spec.cache_key;
  }
  return to_json(body);
}

json::value chat_messages(const RequestInput& input) {
  json::array messages;
  for (const Message& message : messages_to_send(input)) {
    // Every server knows "system"; not every one knows "developer" or content in parts.
    const std::string_view role = message.role == Message::Role::developer ? "system" : to_string(message.role);
    messages.push_back(json::object{{"role", role}, {"content", fmt::format("{}", fmt::join(message.parts, "\n\n"))}});
  }
  return messages;
}

std::string chat_body(const RequestInput& input) {
  const Capabilities& caps = input.model.caps;
  json::object body{{"model", input.model.model}, {"messages", chat_messages(input)}};
  if (is_structured(input.spec)) {
    json::object format = format_of(input);
    format.erase("type");
    body["response_format"] = json::object{{"type", "json_schema"}, {"json_schema", std::move(format)}};
    if (caps.require_parameters && !input.adaptations.drops("provider")) {
      body["provider"] = json::object{{"require_parameters", true}};
    }
  }
  if (!input.effort.empty() && !input.adaptations.drops("reasoning.effort")) body["reasoning_effort"] = input.effort;
  if (const auto verbosity = verbosity_of(input); !verbosity.empty()) body["verbosity"] = verbosity;
  add_sampling(input, body);
  const std::string& renamed = input.adaptations.max_tokens_name;
  body[renamed.empty() ? caps.max_tokens_name : renamed] = std::max(input.max_output_tokens, kOutputTokensMin);
  body["stream"] = true;
  if (!input.adaptations.drops("stream_options")) body["stream_options"] = json::object{{"include_usage", true}};
  if (caps.chat_metadata && !input.adaptations.drops("metadata")) body["metadata"] = metadata_of(input);
  if (caps.cache_key && !input.spec.cache_key.empty() && !input.adaptations.drops("prompt_cache_key")) {
    body["prompt_cache_key"] = input.spec.cache_key;
  }
  return to_json(body);
}

}  // namespace

Wire choose_wire(const ModelEntry& model, bool structured) {
  if (model.transport == "responses") return Wire::responses;
  if (model.transport == "chat") return Wire::chat;
  const Capabilities& caps = model.caps;
  if (structured && caps.responses && caps.strict_on_responses) return Wire::responses;
  if (structured && caps.chat && caps.strict_on_chat) return Wire::chat;
  return caps.responses ? Wire::responses : Wire::chat;
}

bool enforces_schema(const ModelEntry& model, Wire wire) {
  return wire == Wire::responses ? model.caps.strict_on_responses : model.caps.strict_on_chat;
}

Request build_request(const RequestInput& input) {
  Request request;
  const bool responses = input.wire == Wire::responses;
  request.path = responses ? "/responses" : "/chat/completions";
  request.body = responses ? responses_body(input) : chat_body(input);
  request.headers = {{"Content-Type", "application/json"},
                     {"Accept", "text/event-stream, application/json"},
                     {"X-Client-Request-Id",
                      ascii_only(fmt::format("{}/{}/{}", input.spec.plan_id, input.spec.call_key, input.attempt), 512)}};
  return request;
}

Request fetch_request(const std::string& response_id) {
  Request request;
  request.method = "GET";
  request.path = "/responses/" + path_segment(response_id);
  request.headers = {{"Accept", "application/json"}};
  request.streaming = false;
  return request;
}

Request continue_request(const std::string& response_id, std::int64_t after) {
  Request request = fetch_request(response_id);
  request.path += "?stream=true";
  if (after >= 0) request.path += fmt::format("&starting_after={}", after);
  request.headers = {{"Accept", "text/event-stream, application/json"}};
  request.streaming = true;
  return request;
}

Request cancel_request(const std::string& response_id) {
  Request request;
  request.path = fmt::format("/responses/{}/cancel", path_segment(response_id));
  request.headers = {{"Accept", "application/json"}};
  request.streaming = false;
  return request;
}

std::string request_hash(const RequestInput& input) {
  json::object subject{{"model", input.model.model}, {"messages", canonical_messages(input.messages)}};
  if (is_structured(input.spec)) subject["schema"] = clean_schema(input.spec.schema);
  subject["effort"] = input.effort;
  // Only when set, so that calls without them keep their hashes.
  if (!input.spec.verbosity.empty()) subject["verbosity"] = input.spec.verbosity;
  if (input.spec.temperature) subject["temperature"] = *input.spec.temperature;
  return sha256_hex(canonical_json(subject));
}

}  // namespace planexe::llm
