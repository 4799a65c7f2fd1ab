#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace planexe::server {

/// Which running text a delta belongs to.
enum class TextKind { text, reasoning };

/// The events of one stream, numbered from 1, for every client that reads it and for those that come back. The text so
/// far is not stored per event: an event knows how long its text was, so memory grows with the text and not with its
/// square. Pure.
class EventLog {
 public:
  void append(std::string_view name, const json::object& data);
  /// `data` lacks the text so far; it is put in as `aggregated` when the event is rendered.
  void append_delta(std::string_view name, const json::object& data, TextKind kind, std::string_view delta);
  /// The answer begins anew: texts of later deltas start empty.
  void restart_texts();
  /// Nothing follows any more.
  void end() { ended_ = true; }

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::int64_t last_id() const { return static_cast<std::int64_t>(events_.size()); }
  /// The text of a kind since the last restart.
  [[nodiscard]] const std::string& text(TextKind kind) const;
  /// The event with this number, in the form of the WHATWG standard.
  [[nodiscard]] std::string render(std::int64_t id, bool aggregated) const;
  /// Name and data of an event, without the text so far; for what is made from all events.
  [[nodiscard]] std::string_view name(std::int64_t id) const { return events_[index(id)].name; }
  [[nodiscard]] std::string_view data(std::int64_t id) const { return events_[index(id)].data; }
  /// Rough memory.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Event {
    std::string name, data;
    std::size_t text_index = 0;  ///< of texts_, plus one; 0: no delta
    std::size_t length = 0;      ///< of the text with this delta
  };
  struct Text {
    TextKind kind;
    std::string text;
  };

  static std::size_t index(std::int64_t id) { return static_cast<std::size_t>(id - 1); }
  std::size_t current(TextKind kind);

  std::deque<Event> events_;
  std::vector<Text> texts_;
  std::size_t first_current_ = 0;  ///< texts before it belong to answers that were given up
  std::size_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace planexe::server
