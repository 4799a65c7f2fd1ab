#include <charconv>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"
#include "plan/builtins/governance_checks.hpp"

namespace planexe::plan {
namespace {

constexpr std::string_view kBodies = "governance_phase2_bodies.raw.internal_governance_bodies";

const json::array& bodies_read(const BuiltinInput& in) {
  static const json::array none;
  const json::value& bodies = read(in, kBodies);
  return bodies.is_array() ? bodies.get_array() : none;
}

/// The text without a number that a model puts in front ("3. ", "Point 3: ", "**3)** "). Only the entry's own position
/// is taken for such a number: "3 suppliers" and "2030: the lease ends" stay.
std::string without_number(std::string_view entry, std::size_t position) {
  static const RE2 numbered("^[\\s*_#]*(?:\\pL+\\s+)?([0-9]{1,2})[*_]*\\s*[.):]+[*_]*\\s+(?s:(.+))$");
  std::string number;
  std::string rest;
  if (!RE2::FullMatch(entry, numbered, &number, &rest)) return trim(entry);
  std::size_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value == position ? trim(rest) : trim(entry);
}

json::array entries_without_numbers(const json::array& entries) {
  json::array clean;
  for (const json::value& entry : entries) {
    if (!entry.is_string()) continue;
    const std::string text = without_number(std::string_view(entry.get_string()), clean.size() + 1);
    if (!text.empty()) clean.emplace_back(text);
  }
  return clean;
}

Result<const json::value*> answer_of(const BuiltinInput& in, std::string_view step = "main") {
  const json::value* answer = step_answer(in, step);
  if (answer == nullptr) return fail(ErrorCode::Internal, in.task_key + " has no answer to finish");
  return answer;
}

}  // namespace

Result<BuiltinResult> finish_governance_bodies(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value* answer, answer_of(in));
  BuiltinResult result;
  check_governance_bodies(list(*answer, "internal_governance_bodies"), result.findings);
  return result;
}

Result<BuiltinResult> finish_governance_implementation(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value* answer, answer_of(in));
  BuiltinResult result;
  check_governance_steps(list(*answer, "governance_implementation_plan"), bodies_read(in), result.findings);
  return result;
}

Result<BuiltinResult> finish_governance_escalation(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value* answer, answer_of(in));
  BuiltinResult result;
  check_governance_cases(list(*answer, "decision_escalation_matrix"), bodies_read(in), result.findings);
  return result;
}

Result<BuiltinResult> finish_governance_monitoring(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value* answer, answer_of(in));
  BuiltinResult result;
  check_governance_monitoring(list(*answer, "monitoring_progress"), bodies_read(in), result.findings);
  return result;
}

Result<BuiltinResult> step_governance_checks(const BuiltinInput& in) {
  const json::array& bodies = list(read(in, "governance_phase2_bodies.raw"), "internal_governance_bodies");
  std::vector<Finding> found;
  check_governance_bodies(bodies, found);
  // Without bodies every name would be unknown: the missing chapter is then the finding, and the prompt shows it as a
  // gap.
  if (!bodies.empty()) {
    check_governance_steps(list(read(in, "governance_phase3_impl_plan.raw"), "governance_implementation_plan"), bodies,
                           found);
    check_governance_cases(
        list(read(in, "governance_phase4_decision_escalation_matrix.raw"), "decision_escalation_matrix"), bodies,
        found);
    check_governance_monitoring(list(read(in, "governance_phase5_monitoring_progress.raw"), "monitoring_progress"),
                                bodies, found);
  }
  json::array findings;
  for (const Finding& finding : found)
    findings.push_back(json::object{{"rule", finding.rule}, {"path", finding.path}, {"message", finding.message}});
  BuiltinResult result;
  result.answer = json::object{{"findings", std::move(findings)}};
  return result;
}

Result<BuiltinResult> finish_governance_validation(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value* answer, answer_of(in, "validate"));
  BuiltinResult result;
  result.outputs["raw"] = *answer;
  result.view = json::object{{"checks", entries_without_numbers(list(*answer, "governance_validation_checks"))},
                             {"questions", entries_without_numbers(list(*answer, "tough_questions"))},
                             {"summary", text(*answer, "summary")}};
  return result;
}

}  // namespace planexe::plan
