#include "llm/chat_stream.hpp"

#include <fmt/format.h>

namespace planexe::llm {

Result<StreamUpdate> ChatStream::on_event(const SseEvent& event) {
  if (result_) return StreamUpdate{};
  if (event.data == "[DONE]") {
    finish();
    return StreamUpdate{};
  }
  const Result<json::value> parsed = parse_json(event.data);
  if (!parsed || !parsed->is_object()) {
    return fail(ErrorCode::ProviderError, "an event of the stream is not a JSON object");
  }
  return take_chunk(*parsed);
}

Result<StreamUpdate> ChatStream::take_chunk(const json::value& chunk) {
  if (const auto id = get_string(chunk, "id"); id && response_id_.empty()) response_id_ = *id;
  if (const auto model = get_string(chunk, "model"); model && building_.model.empty()) building_.model = *model;
  if (const auto tier = get_string(chunk, "service_tier")) building_.service_tier = *tier;
  if (const json::value* usage = find(chunk, "usage")) {
    if (const auto read = read_usage(*usage)) building_.usage = read;
  }
  if (const json::value* error = find(chunk, "error"); error != nullptr && !error->is_null()) {
    building_.error = read_provider_error(*error);
    if (!building_.error) building_.error = ProviderError{"server_error", "", "the provider reported an error without a reason", ""};
    building_.status = "failed";
    result_ = partial();
    result_->status = "failed";
    return StreamUpdate{.semantic = true, .text = {}, .reasoning = {}};
  }
  const json::array* choices = get_array(chunk, "choices");
  if (choices == nullptr) {
    ++counters_.unknown_events;
    return StreamUpdate{};
  }
  if (choices->empty()) return StreamUpdate{.semantic = true, .text = {}, .reasoning = {}};
  return take_choice(choices->front());
}

Result<StreamUpdate> ChatStream::take_choice(const json::value& choice) {
  StreamUpdate update;
  update.semantic = true;
  if (const json::value* delta = find(choice, "delta")) {
    update.text = get_string(*delta, "content").value_or("");
    auto reasoning = get_string(*delta, "reasoning_content");
    if (!reasoning) reasoning = get_string(*delta, "reasoning");
    update.reasoning = reasoning.value_or("");
    building_.text += update.text;
    building_.reasoning += update.reasoning;
    building_.refusal += get_string(*delta, "refusal").value_or("");
  }
  if (const auto reason = get_string(choice, "finish_reason"); reason && !reason->empty()) finish_reason_ = *reason;
  if (building_.text.size() + building_.reasoning.size() + building_.refusal.size() > text_bytes_max_) {
    return fail(ErrorCode::LimitExceeded, fmt::format("the answer is longer than {} bytes", text_bytes_max_));
  }
  return update;
}

void ChatStream::on_end() {
  if (!finish_reason_.empty()) finish();
}

void ChatStream::finish() {
  // The marker without any finish reason ends a stream that was cut at the server.
  if (result_ || finish_reason_.empty()) return;
  ModelResponse response = partial();
  apply_finish_reason(finish_reason_, response);
  if (response.status == "failed" && !response.error) {
    response.error = ProviderError{"server_error", "", "the provider reported a failure without a reason", ""};
  }
  result_ = std::move(response);
}

Result<void> ChatStream::on_body(const json::value& body) {
  PLANEXE_TRY_ASSIGN(ModelResponse response, read_chat_completion(body));
  if (response.text.size() > text_bytes_max_) {
    return fail(ErrorCode::LimitExceeded, fmt::format("the answer is longer than {} bytes", text_bytes_max_));
  }
  if (response.status == "failed" && !response.error) {
    response.error = ProviderError{"server_error", "", "the provider reported a failure without a reason", ""};
  }
  response_id_ = response.id;
  result_ = std::move(response);
  return {};
}

ModelResponse ChatStream::partial() const {
  ModelResponse response = building_;
  response.id = response_id_;
  if (response.status.empty()) response.status = "in_progress";
  response.has_message = !response.text.empty() || !response.refusal.empty();
  return response;
}

}  // namespace planexe::llm
