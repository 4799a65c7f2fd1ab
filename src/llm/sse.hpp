#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace planexe::llm {

/// One event of an event stream. The views live until the sink returns.
struct SseEvent {
  std::string_view type;  ///< empty when the stream did not name one
  std::string_view data;
};

/// Reads an event stream as the WHATWG HTML standard defines it (section "Server-sent events"), in pieces of any size.
/// Time is linear in the bytes fed; memory is bounded by the two limits. `id` and `retry` fields are ignored: the
/// model interfaces have their own numbers.
class SseParser {
 public:
  using Sink = std::function<void(const SseEvent&)>;

  SseParser(std::size_t line_bytes_max, std::size_t event_bytes_max)
      : line_bytes_max_(line_bytes_max), event_bytes_max_(event_bytes_max) {}

  /// Gives every event that these bytes complete to the sink, in order. Error: LIMIT_EXCEEDED for a line or an event
  /// that is too long; the parser is then of no further use.
  Result<void> feed(std::string_view bytes, const Sink& sink);

  /// Comment lines seen so far; servers send them to keep the connection alive.
  [[nodiscard]] std::uint64_t comments() const { return comments_; }

 private:
  Result<void> take_line(std::string_view line, const Sink& sink);
  Result<void> take_field(std::string_view name, std::string_view value);
  void dispatch(const Sink& sink);

  std::size_t line_bytes_max_;
  std::size_t event_bytes_max_;
  std::string line_;  ///< beginning of a line whose end has not come yet
  std::string type_;
  std::string data_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool skip_line_feed_ = false;  ///< the last byte was a CR; an LF that follows belongs to it
  std::uint64_t comments_ = 0;
};

}  // namespace planexe::llm
