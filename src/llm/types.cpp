#include "llm/types.hpp"

#include <array>

namespace planexe::llm {

std::string_view to_string(AttemptReason reason) {
  constexpr std::array<std::string_view, 9> kNames{"first",   "retry",  "restart", "adapt",   "rebuild",
                                                   "budget", "repair", "fallback", "recovery"};
  return kNames.at(static_cast<std::size_t>(reason));
}

}  // namespace planexe::llm
