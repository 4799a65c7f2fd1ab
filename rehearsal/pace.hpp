#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace planexe::rehearsal {

/// How long an answer takes.
struct Pace {
  std::chrono::milliseconds headers{0};       ///< until the status line
  std::chrono::milliseconds first_event{0};   ///< from there to the first piece of text
  int tokens_per_second = 0;                  ///< 0: as fast as the connection takes it
  double spread = 0;                          ///< each answer's times are multiplied by a factor from [1 - spread, 1 + spread]
};

/// instant (no delay), fast (a plan in some seconds), realistic (times of a real reasoning model).
std::optional<Pace> pace_of_profile(std::string_view name);

/// The pace of one answer; the same seed and key give the same times whatever the order of the requests.
Pace pace_of_answer(const Pace& pace, std::uint64_t seed, std::string_view key);

/// A number from a seed and a text, for choices that must not depend on the order of requests.
std::uint64_t seeded(std::uint64_t seed, std::string_view key);

}  // namespace planexe::rehearsal
