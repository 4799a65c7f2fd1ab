#include "server/docs_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/html.hpp"
#include "plan/markdown.hpp"

namespace planexe::server {
namespace {

using plan::escape_html;

/// Objects inside of objects; deeper ones have names of their own.
constexpr int kDepthMax = 4;

std::string code(std::string_view text) { return "<code>" + escape_html(text) + "</code>"; }

std::string words_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : to_json(value);
}

std::string joined_types(const json::array& parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) {
    const auto* schema = part.if_object();
    const auto one = schema == nullptr ? std::string() : schema_type_html(*schema);
    if (!one.empty() && text.find(one) == std::string::npos) text += (text.empty() ? "" : std::string(separator)) + one;
  }
  return text;
}

std::string list_of(const json::array& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + code(words_of(value));
  return text;
}

/// "1 to 200", "at least 1", "at most 200".
std::string range_text(const json::object& schema, std::string_view low, std::string_view high, std::string_view unit) {
  const auto* least = schema.if_contains(low);
  const auto* most = schema.if_contains(high);
  if (least != nullptr && most != nullptr) return fmt::format("{} to {}{}", to_json(*least), to_json(*most), unit);
  if (least != nullptr) return fmt::format("at least {}{}", to_json(*least), unit);
  if (most != nullptr) return fmt::format("at most {}{}", to_json(*most), unit);
  return {};
}

std::string limits_text(const json::object& schema) {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += ", " + part;
  };
  add(range_text(schema, "minLength", "maxLength", " characters"));
  add(range_text(schema, "minimum", "maximum", ""));
  add(range_text(schema, "minItems", "maxItems", " elements"));
  if (const auto* above = schema.if_contains("exclusiveMinimum")) add("above " + to_json(*above));
  if (const auto format = get_string(schema, "format")) add(std::string(*format));
  if (const auto pattern = get_string(schema, "pattern")) add("pattern " + code(*pattern));
  if (const auto* standard = schema.if_contains("default")) add("default " + code(words_of(*standard)));
  return text;
}

std::string base_type(const json::object& schema) {
  if (const auto reference = get_string(schema, "$ref")) {
    const auto name = escape_html(reference->substr(reference->rfind('/') + 1));
    return fmt::format("<a href=\"#schema-{0}\">{0}</a>", name);
  }
  if (const auto* fixed = schema.if_contains("const")) return code(words_of(*fixed));
  if (const auto* values = get_array(schema, "enum")) return "one of " + list_of(*values);
  if (const auto* parts = get_array(schema, "anyOf")) return joined_types(*parts, " or ");
  if (const auto* parts = get_array(schema, "oneOf")) return joined_types(*parts, " or ");
  if (const auto* parts = get_array(schema, "allOf")) return joined_types(*parts, " and ");
  const auto* type = schema.if_contains("type");
  if (type == nullptr) return "any value";
  std::string text;
  if (const auto* names = type->if_array()) {
    for (const auto& name : *names) text += (text.empty() ? "" : " or ") + escape_html(words_of(name));
  } else {
    text = escape_html(words_of(*type));
  }
  if (const auto* items = get_object(schema, "items"); items != nullptr) text += " of " + schema_type_html(*items);
  return text;
}

bool is_required(const json::object& schema, std::string_view name) {
  const auto* names = get_array(schema, "required");
  return names != nullptr && std::ranges::any_of(*names, [&](const auto& entry) {
           return entry.is_string() && entry.get_string() == name;
         });
}

void add_rows(const json::object& schema, const std::string& prefix, int depth, std::string& rows) {
  if (depth > kDepthMax) return;
  for (const auto* key : {"allOf", "anyOf", "oneOf"})
    if (const auto* parts = get_array(schema, key))
      for (const auto& part : *parts)
        if (const auto* inner = part.if_object()) add_rows(*inner, prefix, depth + 1, rows);
  if (const auto* items = get_object(schema, "items"))
    add_rows(*items, prefix.empty() ? "[]." : prefix.substr(0, prefix.size() - 1) + "[].", depth + 1, rows);
  const auto* fields = get_object(schema, "properties");
  if (fields == nullptr) return;
  for (const auto& [name, value] : *fields) {
    const auto* field = value.if_object();
    if (field == nullptr) continue;
    const std::string path = prefix + std::string(name);
    rows += fmt::format("<tr><td>{}{}</td><td>{}</td><td>{}</td></tr>\n", code(path),
                        is_required(schema, name) ? "" : " <i>optional</i>", schema_type_html(*field),
                        prose_html(get_string(*field, "description").value_or("")));
    if (!field->contains("$ref")) add_rows(*field, path + ".", depth + 1, rows);
  }
}

}  // namespace

const json::object& resolved(const json::object& document, const json::object& value) {
  static const json::object kNothing;
  const auto reference = get_string(value, "$ref");
  if (!reference) return value;
  if (!reference->starts_with("#/")) return kNothing;
  const json::object* at = &document;
  for (auto rest = reference->substr(2); at != nullptr && !rest.empty();) {
    const auto end = std::min(rest.find('/'), rest.size());
    at = get_object(*at, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return at == nullptr ? kNothing : *at;
}

std::string schema_type_html(const json::object& schema) { return base_type(schema) + limits_text(schema); }

std::string schema_fields_html(const json::object& schema) {
  std::string rows;
  add_rows(schema, "", 0, rows);
  if (rows.empty()) return {};
  return "<div class=\"wide\"><table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>\n";
}

std::string json_html(const json::value& value) {
  return "<pre><code>" + escape_html(to_json_pretty(value)) + "</code></pre>\n";
}

std::string prose_html(std::string_view markdown) {
  if (markdown.empty()) return {};
  return plan::render_markdown(markdown, {.id_prefix = "text", .top_heading = 4, .drop_title = {}}).html;
}

}  // namespace planexe::server
