#pragma once

#include "base/error.hpp"

namespace planexe::cli {

/// Exit codes of the command line; part of its contract.
enum class Exit : int {
  ok = 0,
  plan_failed = 1,    ///< the plan failed, or a command could not do what was asked
  usage = 2,          ///< wrong arguments or input
  configuration = 3,  ///< settings, recipe, database or provider need attention
  interrupted = 130,  ///< stopped by the user; resumable
};

/// The exit code that fits an error.
Exit exit_for(ErrorCode code);

/// Prints "planexe: message" and, indented, the detail; secrets masked. Gives exit_for().
Exit report(const Error& error);

}  // namespace planexe::cli
