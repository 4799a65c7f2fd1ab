#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace planexe::llm {

/// The schema as providers take it (llm.md 1.9): keywords outside the strict subset removed (lengths, defaults and the
/// like are checked locally), every object closed with all its properties required, and the target of a `$ref` that
/// has neighbours copied to its place, so that their descriptions reach the model. Objects used as maps are kept.
json::value clean_schema(const json::value& schema);

/// A schema name of letters, digits, `_` and `-`, at most 64 characters, never empty.
std::string clean_schema_name(std::string_view name);

}  // namespace planexe::llm
