#include "plan/horizon.hpp"

#include <array>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::pair<HorizonResult, std::string_view>, 4> kResults{{
    {HorizonResult::not_stated, "not_stated"},
    {HorizonResult::fits, "fits"},
    {HorizonResult::overshoots, "overshoots"},
    {HorizonResult::unclear, "unclear"},
}};

// The last day on which a plan that begins on the calendar's start is within the span: one month from March 1 ends on
// April 1, as people count.
Date end_of_span(const CalendarSpan& span, const Calendar& calendar) {
  if (span.working_days > 0) return calendar.date_of_day(span.working_days - 1);
  return add_days(add_months(calendar.start(), span.months), span.days);
}

std::optional<Date> target_of(std::string_view statement, const Calendar& calendar) {
  if (const auto date = parse_stated_date(statement)) return date;
  if (const auto span = parse_span(statement)) return end_of_span(*span, calendar);
  return std::nullopt;
}

bool blank(std::string_view text) { return trim(text).empty(); }

}  // namespace

std::string_view to_string(HorizonResult result) {
  for (const auto& [value, name] : kResults)
    if (value == result) return name;
  return "unclear";
}

std::optional<HorizonResult> horizon_result_from(std::string_view name) {
  for (const auto& [value, text] : kResults)
    if (text == name) return value;
  return std::nullopt;
}

std::optional<Date> stated_start(const json::value& stated_limits) {
  if (!stated_limits.is_array()) return std::nullopt;
  for (const json::value& limit : stated_limits.get_array()) {
    if (text(limit, "kind") != "start_date") continue;
    if (const auto date = parse_stated_start(text(limit, "value"))) return date;
    if (const auto date = parse_stated_start(text(limit, "quote"))) return date;
  }
  return std::nullopt;
}

std::vector<HorizonStatement> horizon_statements(const json::value& stated_limits, const json::value& intake,
                                                 const Calendar& calendar) {
  std::vector<HorizonStatement> statements;
  if (stated_limits.is_array()) {
    for (const json::value& limit : stated_limits.get_array()) {
      const std::string kind = text(limit, "kind");
      if (kind != "horizon" && kind != "end_date") continue;
      const std::string quote = text(limit, "quote");
      std::optional<Date> target = target_of(text(limit, "value"), calendar);
      if (!target) target = target_of(quote, calendar);
      statements.push_back({kind, quote, "prompt", target});
    }
  }
  const json::value* timeline = find(intake, "timeline");
  const std::string completion = timeline == nullptr ? std::string() : text(*timeline, "target_completion");
  if (!blank(completion)) statements.push_back({"end_date", completion, "intake", target_of(completion, calendar)});
  return statements;
}

Horizon compare_horizon(std::vector<HorizonStatement> statements, std::optional<Date> finish) {
  Horizon horizon;
  horizon.finish = finish;
  const HorizonStatement* earliest = nullptr;
  for (const HorizonStatement& statement : statements)
    if (statement.target && (earliest == nullptr || *statement.target < *earliest->target)) earliest = &statement;
  if (earliest != nullptr) {
    horizon.quote = earliest->quote;
    horizon.source = earliest->source;
    horizon.target = earliest->target;
  } else if (!statements.empty()) {
    horizon.quote = statements.front().quote;
    horizon.source = statements.front().source;
  }
  if (horizon.target && finish) {
    horizon.distance_days = days_between(*horizon.target, *finish);
    horizon.result = horizon.distance_days > 0 ? HorizonResult::overshoots : HorizonResult::fits;
  } else if (!statements.empty()) {
    horizon.result = HorizonResult::unclear;
  }
  horizon.statements = std::move(statements);
  return horizon;
}

}  // namespace planexe::plan
