#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "plan/calendar.hpp"

namespace planexe::plan {
namespace {

Date day(std::string_view text) { return parse_date(text).value(); }
std::string text(Date date) { return format_date(date); }

TEST(PlanCalendar, SkipsWeekends) {
  const Calendar calendar(day("2026-01-02"));  // a Friday
  EXPECT_EQ(text(calendar.date_of_day(0)), "2026-01-02");
  EXPECT_EQ(text(calendar.date_of_day(1)), "2026-01-05");
  EXPECT_EQ(text(calendar.date_of_day(6)), "2026-01-12");
}

TEST(PlanCalendar, BeginsOnTheFirstWorkingDay) {
  const Calendar calendar(day("2026-01-03"));  // a Saturday
  EXPECT_EQ(text(calendar.date_of_day(0)), "2026-01-05");
  EXPECT_EQ(calendar.day_on_or_after(day("2026-01-03")), 0);
  EXPECT_EQ(calendar.day_on_or_after(day("2026-01-06")), 1);
}

TEST(PlanCalendar, SkipsHolidays) {
  const int weekdays[] = {1, 2, 3, 4, 5};
  const auto calendar =
      Calendar::make(day("2026-01-05"), weekdays, {day("2026-01-05"), day("2026-01-07"), day("2026-01-10")}).value();
  EXPECT_EQ(text(calendar.date_of_day(0)), "2026-01-06");
  EXPECT_EQ(text(calendar.date_of_day(1)), "2026-01-08");
  EXPECT_EQ(text(calendar.date_of_day(3)), "2026-01-12");
  EXPECT_FALSE(calendar.works_on(day("2026-01-07")));
}

TEST(PlanCalendar, RefusesWeeksWithoutWork) {
  EXPECT_FALSE(Calendar::make(day("2026-01-05"), std::vector<int>{}, {}));
  EXPECT_FALSE(Calendar::make(day("2026-01-05"), std::vector<int>{0}, {}));
  EXPECT_FALSE(Calendar::make(day("2026-01-05"), std::vector<int>{8}, {}));
}

TEST(PlanCalendar, EndsWithTheLastDate) {
  EXPECT_EQ(text(Calendar(day("2026-01-05")).date_of_day(2'000'000'000)), "9999-12-31");
}

TEST(PlanCalendar, AddsMonthsAsPeopleDo) {
  EXPECT_EQ(text(add_months(day("2026-01-31"), 1)), "2026-02-28");
  EXPECT_EQ(text(add_months(day("2027-12-31"), 2)), "2028-02-29");
  EXPECT_EQ(text(add_months(day("2026-03-15"), 24)), "2028-03-15");
}

RC_GTEST_PROP(PlanCalendar, DaysAndDatesAgree, ()) {
  const Date start = add_days(day("2026-01-01"), *rc::gen::inRange(0, 400));
  const auto weekdays = *rc::gen::unique<std::vector<int>>(rc::gen::inRange(1, 8));
  std::vector<Date> holidays;
  for (const int offset : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60)))
    holidays.push_back(add_days(start, offset));
  RC_PRE(!weekdays.empty());
  const Calendar calendar = Calendar::make(start, weekdays, holidays).value();
  Date expected = start;
  for (int number = 0; number < 100; ++number) {
    while (!calendar.works_on(expected)) expected = add_days(expected, 1);
    RC_ASSERT(calendar.date_of_day(number) == expected);
    RC_ASSERT(calendar.day_on_or_after(expected) == number);
    expected = add_days(expected, 1);
  }
}

}  // namespace
}  // namespace planexe::plan
