#include "base/time.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cstdint>
#include <optional>

namespace planexe {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;

/// Reads fixed-width fields from the front of a text; every function says whether it found what it wants.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  /// 1 to 9 decimals, cut to thousandths.
  std::optional<int> decimals() {
    std::size_t count = 0;
    int value = 0;
    for (; count < rest_.size() && is_digit(rest_[count]); ++count) {
      if (count < 3) value = value * 10 + (rest_[count] - '0');
    }
    if (count == 0 || count > 9) return std::nullopt;
    for (std::size_t i = count; i < 3; ++i) value *= 10;
    rest_.remove_prefix(count);
    return value;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
};

std::optional<Date> read_date(Reader& reader) {
  const auto year = reader.digits(4);
  if (!year || !reader.take('-')) return std::nullopt;
  const auto month = reader.digits(2);
  if (!month || !reader.take('-')) return std::nullopt;
  const auto day = reader.digits(2);
  if (!day) return std::nullopt;
  const Date date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                  std::chrono::day{static_cast<unsigned>(*day)}};
  return date.ok() ? std::optional{date} : std::nullopt;
}

std::optional<milliseconds> read_time_of_day(Reader& reader) {
  const auto hour = reader.digits(2);
  if (!hour || *hour > 23 || !reader.take(':')) return std::nullopt;
  const auto minute = reader.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  milliseconds time = hours{*hour} + minutes{*minute};
  if (!reader.take(':')) return time;
  const auto second = reader.digits(2);
  // 60 is a leap second, which UTC time points do not have; it counts as the next second.
  if (!second || *second > 60) return std::nullopt;
  time += seconds{*second};
  if (!reader.take('.') && !reader.take(',')) return time;
  const auto fraction = reader.decimals();
  if (!fraction) return std::nullopt;
  return time + milliseconds{*fraction};
}

/// What is to be subtracted to get UTC.
std::optional<minutes> read_offset(Reader& reader) {
  if (reader.done() || reader.take('Z') || reader.take('z')) return minutes{0};
  const bool east = reader.take('+');
  if (!east && !reader.take('-')) return std::nullopt;
  const auto hour = reader.digits(2);
  if (!hour || *hour > 23) return std::nullopt;
  int minute = 0;
  if (reader.take(':') || !reader.done()) {
    const auto value = reader.digits(2);
    if (!value || *value > 59) return std::nullopt;
    minute = *value;
  }
  const minutes offset = hours{*hour} + minutes{minute};
  return east ? offset : -offset;
}

std::optional<TimePoint> read_moment(Reader& reader) {
  const auto date = read_date(reader);
  if (!date) return std::nullopt;
  const TimePoint midnight = sys_days{*date};
  if (reader.done()) return midnight;
  if (!reader.take('T') && !reader.take('t') && !reader.take(' ')) return std::nullopt;
  const auto time = read_time_of_day(reader);
  if (!time) return std::nullopt;
  const auto offset = read_offset(reader);
  if (!offset || !reader.done()) return std::nullopt;
  return midnight + *time - *offset;
}

}  // namespace

std::string format_iso(TimePoint time) {
  const auto day = floor<days>(time);
  const Date date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  // Compiled: every stored row and every event carries times.
  return fmt::format(FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z"), static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<TimePoint> parse_iso(std::string_view text) {
  Reader reader(text);
  if (const auto moment = read_moment(reader)) return *moment;
  return fail(ErrorCode::InvalidRequest, "Not a time: expected ISO 8601 such as 2026-01-31T12:00:00Z.",
              std::string(text.substr(0, 60)));
}

Result<Date> parse_date(std::string_view text) {
  Reader reader(text);
  if (const auto date = read_date(reader); date && reader.done()) return *date;
  return fail(ErrorCode::InvalidRequest, "Not a date: expected a day that exists, such as 2026-01-31.",
              std::string(text.substr(0, 60)));
}

std::string format_date(Date date) {
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

Date add_days(Date date, int count) { return Date{sys_days{date} + days{count}}; }

int days_between(Date from, Date to) { return static_cast<int>((sys_days{to} - sys_days{from}).count()); }

Date date_of(TimePoint time) { return Date{floor<days>(time)}; }

TimePoint SystemClock::now() const { return floor<milliseconds>(std::chrono::system_clock::now()); }

std::chrono::steady_clock::time_point SystemClock::steady() const { return std::chrono::steady_clock::now(); }

FixedClock::FixedClock(TimePoint now, Steady steady) : now_(now), mode_(steady) {}

TimePoint FixedClock::now() const { return now_; }

std::chrono::steady_clock::time_point FixedClock::steady() const {
  return mode_ == Steady::still ? steady_ : std::chrono::steady_clock::now();
}

void FixedClock::set(TimePoint now) { now_ = now; }

void FixedClock::advance(milliseconds by) {
  now_ += by;
  steady_ += by;
}

Result<std::unique_ptr<Clock>> make_clock(std::string_view test_now) {
  if (test_now.empty()) return std::make_unique<SystemClock>();
  const auto now = parse_iso(test_now);
  if (!now) {
    return fail(ErrorCode::InvalidConfig, "PLANEXE_TEST_NOW is no time: write it like 2026-01-31T12:00:00Z.");
  }
  return std::make_unique<FixedClock>(*now, FixedClock::Steady::follow);
}

}  // namespace planexe
