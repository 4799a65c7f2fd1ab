#include "server/progress/message.hpp"

namespace planexe::server {

ProgressMessage progress_message(std::string_view type, const std::string& plan_id, std::int64_t seq, TimePoint at,
                                 const json::object& payload, bool numbered) {
  std::string text = to_json(json::object{{"type", type}, {"plan_id", plan_id}, {"seq", seq}, {"timestamp", format_iso(at)}});
  if (!payload.empty()) {
    // Joined as texts: payloads are large, and copying one as a value costs more than writing it.
    text.back() = ',';
    text += std::string_view(to_json(payload)).substr(1);
  }
  return {seq, std::string(type), numbered, std::make_shared<const std::string>(std::move(text))};
}

ProgressMessage progress_message(const std::string& plan_id, const engine::Event& event) {
  return progress_message(event.type, plan_id, event.seq, event.at, event.payload);
}

engine::Event event_of(const store::EventRow& row) {
  engine::Event event{row.seq, row.type, row.created_at, {}, row.interaction_id};
  if (row.payload.is_object()) event.payload = row.payload.get_object();
  return event;
}

}  // namespace planexe::server
