#include "llm/delay.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fmt/format.h>

namespace planexe::llm {
namespace {

using std::chrono::milliseconds;

TEST(LlmDelay, GoDurations) {
  const auto ms = [](std::string_view text) { return parse_go_duration(text).value_or(milliseconds(-1)).count(); };
  EXPECT_EQ(ms("20ms"), 20);
  EXPECT_EQ(ms("1s"), 1'000);
  EXPECT_EQ(ms("6m0s"), 360'000);
  EXPECT_EQ(ms("1h2m3s"), 3'723'000);
  EXPECT_EQ(ms("1.5s"), 1'500);
  EXPECT_EQ(ms("100us"), 1);
  EXPECT_EQ(ms("0s"), 0);
  for (const char* bad : {"", "5", "s", "-1s", "1x", "1s2", "abc", "1 s", "inf", "nan", "1e3s", "1s-2s"}) EXPECT_EQ(ms(bad), -1) << bad;
}

RC_GTEST_PROP(LlmDelayProperty, GoDurationsReadBack, ()) {
  const int h = *rc::gen::inRange(0, 20);
  const int m = *rc::gen::inRange(0, 60);
  const int s = *rc::gen::inRange(0, 60);
  const auto parsed = parse_go_duration(fmt::format("{}h{}m{}s", h, m, s));
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->count() == ((h * 60LL + m) * 60 + s) * 1'000);
}

RC_GTEST_PROP(LlmDelayProperty, HostileTextsGiveNoAbsurdDelay, (const std::string& text)) {
  for (const auto& delay : {parse_go_duration(text), parse_seconds(text), delay_in_text("try again in " + text),
                            server_delay({{"retry-after", text}, {"retry-after-ms", text}}, text, TimePoint{})}) {
    if (delay) RC_ASSERT(delay->count() >= 0);
  }
}

TEST(LlmDelay, Seconds) {
  EXPECT_EQ(parse_seconds("2"), milliseconds(2'000));
  EXPECT_EQ(parse_seconds(" 0.25 "), milliseconds(250));
  for (const char* bad : {"", "0", "-1", "inf", "nan", "1e999", "2s", "0x10", "- 1"}) EXPECT_FALSE(parse_seconds(bad)) << bad;
  // Huge ones are limited, so that later sums cannot overflow.
  EXPECT_EQ(parse_seconds("99999999999999999999"), milliseconds(86'400'000));
}

TEST(LlmDelay, HttpDates) {
  const auto expected = parse_iso("1994-11-06T08:49:37Z").value();
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), expected);
  for (const char* bad : {"", "tomorrow", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 36 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 1994 28:49:37 GMT", "Sun, 06 Nov 1994 0a:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(LlmDelay, Texts) {
  EXPECT_EQ(delay_in_text("Please try again in 1.2s. Visit"), milliseconds(1'200));
  EXPECT_EQ(delay_in_text("try again in 350ms"), milliseconds(350));
  EXPECT_EQ(delay_in_text("Please retry after 20 seconds."), milliseconds(20'000));
  EXPECT_EQ(delay_in_text("try again in 6m0s."), milliseconds(360'000));
  EXPECT_EQ(delay_in_text("try again in 2 minutes"), milliseconds(120'000));
  EXPECT_FALSE(delay_in_text("try again in a while"));
  EXPECT_FALSE(delay_in_text("try again in 0s"));
  EXPECT_FALSE(delay_in_text("busy"));
}

TEST(LlmDelay, OrderOfSources) {
  const TimePoint now = parse_iso("2026-01-01T00:00:00Z").value();
  EXPECT_EQ(server_delay({{"retry-after-ms", "7"}, {"retry-after", "3"}}, "try again in 9s", now), milliseconds(7));
  EXPECT_EQ(server_delay({{"retry-after-ms", "x"}, {"retry-after", "3"}}, "try again in 9s", now), milliseconds(3'000));
  EXPECT_EQ(server_delay({{"retry-after", "x"}}, "try again in 9s", now), milliseconds(9'000));
  EXPECT_EQ(server_delay({{"retry-after", "Thu, 01 Jan 2026 00:00:05 GMT"}}, "", now), milliseconds(5'000));
  // A date in the past is none.
  EXPECT_FALSE(server_delay({{"retry-after", "Thu, 01 Jan 2015 00:00:05 GMT"}}, "", now));
}

RC_GTEST_PROP(LlmDelayProperty, BackoffStaysInItsBounds, (std::uint64_t seed)) {
  Random random(seed);
  const ClientSettings settings;
  const int n = *rc::gen::inRange(-5, 100);
  const bool limited = *rc::gen::arbitrary<bool>();
  const auto delay = backoff(settings, n, limited, random);
  const double full = std::min(500.0 * std::pow(2.0, std::clamp(n, 0, 16)), limited ? 30'000.0 : 8'000.0);
  RC_ASSERT(static_cast<double>(delay.count()) <= full);
  RC_ASSERT(static_cast<double>(delay.count()) >= full * 0.75 - 1);
  const auto extra = with_extra(settings, milliseconds(100), random);
  RC_ASSERT(extra >= milliseconds(100));
  RC_ASSERT(extra <= milliseconds(350));
}

}  // namespace
}  // namespace planexe::llm
