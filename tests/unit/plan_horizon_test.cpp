#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "plan/horizon.hpp"

namespace planexe::plan {
namespace {

Date day(std::string_view text) { return parse_date(text).value(); }

struct SpanCase {
  const char* text;
  CalendarSpan span;
};

class PlanSpan : public testing::TestWithParam<SpanCase> {};

TEST_P(PlanSpan, IsRead) {
  const auto span = parse_span(GetParam().text);
  ASSERT_TRUE(span.has_value()) << GetParam().text;
  EXPECT_EQ(span->months, GetParam().span.months) << GetParam().text;
  EXPECT_EQ(span->days, GetParam().span.days) << GetParam().text;
  EXPECT_EQ(span->working_days, GetParam().span.working_days) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Statements, PlanSpan,
    testing::Values(SpanCase{"within 9 months", {9, 0, 0}}, SpanCase{"opening within 9 months", {9, 0, 0}},
                    SpanCase{"24 months", {24, 0, 0}}, SpanCase{"18-month", {18, 0, 0}},
                    SpanCase{"an 18‑month pilot", {18, 0, 0}}, SpanCase{"2 years", {24, 0, 0}},
                    SpanCase{"two-year", {24, 0, 0}}, SpanCase{"1.5 years", {18, 0, 0}},
                    SpanCase{"1,5 Jahre", {18, 0, 0}}, SpanCase{"half a year", {6, 0, 0}},
                    SpanCase{"a year and a half", {18, 0, 0}}, SpanCase{"one and a half years", {18, 0, 0}},
                    SpanCase{"90 days", {0, 90, 0}}, SpanCase{"12 weeks", {0, 84, 0}},
                    SpanCase{"60 working days", {0, 0, 60}}, SpanCase{"6-9 months", {9, 0, 0}},
                    SpanCase{"6 to 9 months", {9, 0, 0}}, SpanCase{"2 years and 6 months", {30, 0, 0}},
                    SpanCase{"nine (9) months", {9, 0, 0}}, SpanCase{"3 quarters", {9, 0, 0}},
                    SpanCase{"P9M", {9, 0, 0}}, SpanCase{"P1Y6M", {18, 0, 0}}, SpanCase{"in neun Monaten", {9, 0, 0}},
                    SpanCase{"sous 9 mois", {9, 0, 0}}, SpanCase{"en un an", {12, 0, 0}},
                    SpanCase{"en 9 meses", {9, 0, 0}}, SpanCase{"9个月内", {9, 0, 0}},
                    SpanCase{"within a year", {12, 0, 0}}, SpanCase{"2.5 months", {2, 15, 0}}));

TEST(PlanSpan, IsNothingWithoutOneLength) {
  for (const char* text : {"", "soon", "9", "by summer", "months", "a 3 month pilot, then 24 months of growth",
                           "0 days", "99999999 years", "80 000 EUR", "-"})
    EXPECT_FALSE(parse_span(text)) << text;
}

struct DateCase {
  const char* text;
  const char* date;
};

class PlanStatedDate : public testing::TestWithParam<DateCase> {};

TEST_P(PlanStatedDate, IsRead) {
  const auto date = parse_stated_date(GetParam().text);
  ASSERT_TRUE(date.has_value()) << GetParam().text;
  EXPECT_EQ(format_date(*date), GetParam().date) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Statements, PlanStatedDate,
    testing::Values(DateCase{"2026-03-01", "2026-03-01"}, DateCase{"by 1 March 2026", "2026-03-01"},
                    DateCase{"March 1, 2026", "2026-03-01"}, DateCase{"March 3rd, 2026", "2026-03-03"},
                    DateCase{"1st of March 2026", "2026-03-01"}, DateCase{"01.03.2026", "2026-03-01"},
                    DateCase{"31/12/2026", "2026-12-31"}, DateCase{"12/31/2026", "2026-12-31"},
                    DateCase{"2026-02", "2026-02-28"}, DateCase{"June 2027", "2027-06-30"},
                    DateCase{"Q3 2026", "2026-09-30"}, DateCase{"2026 Q1", "2026-03-31"},
                    DateCase{"end of 2026", "2026-12-31"}, DateCase{"by 2027", "2027-12-31"},
                    DateCase{"1er mars 2026", "2026-03-01"}, DateCase{"1. März 2026", "2026-03-01"},
                    DateCase{"1 de marzo de 2026", "2026-03-01"}, DateCase{"2026年3月1日", "2026-03-01"},
                    DateCase{"from 2026-01-01 to 2026-09-30", "2026-09-30"}, DateCase{"mid-2027", "2027-06-30"}));

TEST(PlanStatedDate, IsNothingInDoubt) {
  for (const char* text : {"", "tomorrow", "03/04/2026", "2026-13-01", "31 February 2026", "spring 2027", "early 2027",
                           "24 months", "9999"})
    EXPECT_FALSE(parse_stated_date(text)) << text;
}

TEST(PlanStatedDate, StartIsTheFirstDayOfAPeriod) {
  EXPECT_EQ(format_date(*parse_stated_start("March 2026")), "2026-03-01");
  EXPECT_EQ(format_date(*parse_stated_start("from 2026-01-01 to 2026-09-30")), "2026-01-01");
}

RC_GTEST_PROP(PlanStatedDate, NeverFailsOnAnyText, (const std::string& text)) {
  (void)parse_span(text);
  (void)parse_stated_date(text);
}

const Calendar kCalendar(Date{std::chrono::year{2026}, std::chrono::January, std::chrono::day{5}});

json::value limits(std::string_view text) { return parse_json(text).value(); }

TEST(PlanHorizon, ReadsTheValueBeforeTheQuote) {
  const auto statements = horizon_statements(
      limits(
          R"([{"kind":"horizon","quote":"in three quarters of a year","value":"9 months"},{"kind":"budget","quote":"1 month","value":null}])"),
      nullptr, kCalendar);
  ASSERT_EQ(statements.size(), 1u);
  EXPECT_EQ(statements[0].target, day("2026-10-05"));
}

TEST(PlanHorizon, FallsBackToTheQuoteAndTheIntake) {
  const auto statements = horizon_statements(limits(R"([{"kind":"horizon","quote":"within 9 months","value":null}])"),
                                             limits(R"({"timeline":{"target_completion":"end of 2026"}})"), kCalendar);
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[0].target, day("2026-10-05"));
  EXPECT_EQ(statements[1].target, day("2026-12-31"));
  EXPECT_EQ(statements[1].source, "intake");
}

TEST(PlanHorizon, ComparesWithTheEarliestStatement) {
  const auto statements = horizon_statements(
      limits(
          R"([{"kind":"horizon","quote":"2 years","value":null},{"kind":"end_date","quote":"by 1 March 2026","value":null}])"),
      nullptr, kCalendar);
  const Horizon late = compare_horizon(statements, day("2026-03-11"));
  EXPECT_EQ(late.result, HorizonResult::overshoots);
  EXPECT_EQ(late.distance_days, 10);
  EXPECT_EQ(late.quote, "by 1 March 2026");
  EXPECT_EQ(compare_horizon(statements, day("2026-03-01")).result, HorizonResult::fits);
}

TEST(PlanHorizon, SaysWhatItDoesNotKnow) {
  EXPECT_EQ(compare_horizon({}, day("2026-03-01")).result, HorizonResult::not_stated);
  const auto vague = horizon_statements(limits(R"([{"kind":"horizon","quote":"as soon as possible","value":null}])"),
                                        nullptr, kCalendar);
  const Horizon horizon = compare_horizon(vague, day("2026-03-01"));
  EXPECT_EQ(horizon.result, HorizonResult::unclear);
  EXPECT_EQ(horizon.quote, "as soon as possible");
}

TEST(PlanHorizon, CountsWorkingDaysInTheCalendar) {
  const auto statements =
      horizon_statements(limits(R"([{"kind":"horizon","quote":"10 working days","value":null}])"), nullptr, kCalendar);
  EXPECT_EQ(statements[0].target, day("2026-01-16"));
}

}  // namespace
}  // namespace planexe::plan
