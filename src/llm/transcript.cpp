#include "llm/transcript.hpp"

#include <cmath>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace planexe::llm {

namespace {

/// What providers add per message and per schema around the text.
constexpr std::int64_t kMessageOverheadTokens = 4;

template <class Count>
std::int64_t count_input(std::span<const Message> messages, const json::value& schema, Count count) {
  std::int64_t tokens = 0;
  for (const Message& message : messages) {
    tokens += kMessageOverheadTokens;
    for (const std::string& part : message.parts) tokens += count(part);
  }
  if (!schema.is_null()) tokens += count(to_json(schema));
  return tokens;
}

Result<Message::Role> role_from(std::string_view name) {
  if (name == "developer" || name == "system") return Message::Role::developer;
  if (name == "user") return Message::Role::user;
  if (name == "assistant") return Message::Role::assistant;
  return fail(ErrorCode::InvalidJson, "a stored message has an unknown role");
}

}  // namespace

std::string_view to_string(Message::Role role) {
  switch (role) {
    case Message::Role::developer: return "developer";
    case Message::Role::user: return "user";
    case Message::Role::assistant: return "assistant";
  }
  return "user";
}

json::array messages_to_json(std::span<const Message> messages) {
  json::array result;
  for (const Message& message : messages) {
    json::object object{{"role", to_string(message.role)}};
    json::array parts;
    for (const std::string& part : message.parts) parts.emplace_back(part);
    object["parts"] = std::move(parts);
    if (!message.origin.empty()) object["origin"] = message.origin;
    if (!message.phase.empty()) object["phase"] = message.phase;
    if (!message.reasoning_items.empty()) object["reasoning_items"] = message.reasoning_items;
    result.push_back(std::move(object));
  }
  return result;
}

Result<std::vector<Message>> messages_from_json(const json::value& value) {
  if (!value.is_array()) return fail(ErrorCode::InvalidJson, "stored messages are not a list");
  std::vector<Message> messages;
  for (const json::value& entry : value.get_array()) {
    Message message;
    PLANEXE_TRY_ASSIGN(message.role, role_from(get_string(entry, "role").value_or("")));
    const json::array* parts = get_array(entry, "parts");
    if (parts == nullptr) return fail(ErrorCode::InvalidJson, "a stored message has no parts");
    for (const json::value& part : *parts) {
      if (!part.is_string()) return fail(ErrorCode::InvalidJson, "a part of a stored message is no text");
      message.parts.emplace_back(part.get_string());
    }
    message.origin = get_string(entry, "origin").value_or("");
    message.phase = get_string(entry, "phase").value_or("");
    if (const json::array* items = get_array(entry, "reasoning_items")) message.reasoning_items = *items;
    messages.push_back(std::move(message));
  }
  return messages;
}

json::array canonical_messages(std::span<const Message> messages) {
  json::array result;
  for (const Message& message : messages) {
    json::array parts;
    for (const std::string& part : message.parts) parts.emplace_back(part);
    result.push_back(json::object{{"role", to_string(message.role)}, {"parts", std::move(parts)}});
  }
  return result;
}

std::string transcript_hash(std::span<const Message> messages) {
  return sha256_hex(canonical_json(canonical_messages(messages)));
}

std::vector<Message> conversation_of(const CallSpec& spec) {
  std::vector<Message> messages;
  if (spec.parent) messages = spec.parent->transcript;
  const bool has_rules = !messages.empty() && messages.front().role == Message::Role::developer;
  for (const Message& message : spec.messages) {
    const bool repeated = has_rules && &message == &spec.messages.front() &&
                          message.role == Message::Role::developer && message.parts == messages.front().parts;
    if (!repeated) messages.push_back(message);
  }
  return messages;
}

std::int64_t estimate_tokens(std::string_view text) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(code_points(text)) / 3.5));
}

std::int64_t token_upper_bound(std::string_view text) {
  std::int64_t ascii = 0;
  for (const char c : text) ascii += static_cast<unsigned char>(c) < 0x80 ? 1 : 0;
  const auto others = static_cast<std::int64_t>(code_points(text)) - ascii;
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(ascii) / 2.5)) + 2 * others;
}

std::int64_t estimate_input_tokens(std::span<const Message> messages, const json::value& schema) {
  return count_input(messages, schema, estimate_tokens);
}

std::int64_t input_upper_bound(std::span<const Message> messages, const json::value& schema) {
  return count_input(messages, schema, token_upper_bound);
}

}  // namespace planexe::llm
