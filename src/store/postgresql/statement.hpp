#pragma once

#include <string>
#include <string_view>
#include <vector>

/// The text of SQL statements, read far enough to leave quoted parts and comments alone.
namespace planexe::store::postgresql {

/// '?' outside of quotes and comments becomes $1, $2, … `parameters` is their number.
struct Numbered {
  std::string text;
  int parameters = 0;
};
Numbered number_parameters(std::string_view statement);

/// The statements of a script, without their ';' and without empty ones. Views into `script`.
std::vector<std::string_view> split_script(std::string_view script);

}  // namespace planexe::store::postgresql
