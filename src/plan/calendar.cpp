#include "plan/calendar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace planexe::plan {
namespace {

using std::chrono::sys_days;

constexpr Date kLastDate{std::chrono::year{9999}, std::chrono::December, std::chrono::day{31}};

std::size_t iso_weekday(Date date) { return std::chrono::weekday(sys_days(date)).iso_encoding(); }

}  // namespace

Result<Calendar> Calendar::make(Date start, std::span<const int> working_weekdays, std::vector<Date> holidays) {
  std::array<bool, 8> works{};
  for (const int weekday : working_weekdays) {
    if (weekday < 1 || weekday > 7)
      return fail(ErrorCode::ValidationFailed,
                  fmt::format("Calendar: working weekday {} is not 1 (Monday) to 7 (Sunday).", weekday));
    works[static_cast<std::size_t>(weekday)] = true;
  }
  if (std::ranges::none_of(works, [](bool on) { return on; }))
    return fail(ErrorCode::ValidationFailed, "Calendar: name at least one working weekday.");
  return Calendar(start, works, std::move(holidays));
}

Calendar::Calendar(Date start) : Calendar(start, {false, true, true, true, true, true, false, false}, {}) {}

Calendar::Calendar(Date start, std::array<bool, 8> works, std::vector<Date> holidays)
    : start_(start), works_(works), holidays_(std::move(holidays)) {
  std::ranges::sort(holidays_);
  const auto repeated = std::ranges::unique(holidays_);
  holidays_.erase(repeated.begin(), repeated.end());
  std::ranges::copy_if(holidays_, std::back_inserter(off_),
                       [&](Date holiday) { return holiday >= start_ && works_[iso_weekday(holiday)]; });
  per_week_ = std::ranges::count(works_, true);
}

bool Calendar::works_on(Date date) const {
  return works_[iso_weekday(date)] && !std::ranges::binary_search(holidays_, date);
}

std::int64_t Calendar::working_days_within(std::int64_t days) const {
  std::int64_t count = days / 7 * per_week_;
  std::size_t weekday = iso_weekday(start_);
  for (std::int64_t i = 0; i < days % 7; ++i) {
    count += works_[weekday] ? 1 : 0;
    weekday = weekday % 7 + 1;
  }
  const Date end = add_days(start_, static_cast<int>(days));
  return count - (std::ranges::lower_bound(off_, end) - off_.begin());
}

Date Calendar::date_of_day(std::int64_t day) const {
  // The number of working days within d calendar days never falls as d grows, so the date is found by bisection.
  const std::int64_t wanted = std::max<std::int64_t>(day, 0) + 1;
  const std::int64_t last = (sys_days(kLastDate) - sys_days(start_)).count();
  std::int64_t low = 0;
  std::int64_t high = last;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (working_days_within(middle + 1) >= wanted) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return add_days(start_, static_cast<int>(low));
}

std::int64_t Calendar::day_on_or_after(Date date) const {
  if (date <= start_) return 0;
  return working_days_within((sys_days(date) - sys_days(start_)).count());
}

std::vector<int> Calendar::working_weekdays() const {
  std::vector<int> days;
  for (int weekday = 1; weekday <= 7; ++weekday)
    if (works_[static_cast<std::size_t>(weekday)]) days.push_back(weekday);
  return days;
}

Date end_of_month(Date date) {
  return Date(std::chrono::year_month_day_last(date.year(), std::chrono::month_day_last(date.month())));
}

Date add_months(Date date, int months) {
  const Date moved = date + std::chrono::months(months);
  return moved.ok() ? moved : end_of_month(moved);
}

}  // namespace planexe::plan
