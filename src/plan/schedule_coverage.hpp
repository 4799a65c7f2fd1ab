#pragma once

#include <string>
#include <vector>

#include "plan/schedule.hpp"

namespace planexe::plan {

/// Which tasks and phases the links reach. `answered`: ids or refs of tasks that have an answer about predecessors.
ScheduleCoverage coverage_of(const Wbs& wbs, const std::vector<ScheduleLink>& links,
                             const std::vector<std::string>& answered);

/// What a reader must know about the schedule, one sentence each: weak coverage, derived and repaired estimates,
/// rejected links, phases that do not match their own estimate.
std::vector<std::string> schedule_warnings(const Wbs& wbs, const Schedule& schedule, const EstimateSet& estimates);

}  // namespace planexe::plan
