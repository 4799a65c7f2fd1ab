#include "llm/sse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::llm {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Finds line ends in one piece of bytes. Remembers where the next of each kind is, so that every byte is looked at
/// once per kind even when only one kind occurs.
class LineEnds {
 public:
  explicit LineEnds(std::string_view bytes) : bytes_(bytes) {}

  std::size_t next(std::size_t from) {
    return std::min(advance(carriage_return_, '\r', from), advance(line_feed_, '\n', from));
  }

 private:
  struct Cursor {
    std::size_t at = 0;
    bool known = false;
  };

  std::size_t advance(Cursor& cursor, char wanted, std::size_t from) const {
    if (!cursor.known || cursor.at < from) {
      cursor.at = bytes_.find(wanted, from);
      cursor.known = true;
    }
    return cursor.at;
  }

  std::string_view bytes_;
  Cursor carriage_return_;
  Cursor line_feed_;
};

}  // namespace

Result<void> SseParser::feed(std::string_view bytes, const Sink& sink) {
  LineEnds ends(bytes);
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (skip_line_feed_) {
      skip_line_feed_ = false;
      if (bytes[at] == '\n') {
        ++at;
        continue;
      }
    }
    const std::size_t end = ends.next(at);
    const std::size_t stop = std::min(end, bytes.size());
    if (line_.size() + (stop - at) > line_bytes_max_) {
      return fail(ErrorCode::LimitExceeded,
                  fmt::format("a line of the event stream is longer than {} bytes", line_bytes_max_));
    }
    const std::string_view piece = bytes.substr(at, stop - at);
    if (end == std::string_view::npos) {
      line_.append(piece);
      return {};
    }
    skip_line_feed_ = bytes[end] == '\r';
    at = end + 1;
    if (line_.empty()) {
      PLANEXE_TRY(take_line(piece, sink));
      continue;
    }
    line_.append(piece);
    const std::string line = std::exchange(line_, {});
    PLANEXE_TRY(take_line(line, sink));
  }
  return {};
}

Result<void> SseParser::take_line(std::string_view line, const Sink& sink) {
  if (std::exchange(first_line_, false) && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    dispatch(sink);
    return {};
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) {
    ++comments_;
    return {};
  }
  if (colon == std::string_view::npos) return take_field(line, {});
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return take_field(line.substr(0, colon), value);
}

Result<void> SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "event") {
    type_ = value;
    return {};
  }
  if (name != "data") return {};
  if (data_.size() + value.size() + 1 > event_bytes_max_) {
    return fail(ErrorCode::LimitExceeded,
                fmt::format("an event of the stream is longer than {} bytes", event_bytes_max_));
  }
  if (has_data_) data_ += '\n';
  has_data_ = true;
  data_.append(value);
  return {};
}

void SseParser::dispatch(const Sink& sink) {
  if (has_data_) sink(SseEvent{type_, data_});
  type_.clear();
  data_.clear();
  // One huge event must not keep its memory for the rest of the stream.
  constexpr std::size_t kKeptBytesMax = 1U << 20U;
  if (data_.capacity() > kKeptBytesMax) std::string().swap(data_);
  has_data_ = false;
}

}  // namespace planexe::llm
