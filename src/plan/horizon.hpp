#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "plan/calendar.hpp"

namespace planexe::plan {

/// A length of calendar time as people state it. `working_days` excludes the other parts.
struct CalendarSpan {
  int months = 0;
  int days = 0;
  int working_days = 0;
  bool operator==(const CalendarSpan&) const = default;
};

/// Reads a stated length: "within 9 months", "18-month", "2 years", "1.5 years", "half a year", "6 to 9 months" (the
/// larger), "2 years and 6 months", "90 days", "12 weeks", "60 working days"; unit words also in German, French,
/// Spanish, Italian, Portuguese, Dutch, Danish and Swedish, ISO 8601 durations (P9M). Nothing when there is no length,
/// or several that do not belong together.
std::optional<CalendarSpan> parse_span(std::string_view text);

/// Reads a stated date: 2026-03-01, 1 March 2026, March 1, 2026, 01.03.2026, 2026-03, March 2026, Q3 2026, "end of
/// 2026". A month, quarter or year means its last day. Day and month as numbers with slashes only when no doubt is
/// left.
std::optional<Date> parse_stated_date(std::string_view text);

/// Reads a stated first day: as parse_stated_date, but a month, quarter or year means its first day.
std::optional<Date> parse_stated_start(std::string_view text);

/// All dates in a text that name a day, in the order of the forms of parse_stated_date; only its first 500 characters.
std::vector<Date> exact_dates(std::string_view text);

/// One statement of the user about the end of the plan.
struct HorizonStatement {
  std::string kind;    ///< "horizon" (a length) or "end_date"
  std::string quote;   ///< the user's words
  std::string source;  ///< "prompt" or "intake"
  std::optional<Date> target;
  bool operator==(const HorizonStatement&) const = default;
};

enum class HorizonResult { not_stated, fits, overshoots, unclear };
std::string_view to_string(HorizonResult result);
std::optional<HorizonResult> horizon_result_from(std::string_view name);

/// What the user allows beside what was computed.
struct Horizon {
  HorizonResult result = HorizonResult::not_stated;
  std::string quote;
  std::string source;
  std::optional<Date> target;                ///< the earliest of the stated ones
  std::optional<Date> finish;                ///< computed
  int distance_days = 0;                     ///< calendar days from target to finish: positive is late
  std::vector<HorizonStatement> statements;  ///< all, in the order found
  bool operator==(const Horizon&) const = default;
};

/// The start that the user states: limit of kind start_date; nothing when absent or unreadable.
std::optional<Date> stated_start(const json::value& stated_limits);

/// The stated ends. `stated_limits`: [{kind, quote, value}] or null; `intake`: the intake form or null. Lengths count
/// from the calendar's start. The normalised value is read first, then the quote.
std::vector<HorizonStatement> horizon_statements(const json::value& stated_limits, const json::value& intake,
                                                 const Calendar& calendar);

/// Compares the stated ends with the computed finish. With several readable ones the earliest counts: a plan that
/// passes it passes all.
Horizon compare_horizon(std::vector<HorizonStatement> statements, std::optional<Date> finish);

}  // namespace planexe::plan
