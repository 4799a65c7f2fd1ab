#include "base/random.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"

namespace planexe {

namespace {

std::mt19937_64 engine_from(const std::array<std::uint32_t, 8>& seed) {
  std::seed_seq sequence(seed.begin(), seed.end());
  return std::mt19937_64(sequence);
}

std::array<std::uint32_t, 8> system_seed() {
  std::array<std::uint32_t, 8> words{};
  ssize_t got = 0;
  do {
    got = ::getrandom(words.data(), sizeof(words), 0);
  } while (got < 0 && errno == EINTR);
  PLANEXE_ASSERT(got == static_cast<ssize_t>(sizeof(words)));
  return words;
}

}  // namespace

Random::Random(std::uint64_t seed) : engine_(seed) {}

Random::Random(const Seed& seed) : engine_(engine_from(seed)) {}

SystemRandom::SystemRandom() : Random(system_seed()) {}

std::uint64_t Random::next() { return engine_(); }

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t Random::below(std::uint64_t bound) {
  PLANEXE_ASSERT(bound > 0);
  // Values below 2^64 mod bound would make the small results more likely; they are drawn again.
  const std::uint64_t threshold = (0 - bound) % bound;
  std::uint64_t value = next();
  while (value < threshold) value = next();
  return value % bound;
}

}  // namespace planexe
