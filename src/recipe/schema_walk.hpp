#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace planexe::recipe {

/// The target of `$ref` ("#/$defs/x", "#"), followed at most eight times; the schema itself when it has none. Null for
/// a reference that leads nowhere.
const json::value* resolve_ref(const json::value& root, const json::value* schema);

/// Schema of a member; looks through $ref and anyOf. Null when it has none.
const json::value* member_schema(const json::value& root, const json::value& schema, std::string_view name);

/// Schema of the elements of a list; looks through $ref and anyOf. Null when it is no list.
const json::value* item_schema(const json::value& root, const json::value& schema);

/// True when the schema admits null.
bool admits_null(const json::value& root, const json::value& schema);

/// Types that the schema admits, through $ref and anyOf: "string", "null", ...
std::vector<std::string> admitted_types(const json::value& root, const json::value& schema);

/// "/levers/0/name" -> {"levers", "0", "name"}, with ~0 and ~1 undone.
std::vector<std::string> pointer_parts(std::string_view pointer);

/// Appends one part to a JSON pointer, escaped.
std::string pointer_join(std::string_view pointer, std::string_view part);

}  // namespace planexe::recipe
