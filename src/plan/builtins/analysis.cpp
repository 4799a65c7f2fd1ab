#include "plan/builtins/analysis.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/groups.hpp"

namespace planexe::plan {

void register_analysis(BuiltinMap& map) {
  map.emplace("redline_gate", redline_gate);
  map.emplace("premise_attack", premise_attack);
  map.emplace("identify_purpose", identify_purpose);
  map.emplace("plan_type_origin", plan_type_origin);
  map.emplace("plan_type", plan_type);
  map.emplace("potential_levers", potential_levers);
  map.emplace("deduplicate_levers_kept", deduplicate_levers_kept);
  map.emplace("deduplicate_levers", deduplicate_levers);
  map.emplace("enrich_levers", enrich_levers);
  map.emplace("focus_levers_spread", focus_levers_spread);
  map.emplace("focus_on_vital_few_levers", focus_on_vital_few_levers);
  map.emplace("strategic_decisions", strategic_decisions);
  map.emplace("candidate_scenarios", candidate_scenarios);
  map.emplace("select_scenario", select_scenario);
  map.emplace("scenarios_document", scenarios_document);
  map.emplace("physical_locations_origin", physical_locations_origin);
  map.emplace("physical_locations", physical_locations);
  map.emplace("currency_origin", currency_origin);
  map.emplace("currency_strategy", currency_strategy);
  map.emplace("risk_area_gaps", risk_area_gaps);
  map.emplace("identify_risks", identify_risks);
  map.emplace("make_assumptions", make_assumptions);
  map.emplace("distill_lost", distill_lost);
  map.emplace("distill_assumptions", distill_assumptions);
  map.emplace("assumption_sections", assumption_sections);
  map.emplace("consolidate_assumptions", consolidate_assumptions);
}

namespace analysis {

Result<json::value> need_answer(const BuiltinInput& in, std::string_view step) {
  const json::value* answer = step_answer(in, step);
  if (answer == nullptr || !answer->is_object()) {
    return fail(ErrorCode::Internal, fmt::format("Task {}: step {} has no answer to finish from.", in.task_key, step));
  }
  return *answer;
}

json::object pick(const json::value& object, std::initializer_list<std::string_view> keys) {
  json::object result;
  for (const std::string_view key : keys) {
    if (const json::value* member = find(object, key)) result[key] = *member;
  }
  return result;
}

const json::value* intake(const BuiltinInput& in) {
  const json::value* value = in.plan.if_contains("intake");
  return value == nullptr || !value->is_object() ? nullptr : value;
}

bool digital_only(const BuiltinInput& in) {
  const json::value* form = intake(in);
  const json::value* geography = form == nullptr ? nullptr : find(*form, "geography");
  return geography != nullptr && get_bool(*geography, "is_digital_only").value_or(false);
}

std::string prompt(const BuiltinInput& in) {
  const json::value* value = in.plan.if_contains("prompt");
  return value == nullptr || !value->is_string() ? std::string{} : std::string(std::string_view(value->get_string()));
}

std::string first_text(const json::value& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (std::string value = trim(text(object, key)); !value.empty()) return value;
  }
  return {};
}

}  // namespace analysis
}  // namespace planexe::plan
