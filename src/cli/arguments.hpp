#pragma once

#include <variant>

#include "cli/exit_code.hpp"
#include "cli/options.hpp"

namespace planexe::cli {

/// Parses the command line. Help, version and usage errors are printed here and come back as the exit code.
std::variant<Command, Exit> parse_arguments(int argc, char** argv);

}  // namespace planexe::cli
