#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/time.hpp"

namespace planexe {
namespace {

using namespace std::chrono_literals;

TimePoint at(std::string_view text) { return parse_iso(text).value(); }

TEST(BaseTime, FormatsUtcWithThreeDecimals) {
  EXPECT_EQ(format_iso(TimePoint{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_iso(TimePoint{1769860800007ms}), "2026-01-31T12:00:00.007Z");
  EXPECT_EQ(format_iso(TimePoint{-1ms}), "1969-12-31T23:59:59.999Z");
}

TEST(BaseTime, ReadsTheFormsThatOccur) {
  const TimePoint noon = TimePoint{1769860800000ms};
  EXPECT_EQ(at("2026-01-31T12:00:00Z"), noon);
  EXPECT_EQ(at("2026-01-31T12:00:00"), noon);
  EXPECT_EQ(at("2026-01-31 12:00"), noon);
  EXPECT_EQ(at("2026-01-31T14:00:00+02:00"), noon);
  EXPECT_EQ(at("2026-01-31T14:00:00+0200"), noon);
  EXPECT_EQ(at("2026-01-31T14:00+02"), noon);
}

TEST(BaseTime, CutsDecimalsToMilliseconds) {
  EXPECT_EQ(format_iso(at("2026-01-31T12:00:00.5Z")), "2026-01-31T12:00:00.500Z");
  EXPECT_EQ(format_iso(at("2026-01-31T12:00:00.123456789Z")), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(format_iso(at("2026-01-31T12:00:00.999999")), "2026-01-31T12:00:00.999Z");
}

TEST(BaseTime, OffsetsMoveTheDay) {
  EXPECT_EQ(format_iso(at("2026-01-01T00:30:00+01:00")), "2025-12-31T23:30:00.000Z");
  EXPECT_EQ(format_iso(at("2026-12-31T23:30:00-01:00")), "2027-01-01T00:30:00.000Z");
}

TEST(BaseTime, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z", "2026-01-31T12:00:00Zx", "2026-01-31T12:00:00+2",
        "2026-01-31T12:00:00+25:00", "gestern", "2026-1-31T12:00:00Z"}) {
    const auto result = parse_iso(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidRequest);
  }
}

RC_GTEST_PROP(BaseTimeProperty, RoundTrip, ()) {
  // The years 0000 to 9999.
  const auto ms = *rc::gen::inRange<std::int64_t>(-62167219200000, 253402300799999);
  const TimePoint time{std::chrono::milliseconds{ms}};
  RC_ASSERT(parse_iso(format_iso(time)).value() == time);
}

TEST(BaseTime, Dates) {
  const Date date = parse_date("2028-02-28").value();
  EXPECT_EQ(format_date(add_days(date, 1)), "2028-02-29");
  EXPECT_EQ(format_date(add_days(date, -59)), "2027-12-31");
  EXPECT_EQ(days_between(date, parse_date("2028-03-01").value()), 2);
  EXPECT_EQ(days_between(parse_date("2028-03-01").value(), date), -2);
  EXPECT_EQ(format_date(date_of(at("2026-01-01T00:30:00+01:00"))), "2025-12-31");
  EXPECT_FALSE(parse_date("2027-02-29").has_value());
  EXPECT_FALSE(parse_date("2027-02-28 ").has_value());
  EXPECT_FALSE(parse_date("2027-2-28").has_value());
}

TEST(BaseTime, FixedClockMovesOnlyWhenTold) {
  FixedClock clock(at("2026-01-31T12:00:00Z"));
  const auto start = clock.steady();
  EXPECT_EQ(clock.steady(), start);
  clock.advance(1500ms);
  EXPECT_EQ(format_iso(clock.now()), "2026-01-31T12:00:01.500Z");
  EXPECT_EQ(clock.steady() - start, 1500ms);
  clock.set(TimePoint{});
  EXPECT_EQ(clock.now(), TimePoint{});
}

TEST(BaseTime, TheClockOfAProgram) {
  EXPECT_GT(make_clock("").value()->now(), at("2024-01-01T00:00:00Z"));
  const auto fixed = make_clock("2026-01-31T12:00:00Z").value();
  EXPECT_EQ(format_iso(fixed->now()), "2026-01-31T12:00:00.000Z");
  const auto before = fixed->steady();
  EXPECT_GE(fixed->steady(), before);
  EXPECT_GT(before.time_since_epoch().count(), 0) << "deadlines need a clock that runs";
  EXPECT_EQ(make_clock("noon").error().code, ErrorCode::InvalidConfig);
}

}  // namespace
}  // namespace planexe
