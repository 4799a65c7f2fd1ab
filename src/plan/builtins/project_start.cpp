#include <fmt/format.h>

#include "base/time.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"
#include "plan/horizon.hpp"

namespace planexe::plan {
namespace {

/// Ten years: what the prompt allows. A larger offset is a slip of the model, and no date is made from it.
constexpr std::int64_t kOffsetDaysMax = 3650;

/// Months counted as 30.4 days differ from the calendar by up to this much.
constexpr int kRoundingDays = 3;

std::optional<Date> start_of(const BuiltinInput& in) {
  const auto date = parse_date(text(in.plan, "start_date"));
  return date ? std::optional<Date>(*date) : std::nullopt;
}

/// Adds `<name>_day` and, when the start is known, `<name>_date`.
void add_day(json::object& action, const json::value& item, std::string_view name, std::optional<Date> start) {
  const auto day = get_int(item, fmt::format("{}_day", name));
  if (!day || *day < 0 || *day > kOffsetDaysMax) return;
  action[fmt::format("{}_day", name)] = *day;
  if (start) action[fmt::format("{}_date", name)] = format_date(add_days(*start, static_cast<int>(*day)));
}

void add_feedback(json::array& feedback, const json::value* reviewer, std::optional<Date> start) {
  if (reviewer == nullptr) return;
  for (const json::value& item : list(*reviewer, "feedback_item_list")) {
    json::object action{{"title", text(item, "feedback_title")}, {"description", text(item, "feedback_description")}};
    add_day(action, item, "start", start);
    add_day(action, item, "due", start);
    feedback.push_back(std::move(action));
  }
}

}  // namespace

Result<BuiltinResult> finish_pre_project_assessment(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "pre_project_assessment has no answer to finish");
  const auto start = start_of(in);
  json::array feedback;
  add_feedback(feedback, find(*answer, "expert1"), start);
  add_feedback(feedback, find(*answer, "expert2"), start);
  json::object clean{{"go_no_go_recommendation", text(*answer, "go_no_go_recommendation")},
                     {"combined_summary", text(*answer, "combined_summary")},
                     {"feedback", std::move(feedback)}};
  // Imported answers have the recommendation as text only.
  if (const auto verdict = get_string(*answer, "go_no_go")) clean["go_no_go"] = *verdict;
  BuiltinResult result;
  result.outputs["clean"] = std::move(clean);
  return result;
}

Result<BuiltinResult> finish_project_plan(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "project_plan has no answer to finish");
  BuiltinResult result;
  const auto start = start_of(in);
  const json::value* criteria = find(*answer, "smart_criteria");
  if (!start || criteria == nullptr) return result;

  const json::value* intake = in.plan.if_contains("intake");
  const auto statements = horizon_statements(read(in, "identify_purpose.answer.stated_limits"),
                                             intake == nullptr ? json::value() : *intake, Calendar(*start));
  const auto days = get_int(*criteria, "time_bound_days");
  for (const HorizonStatement& stated : statements) {
    if (!stated.target) continue;
    const int allowed = days_between(*start, *stated.target);
    if (!days) {
      result.findings.push_back({"horizon_unanswered", "smart_criteria.time_bound_days",
                                 fmt::format("The client states \"{}\", but the plan gives no length.", stated.quote)});
    } else if (*days > allowed + kRoundingDays) {
      result.findings.push_back(
          {"horizon_exceeded", "smart_criteria.time_bound_days",
           fmt::format("The plan takes {} days; \"{}\" allows {}.", *days, stated.quote, allowed)});
    }
  }
  return result;
}

}  // namespace planexe::plan
