#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

std::string_view to_string(Message::Role role);

/// Messages as JSON, for storing; `messages_from_json` reads them back. Error: INVALID_JSON.
json::array messages_to_json(std::span<const Message> messages);
Result<std::vector<Message>> messages_from_json(const json::value& value);

/// Roles and texts only, in order: what decides the answer. Two runs of a plan have equal ones.
json::array canonical_messages(std::span<const Message> messages);

/// SHA-256 of the canonical messages.
std::string transcript_hash(std::span<const Message> messages);

/// The whole conversation of a call before its first answer: what its parent said and heard, then the new messages.
/// A developer message that the parent's conversation already starts with is not repeated.
std::vector<Message> conversation_of(const CallSpec& spec);

/// Tokens of a text for limits and reservations: characters / 3.5, rounded up.
std::int64_t estimate_tokens(std::string_view text);

/// A figure that real tokenisers hardly exceed, for costs that must not be underestimated: one token per 2.5 ASCII
/// characters, two per other character.
std::int64_t token_upper_bound(std::string_view text);

std::int64_t estimate_input_tokens(std::span<const Message> messages, const json::value& schema);
std::int64_t input_upper_bound(std::span<const Message> messages, const json::value& schema);

}  // namespace planexe::llm
