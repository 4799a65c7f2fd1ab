#pragma once

#include <string>

#include "base/json.hpp"

namespace planexe::server {

/// The object that a local reference ("#/components/...") names; `value` itself when it is no reference, an empty
/// object for a reference to nothing.
const json::object& resolved(const json::object& document, const json::object& value);

/// A schema in few words as HTML: type, limits, links to named schemas.
std::string schema_type_html(const json::object& schema);

/// The fields of an object schema as an HTML table, inner objects included; "" for a schema without fields.
std::string schema_fields_html(const json::object& schema);

/// JSON as preformatted HTML.
std::string json_html(const json::value& value);

/// Text of the contract (Markdown) as HTML.
std::string prose_html(std::string_view markdown);

}  // namespace planexe::server
