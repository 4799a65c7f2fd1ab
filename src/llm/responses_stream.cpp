#include "llm/responses_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::llm {

namespace {

bool is_final(std::string_view type) {
  return type == "response.completed" || type == "response.incomplete" || type == "response.failed" ||
         type == "response.cancelled" || type == "error";
}

/// Events that say that the model works but carry nothing this client needs.
bool is_progress(std::string_view type) {
  return type == "response.created" || type == "response.queued" || type == "response.in_progress" ||
         type == "response.output_item.added" || type == "response.content_part.added" ||
         type == "response.content_part.done" || type == "response.output_text.annotation.added" ||
         type == "response.reasoning_summary_part.added" || type == "response.reasoning_summary_part.done";
}

std::string part_key(char kind, const json::value& event) {
  const auto item = get_string(event, "item_id");
  const auto output = get_int(event, "output_index").value_or(0);
  const auto index = get_int(event, "content_index").value_or(get_int(event, "summary_index").value_or(0));
  if (item && !item->empty()) return fmt::format("{}{}/{}", kind, *item, index);
  return fmt::format("{}#{}/{}", kind, output, index);
}

}  // namespace

Result<StreamUpdate> ResponsesStream::on_event(const SseEvent& event) {
  if (result_ || event.data == "[DONE]") return StreamUpdate{};
  const Result<json::value> parsed = parse_json(event.data);
  if (!parsed || !parsed->is_object()) {
    return fail(ErrorCode::ProviderError, "an event of the stream is not a JSON object");
  }
  const auto named = get_string(*parsed, "type");
  const std::string_view type = named ? *named : event.type;
  if (type.empty() && find(*parsed, "error") != nullptr) return take("error", *parsed);
  return take(type, *parsed);
}

Result<StreamUpdate> ResponsesStream::take(std::string_view type, const json::value& event) {
  if (is_repeated(type, event)) return StreamUpdate{};
  take_response_id(event);
  StreamUpdate update;
  update.semantic = true;
  if (is_final(type)) {
    PLANEXE_TRY(finish(type, event));
    return update;
  }
  if (type == "response.output_text.delta") return take_delta(PartKind::text, event);
  if (type == "response.refusal.delta") return take_delta(PartKind::refusal, event);
  if (type == "response.reasoning_summary_text.delta" || type == "response.reasoning_text.delta") {
    return take_delta(PartKind::reasoning, event);
  }
  if (type == "response.output_text.done") {
    PLANEXE_TRY(take_done(PartKind::text, event, "text"));
  } else if (type == "response.refusal.done") {
    PLANEXE_TRY(take_done(PartKind::refusal, event, "refusal"));
  } else if (type == "response.reasoning_summary_text.done" || type == "response.reasoning_text.done") {
    PLANEXE_TRY(take_done(PartKind::reasoning, event, "text"));
  } else if (type == "response.output_item.done") {
    PLANEXE_TRY(take_item(event));
  } else if (!is_progress(type)) {
    ++counters_.unknown_events;
    update.semantic = false;
  }
  show_next(update);
  return update;
}

bool ResponsesStream::is_repeated(std::string_view type, const json::value& event) {
  const auto number = get_int(event, "sequence_number");
  if (!numbered_ || !number) return false;
  const bool repeated = *number <= last_sequence_;
  // The last word counts whatever its number: a server that numbers wrongly would else never finish.
  if (repeated && !is_final(type)) {
    ++counters_.duplicate_events;
    return true;
  }
  if (*number > last_sequence_ + 1) ++counters_.sequence_gaps;
  last_sequence_ = std::max(last_sequence_, *number);
  return false;
}

void ResponsesStream::take_response_id(const json::value& event) {
  if (!response_id_.empty()) return;
  if (const json::value* response = find(event, "response")) {
    response_id_ = get_string(*response, "id").value_or("");
  } else if (const auto id = get_string(event, "response_id")) {
    response_id_ = *id;
  }
}

Result<StreamUpdate> ResponsesStream::take_delta(PartKind kind, const json::value& event) {
  StreamUpdate update;
  update.semantic = true;
  const std::string_view delta = get_string(event, "delta").value_or("");
  PLANEXE_TRY_ASSIGN(Part* const part, part_of(kind, event));
  PLANEXE_TRY(count_bytes(delta.size(), 0));
  part->text += delta;
  if (kind == PartKind::reasoning) update.reasoning = delta;
  show_next(update);
  return update;
}

Result<void> ResponsesStream::take_done(PartKind kind, const json::value& event, std::string_view member) {
  PLANEXE_TRY_ASSIGN(Part* const part, part_of(kind, event));
  if (const auto text = get_string(event, member)) PLANEXE_TRY(replace(*part, *text));
  part->done = true;
  return {};
}

Result<void> ResponsesStream::take_item(const json::value& event) {
  const json::value* item = find(event, "item");
  if (item == nullptr || get_string(*item, "type").value_or("message") != "message") return {};
  const json::array* content = get_array(*item, "content");
  if (content == nullptr) return {};
  for (std::size_t i = 0; i < content->size(); ++i) {
    const json::value& piece = (*content)[i];
    const bool refusal = get_string(piece, "type") == "refusal";
    const json::value place{{"item_id", get_string(*item, "id").value_or("")},
                            {"output_index", get_int(event, "output_index").value_or(0)},
                            {"content_index", i}};
    PLANEXE_TRY_ASSIGN(Part* const part, part_of(refusal ? PartKind::refusal : PartKind::text, place));
    if (const auto text = get_string(piece, refusal ? "refusal" : "text")) PLANEXE_TRY(replace(*part, *text));
    part->done = true;
  }
  return {};
}

