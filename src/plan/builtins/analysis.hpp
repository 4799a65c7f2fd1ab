#pragma once

#include <initializer_list>

#include "plan/builtin.hpp"

// Finish and step functions of the tasks from the gate to the assumptions. All are pure; what they read is said beside
// each.
namespace planexe::plan {

// analysis_gate.cpp
Result<BuiltinResult> redline_gate(const BuiltinInput& in);    ///< clears the violation fields of allowed requests
Result<BuiltinResult> premise_attack(const BuiltinInput& in);  ///< one entry per lens with its name; gaps stay visible
Result<BuiltinResult> identify_purpose(const BuiltinInput& in);  ///< keeps the limits whose quote is in the prompt
Result<BuiltinResult> plan_type_origin(
    const BuiltinInput& in);                              ///< step: {settled}: does the interview say digital only
Result<BuiltinResult> plan_type(const BuiltinInput& in);  ///< the answer, or what the interview says

// analysis_levers.cpp
Result<BuiltinResult> potential_levers(const BuiltinInput& in);         ///< joins the rounds, L1.. without equal names
Result<BuiltinResult> deduplicate_levers_kept(const BuiltinInput& in);  ///< step: how many levers the judgement leaves
Result<BuiltinResult> deduplicate_levers(const BuiltinInput& in);       ///< reads potential_levers.clean

// analysis_ratings.cpp
Result<BuiltinResult> enrich_levers(const BuiltinInput& in);  ///< reads deduplicate_levers.raw.deduplicated_levers
Result<BuiltinResult> focus_levers_spread(const BuiltinInput& in);  ///< step: is everything in one class
Result<BuiltinResult> focus_on_vital_few_levers(
    const BuiltinInput& in);  ///< reads enrich_levers.raw.characterized_levers
Result<BuiltinResult> strategic_decisions(
    const BuiltinInput& in);  ///< reads both; view {summary, primary[], secondary[]}

// analysis_scenarios.cpp
Result<BuiltinResult> candidate_scenarios(const BuiltinInput& in);  ///< reads focus_on_vital_few_levers.raw.levers
Result<BuiltinResult> select_scenario(const BuiltinInput& in);      ///< reads candidate_scenarios.clean.scenarios
Result<BuiltinResult> scenarios_document(const BuiltinInput& in);   ///< reads both clean outputs; view for the document

// analysis_context.cpp
Result<BuiltinResult> physical_locations_origin(const BuiltinInput& in);  ///< step: {source: llm|intake|digital}
Result<BuiltinResult> physical_locations(const BuiltinInput& in);         ///< one shape for all three sources
Result<BuiltinResult> currency_origin(const BuiltinInput& in);  ///< step: {source: llm|intake, currency, codes[]}
Result<BuiltinResult> currency_strategy(const BuiltinInput& in);

// analysis_risks.cpp
Result<BuiltinResult> risk_area_gaps(const BuiltinInput& in);  ///< step: areas neither used nor declared empty
Result<BuiltinResult> identify_risks(const BuiltinInput& in);  ///< R1.., labels, currency check

// analysis_assumptions.cpp
Result<BuiltinResult> make_assumptions(
    const BuiltinInput& in);  ///< A1.., order of the areas, figures against stated limits
Result<BuiltinResult> distill_lost(const BuiltinInput& in);  ///< step: assumptions whose figures got lost
Result<BuiltinResult> distill_assumptions(const BuiltinInput& in);

// analysis_consolidate.cpp
Result<BuiltinResult> assumption_sections(const BuiltinInput& in);      ///< step: the eight chapters, which are long
Result<BuiltinResult> consolidate_assumptions(const BuiltinInput& in);  ///< full and short document

namespace analysis {

/// The answer of a step, always an object, or INTERNAL when the engine gave none.
Result<json::value> need_answer(const BuiltinInput& in, std::string_view step = "main");

/// Members of `object` with these names, in this order; absent ones are left out.
json::object pick(const json::value& object, std::initializer_list<std::string_view> keys);

/// The interview result, or null.
const json::value* intake(const BuiltinInput& in);

/// True when the interview says that the project is digital only.
bool digital_only(const BuiltinInput& in);

/// The client's words.
std::string prompt(const BuiltinInput& in);

/// Text of `object` at the first key that has one that is not blank.
std::string first_text(const json::value& object, std::initializer_list<std::string_view> keys);

}  // namespace analysis
}  // namespace planexe::plan
