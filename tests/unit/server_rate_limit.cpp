#include <gtest/gtest.h>

#include "base/embedded.hpp"
#include "base/json.hpp"
#include "server/limits.hpp"
#include "server/rate_limit.hpp"

namespace planexe::server {
namespace {

using namespace std::chrono_literals;
using Time = RateLimiter::Time;

const Time kStart = Time{} + 1h;

/// Requests that pass at one moment.
int burst(RateLimiter& limiter, const std::string& who, std::string_view rate_class, Time now) {
  int passed = 0;
  while (passed < 10'000 && limiter.take(who, rate_class, now).allowed) ++passed;
  return passed;
}

TEST(ServerRateLimit, TheFiguresAreThoseOfTheContract) {
  const auto* file = embedded::find("openapi", "openapi.json");
  ASSERT_NE(file, nullptr);
  const auto contract = parse_json(file->bytes).value();
  const auto* classes = get_object(contract, "x-rate-classes");
  ASSERT_NE(classes, nullptr);
  EXPECT_EQ(classes->size(), 4U);
  for (const auto& [name, value] : *classes) {
    const auto bound = get_int(value, "burst").value();
    const auto rate = get_int(value, "per_minute").value();
    RateLimiter limiter(true);
    EXPECT_EQ(burst(limiter, "a", name, kStart), bound) << name;
    // After the burst, tokens come back at the rate of the class.
    const auto refill = std::chrono::milliseconds(60'000 * 5 / rate);
    EXPECT_EQ(burst(limiter, "a", name, kStart + refill), 5) << name;
  }
}

TEST(ServerRateLimit, EveryRequestTakesFromAll) {
  RateLimiter limiter(true);
  EXPECT_EQ(burst(limiter, "a", "all", kStart), 200);
  EXPECT_FALSE(limiter.take("a", "create_plan", kStart).allowed);
  EXPECT_TRUE(limiter.take("b", "create_plan", kStart).allowed) << "others have buckets of their own";
}

TEST(ServerRateLimit, ARefusedRequestTakesNothing) {
  RateLimiter limiter(true);
  EXPECT_EQ(burst(limiter, "a", "create_plan", kStart), 10);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(limiter.take("a", "create_plan", kStart).allowed);
  EXPECT_EQ(burst(limiter, "a", "all", kStart), 190);
}

TEST(ServerRateLimit, SaysWhenToComeBack) {
  RateLimiter limiter(true);
  burst(limiter, "a", "create_plan", kStart);
  const auto verdict = limiter.take("a", "create_plan", kStart);
  EXPECT_EQ(verdict.retry_after, 6s);
  EXPECT_FALSE(limiter.take("a", "create_plan", kStart + 5900ms).allowed);
  EXPECT_TRUE(limiter.take("a", "create_plan", kStart + 6s).allowed);
  RateLimiter quick(true);
  burst(quick, "a", "all", kStart);
  EXPECT_EQ(quick.take("a", "all", kStart).retry_after, 1s);
}

TEST(ServerRateLimit, ABucketIsNeverFullerThanItsBurst) {
  RateLimiter limiter(true);
  burst(limiter, "a", "turn", kStart);
  EXPECT_EQ(burst(limiter, "a", "turn", kStart + 24h), 30);
}

TEST(ServerRateLimit, AnUnknownClassIsAll) {
  RateLimiter limiter(true);
  EXPECT_EQ(burst(limiter, "a", "no such class", kStart), 200);
}

TEST(ServerRateLimit, RemembersABoundedNumberOfIdentities) {
  RateLimiter limiter(true);
  EXPECT_EQ(burst(limiter, "first", "create_plan", kStart), 10);
  for (std::size_t i = 0; i + 1 < limits::kIdentitiesMax; ++i)
    limiter.take("client " + std::to_string(i), "all", kStart);
  EXPECT_EQ(limiter.identities(), limits::kIdentitiesMax);
  EXPECT_FALSE(limiter.take("first", "create_plan", kStart).allowed) << "still known, and now the most recent one";
  limiter.take("one more", "all", kStart);
  EXPECT_EQ(limiter.identities(), limits::kIdentitiesMax);
  EXPECT_FALSE(limiter.take("first", "create_plan", kStart).allowed);
}

TEST(ServerRateLimit, SwitchedOffItAllowsEverything) {
  RateLimiter limiter(false);
  EXPECT_EQ(burst(limiter, "a", "create_plan", kStart), 10'000);
  EXPECT_EQ(limiter.identities(), 0U);
}

}  // namespace
}  // namespace planexe::server
