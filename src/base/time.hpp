#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace planexe {

/// A moment in UTC, in milliseconds: the precision of the database and of the HTTP contract.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;

/// A calendar day without a zone.
using Date = std::chrono::year_month_day;

/// "2026-01-31T12:00:00.000Z". Years 0000 to 9999.
std::string format_iso(TimePoint time);

/// Reads an ISO 8601 moment: 'T' or a space between date and time, seconds optional, 0 to 9 decimals (cut to
/// milliseconds), 'Z' or an offset such as +02:00, +0200, +02; a missing zone is UTC. Error: INVALID_REQUEST.
Result<TimePoint> parse_iso(std::string_view text);

/// Reads exactly YYYY-MM-DD, a day that exists. Error: INVALID_REQUEST.
Result<Date> parse_date(std::string_view text);

/// "2026-01-31".
std::string format_date(Date date);

Date add_days(Date date, int days);

/// Days from `from` to `to`; negative when `to` is earlier.
int days_between(Date from, Date to);

/// The day of a moment in UTC.
Date date_of(TimePoint time);

/// The world's time, passed in wherever code needs it. Safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall clock, for what is stored and shown.
  [[nodiscard]] virtual TimePoint now() const = 0;

  /// Never goes back, for deadlines and durations.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override;
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override;
};

/// A clock that stands still until it is told otherwise. `advance` and `set` from one thread only.
class FixedClock final : public Clock {
 public:
  /// `follow`: the steady clock is the real one, so that deadlines still pass in a program whose wall clock is fixed.
  enum class Steady { still, follow };

  explicit FixedClock(TimePoint now, Steady steady = Steady::still);

  [[nodiscard]] TimePoint now() const override;
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override;

  void set(TimePoint now);
  /// Moves both clocks forward.
  void advance(std::chrono::milliseconds by);

 private:
  TimePoint now_;
  Steady mode_;
  std::chrono::steady_clock::time_point steady_;
};

/// The clock of a program: the system's, or one fixed at `test_now` (the value of PLANEXE_TEST_NOW, ISO 8601) when it
/// is not empty. Error: INVALID_CONFIG.
Result<std::unique_ptr<Clock>> make_clock(std::string_view test_now);

}  // namespace planexe
