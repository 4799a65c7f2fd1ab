#pragma once

#include <vector>

#include "plan/builtin.hpp"

namespace planexe::plan {

/// What code can find wrong in the governance chapters. Each function appends to `findings`; entries of imported plans
/// that lack the labels (body_id, step_id ...) are judged by name or skipped.
void check_governance_bodies(const json::array& bodies, std::vector<Finding>& findings);
void check_governance_steps(const json::array& steps, const json::array& bodies, std::vector<Finding>& findings);
void check_governance_cases(const json::array& cases, const json::array& bodies, std::vector<Finding>& findings);
void check_governance_monitoring(const json::array& points, const json::array& bodies, std::vector<Finding>& findings);

/// True when the role is a body's name or one of its members, one containing the other after normalising.
bool role_sits_in(std::string_view role, const json::array& bodies);

}  // namespace planexe::plan
