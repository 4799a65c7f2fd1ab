#pragma once

#include <array>
#include <cstdint>
#include <random>

namespace planexe {

/// Random numbers for ids, jitter and simulations; the same seed gives the same numbers on every machine. Not for
/// secrets. One thread at a time.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  /// All 64 bits are uniform.
  std::uint64_t next();

  /// In [0, 1), with 53 bits.
  double uniform();

  /// In [0, bound), without bias. `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound);

 protected:
  using Seed = std::array<std::uint32_t, 8>;
  explicit Random(const Seed& seed);

 private:
  std::mt19937_64 engine_;
};

/// Seeded with 256 bits of the operating system. Aborts when the system has no randomness to give.
class SystemRandom final : public Random {
 public:
  SystemRandom();
};

}  // namespace planexe
