#include "llm/token_bucket.hpp"

#include <algorithm>
#include <cmath>

namespace planexe::llm {

namespace {
constexpr double kMinuteMs = 60'000.0;
}

TokenBucket::TokenBucket(std::int64_t per_minute, double burst, SteadyTime now)
    : per_minute_(std::max<std::int64_t>(per_minute, 1)), burst_(std::clamp(burst, 0.0, 1.0)), fill_(0), at_(now) {
  fill_ = capacity();
}

double TokenBucket::capacity() const { return std::max(1.0, static_cast<double>(per_minute_) * burst_); }

double TokenBucket::rate_per_ms() const {
  // With a limit of one or two a minute the burst would leave nothing to come back.
  const double rest = static_cast<double>(per_minute_) - capacity();
  return std::max(rest, static_cast<double>(per_minute_) * 0.5) / kMinuteMs;
}

double TokenBucket::fill_at(SteadyTime now) const {
  const double elapsed = std::chrono::duration<double, std::milli>(std::max(now, at_) - at_).count();
  return std::min(capacity(), fill_ + elapsed * rate_per_ms());
}

void TokenBucket::settle(SteadyTime now) {
  fill_ = fill_at(now);
  at_ = std::max(now, at_);
}

std::chrono::milliseconds TokenBucket::wait_for(std::int64_t amount, SteadyTime now) const {
  const double wanted = std::min(static_cast<double>(amount), capacity());
  const double missing = wanted - fill_at(now);
  // A rounding error of the refill must not cost a millisecond for ever.
  if (missing <= 1e-6) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(missing / rate_per_ms())));
}

void TokenBucket::take(std::int64_t amount, SteadyTime now) {
  settle(now);
  fill_ -= static_cast<double>(amount);
}

void TokenBucket::correct(std::int64_t amount, SteadyTime now) {
  settle(now);
  fill_ = std::min(capacity(), fill_ + static_cast<double>(amount));
}

void TokenBucket::limit_to(std::int64_t remaining, SteadyTime now) {
  settle(now);
  fill_ = std::min(fill_, static_cast<double>(remaining));
}

void TokenBucket::set_limit(std::int64_t per_minute, SteadyTime now) {
  settle(now);
  per_minute_ = std::max<std::int64_t>(per_minute, 1);
  fill_ = std::min(fill_, capacity());
}

}  // namespace planexe::llm
