#include "server/conversation/event_log.hpp"

#include "server/client_stream.hpp"

namespace planexe::server {

void EventLog::append(std::string_view name, const json::object& data) {
  if (ended_) return;
  events_.push_back({std::string(name), to_json(data)});
  bytes_ += events_.back().data.size() + sizeof(Event);
}

void EventLog::append_delta(std::string_view name, const json::object& data, TextKind kind, std::string_view delta) {
  if (ended_) return;
  append(name, data);
  const auto at = current(kind);
  texts_[at].text += delta;
  bytes_ += delta.size();
  events_.back().text_index = at + 1;
  events_.back().length = texts_[at].text.size();
}

void EventLog::restart_texts() { first_current_ = texts_.size(); }

std::size_t EventLog::current(TextKind kind) {
  for (auto i = first_current_; i < texts_.size(); ++i)
    if (texts_[i].kind == kind) return i;
  texts_.push_back({kind, {}});
  return texts_.size() - 1;
}

const std::string& EventLog::text(TextKind kind) const {
  static const std::string kNone;
  for (auto i = first_current_; i < texts_.size(); ++i)
    if (texts_[i].kind == kind) return texts_[i].text;
  return kNone;
}

std::string EventLog::render(std::int64_t id, bool aggregated) const {
  const auto& event = events_[index(id)];
  if (!aggregated || event.text_index == 0) return event_text(std::to_string(id), event.name, event.data);
  const auto text = std::string_view(texts_[event.text_index - 1].text).substr(0, event.length);
  std::string data = event.data;
  data.pop_back();
  data += ",\"aggregated\":" + to_json(json::string(text)) + "}";
  return event_text(std::to_string(id), event.name, data);
}

}  // namespace planexe::server
