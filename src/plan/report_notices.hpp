#pragma once

#include <string>
#include <vector>

#include "plan/report_sections.hpp"

namespace planexe::plan {

/// The verdicts at the top of the report: rehearsal, safety gate, recommendation, horizon, limits, completeness. Safe
/// HTML.
std::string notices_html(const ReportSource& source, const ReportValues& values,
                         const std::vector<ReportSection>& sections);

}  // namespace planexe::plan
