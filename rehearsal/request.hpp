#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::rehearsal {

/// What the server needs to know of a request, the same for both transports.
struct Request {
  enum class Transport { responses, chat } transport = Transport::responses;
  std::string model;
  std::vector<std::string> parts;  ///< content parts in order, all roles
  std::string user_text;           ///< user parts joined by a blank line
  std::string schema_name;
  json::value schema;              ///< null: plain text
  bool strict = false;             ///< the schema is to be enforced, so it must lie in the strict subset
  bool summary = false;            ///< a summary of the reasoning was asked for
  json::array input;               ///< the input items as they came (one message for a plain text)
  bool stream = false, background = false, store = true, include_usage = false;
  std::string previous_id;
  bool continues = false;          ///< goes on with a conversation: a parent, or answers among the messages
  std::string call, item, attempt; ///< of metadata; "" when absent
  std::int64_t max_output_tokens = 0;
  json::value metadata;
};

/// Reads a body of POST /v1/responses. Errors carry in `detail` the code and parameter of the provider's error body.
Result<Request> read_responses_request(const json::value& body);

/// Reads a body of POST /v1/chat/completions.
Result<Request> read_chat_request(const json::value& body);

/// A list of ids that an answer must use: <ids name="field" use="once|any">, one id per line.
struct IdsBlock {
  std::string field;
  bool once = false;
  std::vector<std::string> ids;
};

/// All blocks of a text; for a field that occurs twice the later one counts.
std::vector<IdsBlock> find_ids(std::string_view text);

/// What the user asked the plan for: the text inside <client_request>, "" when there is none.
std::string client_prompt(std::string_view text);

}  // namespace planexe::rehearsal
