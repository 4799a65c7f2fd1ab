#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.hpp"

namespace planexe::server {

/// Looks for the end of a request's head before the parser takes anything out of it, and refuses what the parser would pass
/// over: lines that are folded (RFC 9112, 5.2), bare line feeds, control characters, and heads beyond the limits, which it
/// counts to the byte. Pure; one object per request.
class HeadScanner {
 public:
  /// `bytes`: everything that came since the head began; what was given before is not read again. True when the head is
  /// complete, false when more must come. URI_TOO_LONG, HEADERS_TOO_LARGE, INVALID_REQUEST.
  Result<bool> look(std::string_view bytes);

 private:
  Result<void> take_first(char c);
  Result<void> end_first(std::string_view line) const;

  std::size_t at_ = 0;       ///< the next byte to look at
  std::size_t line_ = 0;     ///< where its line begins
  std::size_t headers_ = 0;  ///< where the headers begin; 0 in the request line
  bool method_ended_ = false;
};

}  // namespace planexe::server
