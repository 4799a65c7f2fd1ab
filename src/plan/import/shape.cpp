#include "plan/import/shape.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import.hpp"

namespace planexe::plan {
namespace {

// "type" is a name or a list of names; a union is nullable.
bool allows(const json::value& schema, std::string_view type) {
  if (text(schema, "type") == type) return true;
  return std::ranges::any_of(list(schema, "type"),
                             [&](const json::value& name) { return name.is_string() && name.get_string() == type; });
}

std::optional<json::value> shaped_text(const json::value& value, const json::value& schema) {
  std::string result;
  if (value.is_string()) {
    result = std::string_view(value.get_string());
  } else if (value.is_array()) {
    for (const json::value& line : value.get_array())
      if (line.is_string()) result += (result.empty() ? "" : "\n") + std::string(std::string_view(line.get_string()));
  } else if (const auto number = as_int(value)) {
    result = std::to_string(*number);
  } else {
    return std::nullopt;
  }
  const json::array& allowed = list(schema, "enum");
  if (allowed.empty()) return json::value(result);
  for (const json::value& option : allowed)
    if (option.is_string() && normalize_name(std::string_view(option.get_string())) == normalize_name(result))
      return option;
  return std::nullopt;
}

std::optional<json::value> shaped_list(const json::value& value, const json::value& schema) {
  const json::value* items = find(schema, "items");
  if (items == nullptr) return std::nullopt;
  json::array result;
  if (!value.is_array()) {
    const auto only = value.is_string() ? shaped(value, *items) : std::nullopt;
    if (!only) return std::nullopt;
    result.push_back(*only);
    return result;
  }
  for (const json::value& element : value.get_array())
    if (auto part = shaped(element, *items)) result.push_back(*std::move(part));
  return result;
}

std::optional<json::value> shaped_object(const json::value& value, const json::value& schema) {
  const json::object* properties = get_object(schema, "properties");
  if (properties == nullptr || !value.is_object()) return std::nullopt;
  json::object result;
  for (const auto& property : *properties) {
    const json::value* member = find(value, property.key());
    if (member == nullptr) continue;
    if (auto part = shaped(*member, property.value())) result[property.key()] = *std::move(part);
  }
  return result;
}

json::value empty_value(const json::value& schema) {
  if (allows(schema, "null")) return nullptr;
  if (const json::array& options = list(schema, "enum"); !options.empty()) return options.front();
  if (allows(schema, "array")) return json::array();
  if (allows(schema, "object")) return merge_with_example(json::object(), json::object(), schema);
  if (allows(schema, "boolean")) return false;
  if (allows(schema, "integer") || allows(schema, "number")) return 0;
  return "";
}

json::value merged_object(const json::value& answer, const json::value& example, const json::value& schema) {
  json::object result;
  if (const json::object* properties = get_object(schema, "properties")) {
    for (const auto& property : *properties) {
      const json::value* own = find(answer, property.key());
      const json::value* other = find(example, property.key());
      static const json::value nothing;
      if (own != nullptr) {
        result[property.key()] = merge_with_example(*own, other == nullptr ? nothing : *other, property.value());
      } else {
        result[property.key()] = other == nullptr ? empty_value(property.value()) : *other;
      }
    }
  }
  return result;
}

json::value merged_list(const json::value& answer, const json::value& example, const json::value& schema) {
  const json::value* items = find(schema, "items");
  const json::array& own = answer.get_array();
  static const json::array none;
  const json::array& other = example.is_array() ? example.get_array() : none;
  json::array result;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const json::value& place = other.empty() ? json::value(nullptr) : other[i % other.size()];
    result.push_back(items == nullptr ? own[i] : merge_with_example(own[i], place, *items));
  }
  return result;
}

}  // namespace

std::optional<json::value> shaped(const json::value& value, const json::value& schema) {
  if (value.is_null()) return allows(schema, "null") ? std::optional(json::value(nullptr)) : std::nullopt;
  if (allows(schema, "object")) return shaped_object(value, schema);
  if (allows(schema, "array")) return shaped_list(value, schema);
  if (allows(schema, "string")) return shaped_text(value, schema);
  if (allows(schema, "boolean") && value.is_bool()) return value;
  const auto number = as_int(value);
  if (allows(schema, "integer") && number) return json::value(*number);
  if (allows(schema, "number") && value.is_number()) return value;
  return std::nullopt;
}

json::value merge_with_example(const json::value& answer, const json::value& example, const json::value& schema) {
  const bool fits = shaped(answer, schema).has_value();
  if (answer.is_object() && allows(schema, "object")) return merged_object(answer, example, schema);
  if (answer.is_array() && allows(schema, "array")) return merged_list(answer, example, schema);
  if (fits) return *shaped(answer, schema);
  if (!example.is_null() && shaped(example, schema)) return example;
  return empty_value(schema);
}

}  // namespace planexe::plan
