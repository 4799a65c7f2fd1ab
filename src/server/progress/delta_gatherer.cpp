#include "server/progress/delta_gatherer.hpp"

#include <algorithm>

namespace planexe::server {
namespace {

/// A line of reasoning that goes on for so long is shown as it is.
constexpr std::size_t kReasoningLineMax = 300;

std::string delta_of(const engine::Event& event) {
  const auto* data = get_object(event.payload, "data");
  return data == nullptr ? std::string() : std::string(get_string(*data, "delta").value_or(""));
}

void set_delta(engine::Event& event, std::string_view text) { event.payload["data"] = json::object{{"delta", text}}; }

}  // namespace

bool DeltaGatherer::take(engine::Event& event) {
  if (event.type != "llm_stream") return false;
  const auto kind = get_string(event.payload, "event").value_or("");
  if (kind != "text_delta" && kind != "reasoning_delta") return false;
  const Key key{event.interaction_id, kind == "reasoning_delta"};
  const auto it = waiting_.find(key);
  if (it == waiting_.end()) {
    waiting_.emplace(key, std::move(event));
    return true;
  }
  const std::string merged = delta_of(it->second) + delta_of(event);
  it->second = std::move(event);
  set_delta(it->second, merged);
  return true;
}

std::vector<engine::Event> DeltaGatherer::release(bool all) {
  std::vector<engine::Event> out;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const std::string text = delta_of(it->second);
    const auto line_end = text.rfind('\n');
    const bool whole = all || !it->first.reasoning || text.size() >= kReasoningLineMax || line_end == text.size() - 1;
    if (whole) {
      out.push_back(std::move(it->second));
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
  std::ranges::sort(out, {}, &engine::Event::seq);
  return out;
}

}  // namespace planexe::server
