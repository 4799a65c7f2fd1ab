#include "server/run_log.hpp"

#include "base/text.hpp"
#include "store/limits.hpp"

namespace planexe::server {

std::string log_line(const store::EventRow& event) {
  std::string line = format_iso(event.created_at);
  std::string level(get_string(event.payload, "level").value_or("info"));
  for (auto& c : level)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  line += " " + strip_control(level) + " ";
  std::string message = strip_control(get_string(event.payload, "message").value_or(""));
  for (auto& c : message)
    if (c == '\n' || c == '\t') c = ' ';
  return line + message;
}

Result<RunLog> read_log(store::Store& store, const std::string& plan_id) {
  RunLog log;
  std::int64_t after = 0;
  for (;;) {
    PLANEXE_TRY_ASSIGN(const auto events, store.log_events(plan_id, after, store::limits::kEventRowsMax));
    for (const auto& event : events) {
      if (log.text.empty()) log.begun = event.created_at;
      log.text += log_line(event);
      log.text += '\n';
    }
    if (events.size() < static_cast<std::size_t>(store::limits::kEventRowsMax)) return log;
    after = events.back().seq;
  }
}

std::string_view log_tail(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  auto tail = text.substr(text.size() - bytes);
  // A line that begins exactly here is whole.
  if (text[text.size() - bytes - 1] == '\n') return tail;
  if (const auto end = tail.find('\n'); end != std::string_view::npos && end + 1 < tail.size())
    return tail.substr(end + 1);
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0U) == 0x80U) tail.remove_prefix(1);
  return tail;
}

}  // namespace planexe::server
