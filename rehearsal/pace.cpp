#include "pace.hpp"

#include <cmath>

#include "base/random.hpp"

namespace planexe::rehearsal {
namespace {

using std::chrono::milliseconds;

milliseconds scaled(milliseconds time, double factor) {
  return milliseconds(std::llround(static_cast<double>(time.count()) * factor));
}

}  // namespace

std::optional<Pace> pace_of_profile(std::string_view name) {
  if (name == "instant") return Pace{};
  if (name == "fast") return Pace{milliseconds(10), milliseconds(30), 4'000, 0.3};
  if (name == "realistic") return Pace{milliseconds(350), milliseconds(4'000), 90, 0.4};
  return std::nullopt;
}

std::uint64_t seeded(std::uint64_t seed, std::string_view key) {
  // FNV-1a, then the generator spreads the bits.
  std::uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return Random(hash).next();
}

Pace pace_of_answer(const Pace& pace, std::uint64_t seed, std::string_view key) {
  if (pace.spread <= 0) return pace;
  const double unit = static_cast<double>(seeded(seed, key) >> 11U) * 0x1.0p-53;
  const double factor = 1.0 + pace.spread * (2.0 * unit - 1.0);
  Pace own = pace;
  own.headers = scaled(pace.headers, factor);
  own.first_event = scaled(pace.first_event, factor);
  if (pace.tokens_per_second > 0)
    own.tokens_per_second = std::max(1, static_cast<int>(static_cast<double>(pace.tokens_per_second) / factor));
  return own;
}

}  // namespace planexe::rehearsal
