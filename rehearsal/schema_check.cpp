#include "schema_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace planexe::rehearsal {
namespace {

constexpr std::array<std::string_view, 21> kForbidden{
    "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "oneOf", "discriminator", "patternProperties",
    "propertyNames", "prefixItems", "contains", "unevaluatedProperties", "unevaluatedItems", "uniqueItems", "minProperties",
    "maxProperties", "default", "minLength", "maxLength"};
constexpr std::array<std::string_view, 9> kFormats{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"};
constexpr std::size_t kPropertiesMax = 5'000, kLevelsMax = 10, kEnumMax = 1'000, kNameCharsMax = 120'000;

class Check {
 public:
  std::optional<std::string> run(const json::value& schema) {
    if (get_string(schema, "type") != "object" || find(schema, "anyOf"))
      return "schema must be a JSON Schema of 'type: \"object\"', got another root";
    walk(schema, "()", 1);
    for (const auto* key : {"$defs", "definitions"})
      if (const auto* definitions = get_object(schema, key))
        for (const auto& [name, definition] : *definitions) walk(definition, fmt::format("('{}', '{}')", key, std::string_view(name)), 1);
    if (properties_ > kPropertiesMax) say("()", fmt::format("too many properties: {}", properties_));
    if (enums_ > kEnumMax) say("()", fmt::format("too many enum values: {}", enums_));
    if (name_chars_ > kNameCharsMax) say("()", "names and enum values are too long in all");
    return problem_;
  }

 private:
  void say(std::string_view at, std::string text) {
    if (!problem_) problem_ = fmt::format("In context={}, {}", at, text);
  }

  static std::string below(std::string_view at, std::string_view a, std::string_view b = {}) {
    std::string path(at.substr(0, at.size() - 1));
    if (path.size() > 1) path += ", ";
    path += fmt::format("'{}'", a);
    return path + (b.empty() ? ")" : fmt::format(", '{}')", b));
  }

  void keywords(const json::object& schema, std::string_view at) {
    for (const auto name : kForbidden)
      if (schema.contains(name)) say(at, fmt::format("'{}' is not permitted.", name));
    if (const auto* format = schema.if_contains("format"); format && format->is_string()) {
      const std::string_view name = format->as_string();
      if (std::find(kFormats.begin(), kFormats.end(), name) == kFormats.end()) say(at, fmt::format("'{}' is not a valid format.", name));
    }
    if (const auto* ref = schema.if_contains("$ref"); ref && ref->is_string() && !ref->as_string().starts_with("#"))
      say(at, "external '$ref' is not permitted.");
    if (const auto* values = schema.if_contains("enum"); values && values->is_array()) {
      enums_ += values->as_array().size();
      for (const auto& value : values->as_array())
        if (value.is_string()) name_chars_ += value.as_string().size();
    }
  }

  void object(const json::value& schema, std::string_view at, std::size_t level) {
    if (get_bool(schema, "additionalProperties") != false) say(at, "'additionalProperties' is required to be supplied and to be false.");
    std::set<std::string_view> required;
    if (const auto* names = get_array(schema, "required"))
      for (const auto& name : *names)
        if (name.is_string()) required.insert(name.as_string());
    const auto* properties = get_object(schema, "properties");
    if (!properties) return;
    properties_ += properties->size();
    for (const auto& [name, member] : *properties) {
      name_chars_ += name.size();
      if (!required.contains(name))
        say(at, fmt::format("'required' is required to be supplied and to be an array including every key in properties. Missing '{}'.",
                            std::string_view(name)));
      walk(member, below(at, "properties", name), level + 1);
    }
    for (const auto name : required)
      if (!properties->contains(name)) say(at, fmt::format("Extra required key '{}' supplied.", name));
  }

  void walk(const json::value& schema, const std::string& at, std::size_t level) {
    if (!schema.is_object()) return say(at, "a schema must be an object.");
    if (level > kLevelsMax) return say(at, fmt::format("more than {} levels of nesting.", kLevelsMax));
    keywords(schema.as_object(), at);
    const auto type = get_string(schema, "type");
    const auto* types = get_array(schema, "type");
    const bool is = types && std::find(types->begin(), types->end(), json::value("object")) != types->end();
    if (type == "object" || is) object(schema, at, level);
    if (const auto* items = find(schema, "items")) walk(*items, below(at, "items"), level + 1);
    else if (type == "array") say(at, "array schema missing items.");
    if (const auto* any = get_array(schema, "anyOf"))
      for (std::size_t i = 0; i < any->size(); ++i) walk((*any)[i], below(at, "anyOf", std::to_string(i)), level);
    if (!type && !types && !find(schema, "anyOf") && !find(schema, "$ref") && !find(schema, "enum") && !find(schema, "const"))
      say(at, "schema must have a 'type' key.");
  }

  std::optional<std::string> problem_;
  std::size_t properties_ = 0, enums_ = 0, name_chars_ = 0;
};

}  // namespace

std::optional<std::string> strict_violation(const json::value& schema) { return Check().run(schema); }

}  // namespace planexe::rehearsal
