#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "server/contract.hpp"

namespace planexe::test {

/// Compares values with the schemas of the contract for what the server sends: the keywords that stand there.
class ContractSchema {
 public:
  /// What is wrong, one line per finding with its place; empty when the value fits the component schema.
  static std::string findings(const json::value& value, std::string_view schema) {
    ContractSchema check;
    check.compare(check.named(schema), value, std::string(schema));
    return check.found_;
  }

 private:
  const json::object& named(std::string_view name) const {
    const auto& schemas = server::Contract::embedded().document().at("components").at("schemas").as_object();
    return schemas.at(name).as_object();
  }

  void bad(const std::string& place, std::string_view what) { found_ += place + ": " + std::string(what) + "\n"; }

  static bool is_type(const json::value& value, std::string_view type) {
    if (type == "null") return value.is_null();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "integer") return as_int(value).has_value();
    if (type == "number") return value.is_number();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
  }

  bool fits(const json::object& schema, const json::value& value) const {
    ContractSchema other;
    other.compare(schema, value, "");
    return other.found_.empty();
  }

  void compare(const json::object& schema, const json::value& value, const std::string& place) {
    if (const auto ref = get_string(schema, "$ref")) {
      compare(named(ref->substr(ref->rfind('/') + 1)), value, place);
    }
    if (const auto* all = get_array(schema, "allOf"))
      for (const auto& part : *all) compare(part.as_object(), value, place);
    if (const auto* any = get_array(schema, "anyOf"))
      if (std::ranges::none_of(*any, [&](const auto& part) { return fits(part.as_object(), value); }))
        bad(place, "fits none of the choices: " + to_json(value).substr(0, 100));
    if (const auto* one = find(schema, "const"); one && *one != value) bad(place, "is not the constant");
    if (const auto* list = get_array(schema, "enum"); list && std::ranges::find(*list, value) == list->end())
      bad(place, "is not in the list: " + to_json(value));
    if (!compare_type(schema, value, place)) return;
    if (value.is_string()) compare_string(schema, value.as_string(), place);
    if (value.is_number()) compare_number(schema, value.to_number<double>(), place);
    if (value.is_object()) compare_object(schema, value.as_object(), place);
    if (value.is_array()) compare_array(schema, value.as_array(), place);
  }

  bool compare_type(const json::object& schema, const json::value& value, const std::string& place) {
    const auto* type = find(schema, "type");
    if (type == nullptr) return true;
    bool good = type->is_string() && is_type(value, std::string_view(type->as_string()));
    if (type->is_array())
      for (const auto& one : type->as_array()) good = good || is_type(value, std::string_view(one.as_string()));
    if (!good) bad(place, "has another type: " + to_json(value).substr(0, 100));
    return good;
  }

  void compare_string(const json::object& schema, std::string_view text, const std::string& place) {
    if (const auto pattern = get_string(schema, "pattern"))
      if (!std::regex_search(std::string(text), std::regex(std::string(*pattern))))
        bad(place, "does not match: " + std::string(text));
    const auto length = static_cast<std::int64_t>(code_points(text));
    if (const auto least = get_int(schema, "minLength"); least && length < *least) bad(place, "is too short");
    if (const auto most = get_int(schema, "maxLength"); most && length > *most) bad(place, "is too long");
  }

  void compare_number(const json::object& schema, double number, const std::string& place) {
    if (const auto least = get_double(schema, "minimum"); least && number < *least) bad(place, "is too small");
    if (const auto most = get_double(schema, "maximum"); most && number > *most) bad(place, "is too large");
    if (const auto above = get_double(schema, "exclusiveMinimum"); above && number <= *above)
      bad(place, "is too small");
  }

  void compare_object(const json::object& schema, const json::object& object, const std::string& place) {
    if (const auto* required = get_array(schema, "required"))
      for (const auto& name : *required)
        if (!object.contains(std::string_view(name.as_string()))) bad(place, "lacks " + to_json(name));
    if (const auto* properties = get_object(schema, "properties"))
      for (const auto& [name, part] : *properties)
        if (const auto* member = object.if_contains(name))
          compare(part.as_object(), *member, place + "." + std::string(name));
  }

  void compare_array(const json::object& schema, const json::array& list, const std::string& place) {
    if (const auto least = get_int(schema, "minItems"); least && static_cast<std::int64_t>(list.size()) < *least)
      bad(place, "has too few elements");
    if (const auto* items = get_object(schema, "items"))
      for (std::size_t i = 0; i < list.size(); ++i) compare(*items, list[i], place + "[" + std::to_string(i) + "]");
  }

  std::string found_;
};

/// EXPECT that a value is what the contract calls `schema`.
#define EXPECT_FITS(value, schema) EXPECT_EQ(::planexe::test::ContractSchema::findings(value, schema), "")

}  // namespace planexe::test
