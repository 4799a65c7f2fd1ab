#pragma once

#include <string>
#include <string_view>

namespace planexe::engine {

/// Holds the reasoning of one attempt back to the end of its line, because clients show each delta as a line of its own.
/// A line that goes on for long is given as it is. Pure.
class ReasoningLines {
 public:
  /// What may be shown now; "" while a line has only begun.
  std::string take(std::string_view delta);
  /// What is left, when text follows or the attempt ends.
  std::string rest();

 private:
  std::string begun_;
};

}  // namespace planexe::engine
