#include "server/progress/running_texts.hpp"

#include "base/text.hpp"
#include "server/limits.hpp"

namespace planexe::server {

void RunningTexts::take(const engine::Event& event) {
  if (event.type != "llm_stream") return;
  const auto kind = get_string(event.payload, "event").value_or("");
  const auto* data = get_object(event.payload, "data");
  if (kind == "end") {
    calls_.erase(event.interaction_id);
    return;
  }
  if (kind == "start") {
    Call call;
    call.stage = get_string(event.payload, "stage").value_or("");
    call.started_at = event.at;
    if (data != nullptr) {
      call.call_key = get_string(*data, "call_key").value_or("");
      call.model = get_string(*data, "model").value_or("");
      call.attempt = get_int(*data, "attempt").value_or(1);
    }
    calls_[event.interaction_id] = std::move(call);
    return;
  }
  const auto it = calls_.find(event.interaction_id);
  if (it == calls_.end() || data == nullptr) return;
  it->second.sequence = get_int(event.payload, "sequence").value_or(it->second.sequence);
  const auto delta = get_string(*data, "delta").value_or("");
  if (kind == "text_delta") append(it->second.text, delta, it->second.truncated);
  if (kind == "reasoning_delta") append(it->second.reasoning, delta, it->second.truncated);
}

void RunningTexts::append(std::string& text, std::string_view delta, bool& truncated) {
  text += delta;
  // Cut rarely, so that a long text is not moved with every delta.
  if (text.size() <= 2 * limits::kSnapshotTextBytesMax) return;
  text = text.substr(text.size() - limits::kSnapshotTextBytesMax);
  truncated = true;
}

json::array RunningTexts::snapshot() const {
  const auto tail = [](const std::string& text, bool& cut) {
    if (text.size() <= limits::kSnapshotTextBytesMax) return to_valid_utf8(text);
    cut = true;
    std::size_t begin = text.size() - limits::kSnapshotTextBytesMax;
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) ++begin;
    return to_valid_utf8(text.substr(begin));
  };
  json::array list;
  for (const auto& [id, call] : calls_) {
    bool cut = call.truncated;
    const auto text = tail(call.text, cut);
    const auto reasoning = tail(call.reasoning, cut);
    list.push_back(json::object{{"interaction_id", id},
                                {"stage", call.stage},
                                {"call_key", call.call_key},
                                {"attempt", call.attempt},
                                {"model", call.model},
                                {"started_at", format_iso(call.started_at)},
                                {"sequence", call.sequence},
                                {"text", text},
                                {"reasoning", reasoning},
                                {"text_truncated", cut}});
  }
  return list;
}

}  // namespace planexe::server
