#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace planexe::llm {

using SteadyTime = std::chrono::steady_clock::time_point;

/// A limit per minute that refills continuously. A part of it (`burst`) may be taken at once and the rest comes back
/// evenly, so that no minute, wherever it begins, sees more than the limit, as long as single amounts fit the burst.
/// A larger amount is let through when the bucket is full and leaves a debt.
class TokenBucket {
 public:
  TokenBucket(std::int64_t per_minute, double burst, SteadyTime now);

  /// Time until `amount` may be taken; zero when it may be now.
  [[nodiscard]] std::chrono::milliseconds wait_for(std::int64_t amount, SteadyTime now) const;

  void take(std::int64_t amount, SteadyTime now);

  /// Corrects an earlier estimate: positive gives back, negative takes more.
  void correct(std::int64_t amount, SteadyTime now);

  /// The server's word on what is left; only ever lowers the fill.
  void limit_to(std::int64_t remaining, SteadyTime now);

  void set_limit(std::int64_t per_minute, SteadyTime now);
  [[nodiscard]] std::int64_t limit() const { return per_minute_; }

 private:
  [[nodiscard]] double fill_at(SteadyTime now) const;
  void settle(SteadyTime now);
  [[nodiscard]] double capacity() const;
  [[nodiscard]] double rate_per_ms() const;

  std::int64_t per_minute_;
  double burst_;
  double fill_;
  SteadyTime at_;
};

}  // namespace planexe::llm