Result<ResponsesStream::Part*> ResponsesStream::part_of(PartKind kind, const json::value& event) {
  constexpr std::string_view kKinds = "tfr";
  std::string key = part_key(kKinds[static_cast<std::size_t>(kind)], event);
  const auto known = part_index_.find(key);
  if (known != part_index_.end()) return &parts_[known->second];
  if (parts_.size() >= parts_max_) {
    return fail(ErrorCode::LimitExceeded, fmt::format("the answer has more than {} parts", parts_max_));
  }
  part_index_.emplace(std::move(key), parts_.size());
  Part& part = parts_.emplace_back();
  part.kind = kind;
  part.output_index = get_int(event, "output_index").value_or(0);
  return &part;
}

Result<void> ResponsesStream::replace(Part& part, std::string_view text) {
  if (part.text == text) return {};
  if (!part.text.empty()) ++counters_.text_mismatches;
  PLANEXE_TRY(count_bytes(text.size(), part.text.size()));
  part.text = text;
  part.shown = std::min(part.shown, part.text.size());
  return {};
}

Result<void> ResponsesStream::count_bytes(std::size_t added, std::size_t removed) {
  text_bytes_ = text_bytes_ + added - std::min(removed, text_bytes_ + added);
  if (text_bytes_ <= text_bytes_max_) return {};
  return fail(ErrorCode::LimitExceeded, fmt::format("the answer is longer than {} bytes", text_bytes_max_));
}

void ResponsesStream::show_next(StreamUpdate& update) {
  while (showing_ < parts_.size()) {
    Part& part = parts_[showing_];
    if (part.kind == PartKind::text && part.shown < part.text.size()) {
      update.text += std::string_view(part.text).substr(part.shown);
      part.shown = part.text.size();
    }
    // Reasoning and refusals are not shown as text; they never hold the text back.
    if (part.kind == PartKind::text && !part.done) return;
    ++showing_;
  }
}

Result<void> ResponsesStream::finish(std::string_view type, const json::value& event) {
  if (type == "error") {
    finish_with_error(event);
    return {};
  }
  const json::value* response = find(event, "response");
  const std::string_view by_name = type.substr(type.find('.') + 1);
  ModelResponse final_response;
  if (response == nullptr || !response->is_object()) {
    final_response = partial();
    final_response.status = by_name;
  } else {
    const bool has_output = get_array(*response, "output") != nullptr;
    final_response = read_response(*response).value_or(ModelResponse{});
    const bool said = get_string(*response, "status").has_value() && final_response.ended();
    if (!said) final_response.status = by_name;
    if (!has_output) {
      const ModelResponse streamed = partial();
      final_response.text = streamed.text;
      final_response.refusal = streamed.refusal;
      final_response.reasoning = streamed.reasoning;
      final_response.has_message = streamed.has_message;
    } else if (const std::string streamed = joined(PartKind::text); !streamed.empty() && streamed != final_response.text) {
      ++counters_.text_mismatches;
    }
  }
  if (final_response.text.size() > text_bytes_max_) {
    return fail(ErrorCode::LimitExceeded, fmt::format("the answer is longer than {} bytes", text_bytes_max_));
  }
  if (final_response.id.empty()) final_response.id = response_id_;
  if (final_response.reasoning.empty()) final_response.reasoning = joined(PartKind::reasoning);
  if (final_response.status == "failed" && !final_response.error) {
    final_response.error = ProviderError{"server_error", "", "the provider reported a failure without a reason", ""};
  }
  result_ = std::move(final_response);
  return {};
}

void ResponsesStream::finish_with_error(const json::value& event) {
  ModelResponse failed = partial();
  failed.status = "failed";
  failed.error = read_provider_error(event);
  if (!failed.error) failed.error = ProviderError{"server_error", "", "the provider reported an error without a reason", ""};
  result_ = std::move(failed);
}

Result<void> ResponsesStream::on_body(const json::value& body) {
  PLANEXE_TRY_ASSIGN(ModelResponse response, read_response(body));
  if (response_id_.empty()) response_id_ = response.id;
  if (response.text.size() > text_bytes_max_) {
    return fail(ErrorCode::LimitExceeded, fmt::format("the answer is longer than {} bytes", text_bytes_max_));
  }
  if (response.status == "failed" && !response.error) {
    response.error = ProviderError{"server_error", "", "the provider reported a failure without a reason", ""};
  }
  if (response.ended()) result_ = std::move(response);
  return {};
}

ModelResponse ResponsesStream::partial() const {
  ModelResponse response;
  response.id = response_id_;
  response.status = "in_progress";
  response.text = joined(PartKind::text);
  response.refusal = joined(PartKind::refusal);
  response.reasoning = joined(PartKind::reasoning);
  response.has_message = !response.text.empty() || !response.refusal.empty();
  return response;
}

std::string ResponsesStream::joined(PartKind kind) const {
  std::vector<const Part*> chosen;
  for (const Part& part : parts_) {
    if (part.kind == kind) chosen.push_back(&part);
  }
  // Parts of one item stay in the order in which they came, which is their order in parts_.
  std::sort(chosen.begin(), chosen.end(), [](const Part* a, const Part* b) {
    return std::tie(a->output_index, a) < std::tie(b->output_index, b);
  });
  std::string text;
  for (const Part* part : chosen) {
    if (kind == PartKind::reasoning && !text.empty()) text += "\n\n";
    text += part->text;
  }
  return text;
}

}  // namespace planexe::llm
