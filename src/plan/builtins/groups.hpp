#pragma once

#include "plan/builtin.hpp"

namespace planexe::plan {

using BuiltinMap = std::map<std::string, Builtin, std::less<>>;

void register_analysis(BuiltinMap& map);   ///< gate, levers, scenarios, places, currency, assumptions
void register_execution(BuiltinMap& map);  ///< project plan, governance, team, SWOT, experts
void register_documents(BuiltinMap& map);  ///< data, documents, pitch, review, questions, premortem
void register_structure(BuiltinMap& map);  ///< WBS, dependencies, durations, schedule, report

}  // namespace planexe::plan
