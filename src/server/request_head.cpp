#include "server/request_head.hpp"

#include "server/limits.hpp"

namespace planexe::server {
namespace {

/// The longest registered method has 17 characters.
constexpr std::size_t kMethodCharsMax = 32;
/// Method, version and two spaces beside the address.
constexpr std::size_t kRequestLineBytesMax = limits::kTargetBytesMax + kMethodCharsMax + sizeof(" HTTP/1.1 ");

bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

std::unexpected<Error> malformed(const char* message) { return fail(ErrorCode::InvalidRequest, message); }

Result<void> check_header(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return malformed("A header may not go on in the next line.");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("A header needs a name, a colon and a value.");
  for (const char c : line.substr(0, colon))
    if (!is_token_char(c)) return malformed("A header's name has a character that no name may have.");
  return {};
}

}  // namespace

Result<bool> HeadScanner::look(std::string_view bytes) {
  for (; at_ < bytes.size(); ++at_) {
    const char c = bytes[at_];
    if (headers_ > 0 && at_ + 1 - headers_ > limits::kHeaderBytesMax)
      return fail(ErrorCode::HeadersTooLarge, "The headers are too large.", "All headers together may have 32768 bytes.");
    const bool after_return = at_ > line_ && bytes[at_ - 1] == '\r';
    if (c == '\n' && after_return) {
      const auto line = bytes.substr(line_, at_ - 1 - line_);
      if (headers_ > 0 && line.empty()) return true;
      PLANEXE_TRY(headers_ == 0 ? end_first(line) : check_header(line));
      line_ = at_ + 1;
      headers_ = headers_ == 0 ? line_ : headers_;
      continue;
    }
    if (c == '\n' || after_return) return malformed("A line of the request does not end as lines of HTTP do.");
    if (c == '\r') continue;
    if (headers_ == 0) PLANEXE_TRY(take_first(c));
    if (is_control(c)) return malformed("A header has a control character.");
  }
  return false;
}

Result<void> HeadScanner::take_first(char c) {
  const auto length = at_ - line_;
  if (!method_ended_) {
    method_ended_ = c == ' ' && length > 0;
    if (!method_ended_ && (!is_token_char(c) || length >= kMethodCharsMax)) return malformed("This is no valid HTTP/1.1 request.");
  }
  if (c == '\t') return malformed("This is no valid HTTP/1.1 request.");
  if (length >= kRequestLineBytesMax) return fail(ErrorCode::UriTooLong, "The address is too long; at most 8 KiB is taken.");
  return {};
}

Result<void> HeadScanner::end_first(std::string_view line) const {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return malformed("The request line needs a method, a path and HTTP/1.1.");
  if (last - first - 1 > limits::kTargetBytesMax) return fail(ErrorCode::UriTooLong, "The address is too long; at most 8 KiB is taken.");
  return {};
}

}  // namespace planexe::server
