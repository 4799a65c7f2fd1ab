#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {

/// Working days of 8 hours of a task itself, without waiting: 1 <= min <= realistic <= max.
struct Estimate {
  int min = 1;
  int realistic = 1;
  int max = 1;
  bool derived = false;  ///< not answered: the median of its siblings
  bool operator==(const Estimate&) const = default;
};

struct EstimateSet {
  std::map<std::string, Estimate, std::less<>> by_id;  ///< every activity, and the phases that have an own estimate
  std::vector<std::string> derived;                    ///< ids of activities, in WBS order
  std::vector<Finding> findings;                       ///< ids that the tree does not know, estimates out of order
};

/// The durations of 022-2 ([{task_id, days_min, days_realistic, days_max}]) for a tree. Values of 0 and below and above
/// kDaysMax count as missing; an order that is broken is repaired around days_realistic. A missing estimate of an
/// activity is the median of the estimated activities of its phase, else of all. Error (TASK_FAILED): no activity has
/// an estimate.
Result<EstimateSet> estimates_for(const Wbs& wbs, const json::value& durations);

}  // namespace planexe::plan
