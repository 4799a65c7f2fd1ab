#include "wire.hpp"

#include <algorithm>

namespace planexe::rehearsal {
namespace {

json::object usage_object(const Answer& answer) {
  return {{"input_tokens", answer.input_tokens},
          {"input_tokens_details", json::object{{"cached_tokens", answer.cached_tokens}}},
          {"output_tokens", answer.output_tokens},
          {"output_tokens_details", json::object{{"reasoning_tokens", answer.reasoning_tokens}}},
          {"total_tokens", answer.input_tokens + answer.output_tokens}};
}

json::object reasoning_item(const Answer& answer, bool done) {
  json::array summary;
  if (done) summary.push_back(json::object{{"type", "summary_text"}, {"text", answer.reasoning}});
  return {{"id", "rs_" + answer.id.substr(5)}, {"type", "reasoning"}, {"summary", std::move(summary)}};
}

json::object content_part(const Answer& answer, std::string_view text) {
  if (!answer.refusal.empty()) return {{"type", "refusal"}, {"refusal", text}};
  return {{"type", "output_text"}, {"text", text}, {"annotations", json::array{}}, {"logprobs", json::array{}}};
}

json::object message_item(const Answer& answer, bool done) {
  json::array content;
  if (done) content.push_back(content_part(answer, answer.refusal.empty() ? answer.text : answer.refusal));
  const char* status = !done ? "in_progress" : answer.status == "completed" ? "completed" : "incomplete";
  return {{"id", "msg_" + answer.id.substr(5)}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}};
}

bool has_message(const Answer& answer) { return !answer.text.empty() || !answer.refusal.empty(); }

json::array output_items(const Answer& answer) {
  json::array items;
  if (!answer.reasoning.empty()) items.push_back(reasoning_item(answer, true));
  if (has_message(answer)) items.push_back(message_item(answer, true));
  return items;
}

/// Cuts at character boundaries of UTF-8.
std::vector<std::string_view> pieces(std::string_view text, std::size_t chunk) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    auto n = std::min(text.size(), std::max<std::size_t>(chunk, 4));
    while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) ++n;
    out.push_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return out;
}

class EventList {
 public:
  void add(std::string type, json::object fields) {
    json::object data{{"type", type}, {"sequence_number", static_cast<std::int64_t>(events_.size())}};
    for (auto& [key, value] : fields) data[key] = std::move(value);
    events_.push_back({std::move(type), std::move(data)});
  }
  std::vector<WireEvent> take() { return std::move(events_); }

 private:
  std::vector<WireEvent> events_;
};

void add_reasoning(EventList& list, const Answer& answer, std::size_t chunk) {
  const auto id = "rs_" + answer.id.substr(5);
  const json::object place{{"item_id", id}, {"output_index", 0}, {"summary_index", 0}};
  const auto with = [&](json::object more) {
    auto fields = place;
    for (auto& [key, value] : more) fields[key] = std::move(value);
    return fields;
  };
  list.add("response.output_item.added", {{"output_index", 0}, {"item", reasoning_item(answer, false)}});
  list.add("response.reasoning_summary_part.added", with({{"part", json::object{{"type", "summary_text"}, {"text", ""}}}}));
  for (const auto piece : pieces(answer.reasoning, chunk)) list.add("response.reasoning_summary_text.delta", with({{"delta", piece}}));
  list.add("response.reasoning_summary_text.done", with({{"text", answer.reasoning}}));
  list.add("response.reasoning_summary_part.done", with({{"part", json::object{{"type", "summary_text"}, {"text", answer.reasoning}}}}));
  list.add("response.output_item.done", {{"output_index", 0}, {"item", reasoning_item(answer, true)}});
}

void add_message(EventList& list, const Answer& answer, std::size_t chunk) {
  const int index = answer.reasoning.empty() ? 0 : 1;
  const auto place = [&] { return json::object{{"item_id", "msg_" + answer.id.substr(5)}, {"output_index", index}, {"content_index", 0}}; };
  const auto with = [&](json::object more) {
    auto fields = place();
    for (auto& [key, value] : more) fields[key] = std::move(value);
    return fields;
  };
  const bool refused = !answer.refusal.empty();
  const auto& text = refused ? answer.refusal : answer.text;
  list.add("response.output_item.added", {{"output_index", index}, {"item", message_item(answer, false)}});
  list.add("response.content_part.added", with({{"part", content_part(answer, "")}}));
  for (const auto piece : pieces(text, chunk))
    list.add(refused ? "response.refusal.delta" : "response.output_text.delta", with({{"delta", piece}}));
  list.add(refused ? "response.refusal.done" : "response.output_text.done", with({{refused ? "refusal" : "text", text}}));
  list.add("response.content_part.done", with({{"part", content_part(answer, text)}}));
  list.add("response.output_item.done", {{"output_index", index}, {"item", message_item(answer, true)}});
}

json::object chat_usage(const Answer& answer) {
  return {{"prompt_tokens", answer.input_tokens},
          {"completion_tokens", answer.output_tokens},
          {"total_tokens", answer.input_tokens + answer.output_tokens},
          {"prompt_tokens_details", json::object{{"cached_tokens", answer.cached_tokens}}},
          {"completion_tokens_details", json::object{{"reasoning_tokens", answer.reasoning_tokens}}}};
}

