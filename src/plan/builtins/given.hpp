#pragma once

#include "plan/builtin.hpp"

namespace planexe::plan {

/// 001-1: when the plan was submitted. The project starts on `plan.start_date`, one date for prompts and schedule.
Result<BuiltinResult> given_start_time(const BuiltinInput& in);

/// 001-2 (prompt with its date) and, when the request carried one, the intake form.
Result<BuiltinResult> given_setup(const BuiltinInput& in);

}  // namespace planexe::plan
