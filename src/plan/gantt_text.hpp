#pragma once

#include <string>

#include "plan/wbs.hpp"

namespace planexe::plan {

/// Title, final deliverable, description and resources of a node, as far as present, in plain lines.
std::string tooltip_text(const WbsNode& node);

/// "1 day", "12 days".
std::string days_text(int days);

/// "1 working day", "12 working days".
std::string working_days_text(int days);

}  // namespace planexe::plan
