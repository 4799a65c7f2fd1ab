#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::recipe {

/// A filter of `{{path | filter}}`; docs/recipe-format.md section 3.
struct Filter {
  enum class Kind { compact, table, indent, limit, join, line, cell, quote, count, inline_text } kind{};
  std::size_t number = 0;  ///< indent, limit
  std::string text;        ///< join
};

/// Reads one filter: name and argument ("join \", \"", "limit 400"). Error RECIPE_INVALID names the nearest known
/// filter.
Result<Filter> parse_filter(std::string_view text);

/// Null stays null, except for count, which gives 0. Errors say which kind of value the filter takes.
Result<json::value> apply_filter(const Filter& filter, const json::value& value);

/// The text that `{{path}}` inserts: text as it is, numbers and booleans as in JSON. Lists and objects are errors that
/// name the filters which take them.
Result<std::string> plain_text(const json::value& value);

/// White space runs, line ends included, as one space; trimmed.
std::string one_line(std::string_view text);

}  // namespace planexe::recipe