const char* finish_reason(const Answer& answer) {
  if (answer.incomplete_reason == "content_filter") return "content_filter";
  return answer.status == "incomplete" ? "length" : "stop";
}

json::object chat_frame(const Request& request, const Answer& answer, const char* object) {
  return {{"id", "chatcmpl-" + answer.id.substr(5)}, {"object", object}, {"created", answer.created_at}, {"model", request.model}};
}

}  // namespace

std::int64_t estimate_tokens(std::string_view text) { return static_cast<std::int64_t>((text.size() + 3) / 4); }

std::string cut_to_tokens(std::string_view text, std::int64_t tokens) {
  auto n = std::min(text.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, tokens) * 4));
  while (n > 0 && n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) --n;
  return std::string(text.substr(0, n));
}

json::object response_object(const Request& request, const Answer& answer, std::string_view status) {
  const bool terminal = status != "in_progress" && status != "queued";
  json::value error = nullptr, incomplete = nullptr;
  if (!answer.error_code.empty() && terminal) error = json::object{{"code", answer.error_code}, {"message", answer.error_message}};
  if (!answer.incomplete_reason.empty() && terminal) incomplete = json::object{{"reason", answer.incomplete_reason}};
  json::object format{{"type", request.schema.is_null() ? "text" : "json_schema"}};
  if (!request.schema.is_null()) {
    format["name"] = request.schema_name;
    format["strict"] = true;
    format["schema"] = request.schema;
  }
  return {{"id", answer.id},
          {"object", "response"},
          {"created_at", answer.created_at},
          {"status", status},
          {"background", request.background},
          {"error", std::move(error)},
          {"incomplete_details", std::move(incomplete)},
          {"instructions", nullptr},
          {"max_output_tokens", request.max_output_tokens > 0 ? json::value(request.max_output_tokens) : json::value(nullptr)},
          {"model", request.model},
          {"output", terminal ? output_items(answer) : json::array{}},
          {"parallel_tool_calls", true},
          {"previous_response_id", request.previous_id.empty() ? json::value(nullptr) : json::value(request.previous_id)},
          {"store", request.store},
          {"temperature", 1.0},
          {"text", json::object{{"format", std::move(format)}}},
          {"tool_choice", "auto"},
          {"tools", json::array{}},
          {"top_p", 1.0},
          {"truncation", "disabled"},
          {"usage", terminal && answer.status != "failed" ? json::value(usage_object(answer)) : json::value(nullptr)},
          {"user", nullptr},
          {"metadata", request.metadata.is_null() ? json::value(json::object{}) : request.metadata}};
}

std::string WireEvent::text() const { return "event: " + type + "\ndata: " + to_json(data) + "\n\n"; }

std::vector<WireEvent> response_events(const Request& request, const Answer& answer, std::size_t chunk) {
  EventList list;
  list.add("response.created", {{"response", response_object(request, answer, "in_progress")}});
  list.add("response.in_progress", {{"response", response_object(request, answer, "in_progress")}});
  if (!answer.reasoning.empty()) add_reasoning(list, answer, chunk);
  if (has_message(answer)) add_message(list, answer, chunk);
  list.add("response." + answer.status, {{"response", response_object(request, answer, answer.status)}});
  return list.take();
}

json::object chat_object(const Request& request, const Answer& answer) {
  auto object = chat_frame(request, answer, "chat.completion");
  json::object message{{"role", "assistant"},
                       {"content", answer.refusal.empty() ? json::value(answer.text) : json::value(nullptr)},
                       {"refusal", answer.refusal.empty() ? json::value(nullptr) : json::value(answer.refusal)}};
  object["choices"] = json::array{json::object{{"index", 0}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", finish_reason(answer)}}};
  object["usage"] = chat_usage(answer);
  return object;
}

std::vector<json::object> chat_chunks(const Request& request, const Answer& answer, std::size_t chunk) {
  std::vector<json::object> chunks;
  const auto add = [&](json::object delta, json::value finish) {
    auto object = chat_frame(request, answer, "chat.completion.chunk");
    object["choices"] = json::array{json::object{{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}}};
    chunks.push_back(std::move(object));
  };
  add({{"role", "assistant"}, {"content", ""}}, nullptr);
  const bool refused = !answer.refusal.empty();
  for (const auto piece : pieces(refused ? answer.refusal : answer.text, chunk)) add({{refused ? "refusal" : "content", piece}}, nullptr);
  add({}, finish_reason(answer));
  if (request.include_usage) {
    auto object = chat_frame(request, answer, "chat.completion.chunk");
    object["choices"] = json::array{};
    object["usage"] = chat_usage(answer);
    chunks.push_back(std::move(object));
  }
  return chunks;
}

json::object error_object(std::string_view message, std::string_view type, std::string_view code, std::string_view param) {
  return {{"error", json::object{{"message", message},
                                 {"type", type},
                                 {"param", param.empty() ? json::value(nullptr) : json::value(param)},
                                 {"code", code.empty() ? json::value(nullptr) : json::value(code)}}}};
}

}  // namespace planexe::rehearsal
