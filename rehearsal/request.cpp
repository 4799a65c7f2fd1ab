#include "request.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace planexe::rehearsal {
namespace {

std::unexpected<Error> bad(std::string message, const char* code, const char* param) {
  return fail(ErrorCode::InvalidRequest, std::move(message), std::string(code) + "\n" + param);
}

void add_part(Request& request, std::string_view role, std::string_view text) {
  request.parts.emplace_back(text);
  if (role != "user") return;
  if (!request.user_text.empty()) request.user_text += "\n\n";
  request.user_text += text;
}

void add_message(Request& request, const json::value& message) {
  const auto role = get_string(message, "role").value_or("user");
  if (role == "assistant") request.continues = true;
  const auto* content = find(message, "content");
  if (!content) return;
  if (content->is_string()) add_part(request, role, content->as_string());
  if (content->is_array())
    for (const auto& part : content->as_array())
      if (const auto text = get_string(part, "text")) add_part(request, role, *text);
}

Result<void> add_format(Request& request, const json::value& format) {
  const auto type = get_string(format, "type").value_or("text");
  if (type == "text") return {};
  if (type != "json_schema") return bad("response format type '" + std::string(type) + "' is not supported", "unsupported_value", "text.format");
  request.schema_name = get_string(format, "name").value_or("");
  if (request.schema_name.empty()) return bad("Missing required parameter: 'text.format.name'.", "missing_required_parameter", "text.format.name");
  const auto* schema = find(format, "schema");
  if (!schema || !schema->is_object()) return bad("Missing required parameter: 'text.format.schema'.", "missing_required_parameter", "text.format.schema");
  request.schema = *schema;
  request.strict = get_bool(format, "strict").value_or(false);
  return {};
}

Result<void> add_input(Request& request, const json::value& input) {
  if (input.is_string()) {
    add_part(request, "user", input.as_string());
    request.input.push_back(json::object{
        {"type", "message"}, {"role", "user"}, {"content", json::array{json::object{{"type", "input_text"}, {"text", input.as_string()}}}}});
    return {};
  }
  if (!input.is_array()) return bad("Invalid type for 'input': expected a string or an array.", "invalid_type", "input");
  for (const auto& item : input.as_array()) add_message(request, item);
  request.input = input.as_array();
  return {};
}

void add_metadata(Request& request, const json::value& body) {
  if (const auto* metadata = find(body, "metadata"); metadata && metadata->is_object()) {
    request.metadata = *metadata;
    request.call = get_string(*metadata, "call").value_or("");
    request.item = get_string(*metadata, "item").value_or("");
    request.attempt = get_string(*metadata, "attempt").value_or("");
  }
}

}  // namespace

Result<Request> read_responses_request(const json::value& body) {
  if (!body.is_object()) return bad("The body must be a JSON object.", "invalid_request_error", "");
  Request request;
  request.model = get_string(body, "model").value_or("");
  if (request.model.empty()) return bad("Missing required parameter: 'model'.", "missing_required_parameter", "model");
  const auto* input = find(body, "input");
  if (!input) return bad("Missing required parameter: 'input'.", "missing_required_parameter", "input");
  const auto given = [&](const char* key) { return find(body, key) && !find(body, key)->is_null(); };
  if (given("previous_response_id") && given("conversation"))
    return bad("'previous_response_id' and 'conversation' cannot be used together.", "invalid_request_error", "conversation");
  if (const auto instructions = get_string(body, "instructions")) add_part(request, "developer", *instructions);
  PLANEXE_TRY(add_input(request, *input));
  if (const auto* text = find(body, "text"))
    if (const auto* format = find(*text, "format")) PLANEXE_TRY(add_format(request, *format));
  request.stream = get_bool(body, "stream").value_or(false);
  if (const auto* reasoning = find(body, "reasoning")) request.summary = get_string(*reasoning, "summary").has_value();
  request.background = get_bool(body, "background").value_or(false);
  request.store = get_bool(body, "store").value_or(true);
  request.previous_id = get_string(body, "previous_response_id").value_or("");
  request.continues = request.continues || !request.previous_id.empty();
  request.max_output_tokens = get_int(body, "max_output_tokens").value_or(0);
  if (given("max_output_tokens") && request.max_output_tokens < 16)
    return bad("Invalid 'max_output_tokens': integer below minimum value 16.", "integer_below_min_value", "max_output_tokens");
  add_metadata(request, body);
  return request;
}

Result<Request> read_chat_request(const json::value& body) {
  if (!body.is_object()) return bad("The body must be a JSON object.", "invalid_request_error", "");
  Request request;
  request.transport = Request::Transport::chat;
  request.model = get_string(body, "model").value_or("");
  const auto* messages = get_array(body, "messages");
  if (request.model.empty()) return bad("Missing required parameter: 'model'.", "missing_required_parameter", "model");
  if (!messages) return bad("Missing required parameter: 'messages'.", "missing_required_parameter", "messages");
  for (const auto& message : *messages) add_message(request, message);
  if (const auto* format = find(body, "response_format")) {
    if (const auto* schema = find(*format, "json_schema")) {
      auto merged = schema->is_object() ? schema->as_object() : json::object{};
      merged["type"] = "json_schema";
      PLANEXE_TRY(add_format(request, merged));
    }
  }
  request.stream = get_bool(body, "stream").value_or(false);
  if (const auto* options = find(body, "stream_options")) request.include_usage = get_bool(*options, "include_usage").value_or(false);
  request.max_output_tokens = get_int(body, "max_completion_tokens").value_or(get_int(body, "max_tokens").value_or(0));
  add_metadata(request, body);
  return request;
}

std::vector<IdsBlock> find_ids(std::string_view text) {
  std::vector<IdsBlock> blocks;
  constexpr std::string_view kOpen = "<ids name=\"", kClose = "</ids>";
  for (auto at = text.find(kOpen); at != std::string_view::npos; at = text.find(kOpen, at + 1)) {
    const auto name_at = at + kOpen.size();
    const auto name_end = text.find('"', name_at);
    const auto head_end = text.find('>', name_at);
    const auto end = text.find(kClose, name_at);
    if (name_end == std::string_view::npos || head_end == std::string_view::npos || end == std::string_view::npos || head_end > end) break;
    IdsBlock block;
    block.field = text.substr(name_at, name_end - name_at);
    block.once = text.substr(name_end, head_end - name_end).find("use=\"once\"") != std::string_view::npos;
    for (const auto line : split_lines(text.substr(head_end + 1, end - head_end - 1)))
      if (auto id = trim(line); !id.empty()) block.ids.push_back(std::move(id));
    std::erase_if(blocks, [&](const IdsBlock& earlier) { return earlier.field == block.field; });
    blocks.push_back(std::move(block));
  }
  return blocks;
}

std::string client_prompt(std::string_view text) {
  constexpr std::string_view kOpen = "<client_request>", kClose = "</client_request>";
  const auto at = text.find(kOpen);
  const auto end = at == std::string_view::npos ? at : text.find(kClose, at);
  return end == std::string_view::npos ? "" : trim(text.substr(at + kOpen.size(), end - at - kOpen.size()));
}

}  // namespace planexe::rehearsal
