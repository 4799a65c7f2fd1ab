#include "engine/reasoning_lines.hpp"

#include <utility>

namespace planexe::engine {
namespace {

/// Nobody waits for the end of a longer line.
constexpr std::size_t kLineMax = 300;

}  // namespace

std::string ReasoningLines::take(std::string_view delta) {
  begun_ += delta;
  if (begun_.size() >= kLineMax) return rest();
  const auto end = begun_.rfind('\n');
  if (end == std::string::npos) return {};
  std::string lines = begun_.substr(0, end + 1);
  begun_.erase(0, end + 1);
  return lines;
}

std::string ReasoningLines::rest() { return std::exchange(begun_, {}); }

}  // namespace planexe::engine
