#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace planexe::plan {

/// Working days: some weekdays, without holidays. Working day 0 is the first one on or after the start. Immutable.
class Calendar {
 public:
  /// ISO weekday numbers, 1 = Monday to 7 = Sunday.
  static Result<Calendar> make(Date start, std::span<const int> working_weekdays, std::vector<Date> holidays);

  /// Monday to Friday, no holidays.
  explicit Calendar(Date start);

  [[nodiscard]] bool works_on(Date date) const;

  /// The date of a working day; days below 0 count as 0. Ends at 9999-12-31, the last date that ISO 8601 writes.
  [[nodiscard]] Date date_of_day(std::int64_t day) const;

  /// The first working day on or after a date, as its number; 0 for dates before the start.
  [[nodiscard]] std::int64_t day_on_or_after(Date date) const;

  [[nodiscard]] Date start() const { return start_; }
  [[nodiscard]] std::vector<int> working_weekdays() const;
  [[nodiscard]] const std::vector<Date>& holidays() const { return holidays_; }

  bool operator==(const Calendar&) const = default;

 private:
  Calendar(Date start, std::array<bool, 8> works, std::vector<Date> holidays);

  /// Working days in [start, start + days).
  [[nodiscard]] std::int64_t working_days_within(std::int64_t days) const;

  Date start_;
  std::array<bool, 8> works_{};  // by ISO weekday; [0] is unused
  std::vector<Date> holidays_;   // sorted, each once, as given
  std::vector<Date> off_;        // holidays on working weekdays from the start on, sorted
  std::int64_t per_week_ = 5;
};

/// Start plus whole months; a day that the month lacks becomes its last one (January 31 + 1 month = February 28 or 29).
Date add_months(Date date, int months);

/// The last day of the date's month.
Date end_of_month(Date date);

}  // namespace planexe::plan
