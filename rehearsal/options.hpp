#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/error.hpp"
#include "service.hpp"

namespace planexe::rehearsal {

/// The command line of planexe-rehearsal.
struct Options {
  std::string host = "127.0.0.1";
  unsigned short port = 0;
  ServiceOptions service;
  std::string answers;      ///< zip or folder of a finished run
  std::string recipe_dir;   ///< task folders laid over the built-in recipe
  std::string script;       ///< file with a script or a list of scripts
  std::string log;          ///< file for one line per request
};

/// The options, or the exit status of a program that ends at once (help, an error that was printed).
std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace planexe::rehearsal
