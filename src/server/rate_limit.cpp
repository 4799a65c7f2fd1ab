#include "server/rate_limit.hpp"

#include <algorithm>
#include <cmath>

#include "server/limits.hpp"

namespace planexe::server {
namespace {

struct Rate {
  std::string_view name;
  double per_minute;
  double burst;
};

/// x-rate-classes of the contract; a test compares them. The burst of `all` lets a page load the about 110 files of a
/// plan.
constexpr std::array<Rate, 4> kRates{
    {{"all", 600, 200}, {"create_plan", 10, 10}, {"turn", 30, 30}, {"stream_connect", 60, 60}}};

std::size_t class_index(std::string_view name) {
  const auto found = std::ranges::find(kRates, name, &Rate::name);
  return found == kRates.end() ? 0 : static_cast<std::size_t>(found - kRates.begin());
}

}  // namespace

RateLimiter::RateLimiter(bool enabled) : enabled_(enabled) { static_assert(kRates.size() == kClasses); }

RateLimiter::Entry& RateLimiter::entry_of(const std::string& identity, Time now) {
  if (const auto found = buckets_.find(identity); found != buckets_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front();
  }
  if (buckets_.size() >= limits::kIdentitiesMax) {
    buckets_.erase(recent_.back().identity);
    recent_.pop_back();
  }
  Entry& entry = recent_.emplace_front();
  entry.identity = identity;
  for (std::size_t i = 0; i < kClasses; ++i) entry.buckets.at(i) = {kRates.at(i).burst, now};
  buckets_.emplace(entry.identity, recent_.begin());
  return entry;
}

RateLimiter::Verdict RateLimiter::take(const std::string& identity, std::string_view rate_class, Time now) {
  if (!enabled_) return {};
  Entry& entry = entry_of(identity, now);
  const std::size_t special = class_index(rate_class);
  double wait = 0;
  for (const std::size_t index : {std::size_t{0}, special}) {
    const Rate& rate = kRates.at(index);
    Bucket& bucket = entry.buckets.at(index);
    const double seconds = std::max(0.0, std::chrono::duration<double>(now - bucket.at).count());
    bucket.fill = std::min(rate.burst, bucket.fill + seconds * rate.per_minute / 60);
    bucket.at = now;
    // Refills of fractions of a token must not be lost to rounding.
    if (bucket.fill < 1 - 1e-9) wait = std::max(wait, (1 - bucket.fill) * 60 / rate.per_minute);
  }
  if (wait > 0) return {false, std::chrono::seconds(std::max<long long>(1, std::llround(std::ceil(wait))))};
  entry.buckets.front().fill -= 1;
  if (special != 0) entry.buckets.at(special).fill -= 1;
  return {};
}

}  // namespace planexe::server
