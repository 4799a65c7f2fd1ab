#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "recipe/answer.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {
namespace {

// Limits of the providers that enforce schemas (Responses API, structured outputs).
constexpr std::size_t kPropertiesMax = 5000;
constexpr int kDepthMax = 10;
constexpr std::size_t kEnumValuesMax = 1000;
constexpr std::size_t kNameCharsMax = 120'000;

constexpr std::array<std::string_view, 20> kForbidden = {"allOf",
                                                         "oneOf",
                                                         "not",
                                                         "if",
                                                         "then",
                                                         "else",
                                                         "dependentRequired",
                                                         "dependentSchemas",
                                                         "discriminator",
                                                         "patternProperties",
                                                         "propertyNames",
                                                         "prefixItems",
                                                         "contains",
                                                         "unevaluatedProperties",
                                                         "unevaluatedItems",
                                                         "uniqueItems",
                                                         "minProperties",
                                                         "maxProperties",
                                                         "default",
                                                         "additionalItems"};
constexpr std::array<std::string_view, 5> kAsRules = {"minLength", "maxLength", "minItems", "maxItems", "pattern"};
constexpr std::array<std::string_view, 22> kAllowed = {"type",
                                                       "properties",
                                                       "required",
                                                       "additionalProperties",
                                                       "items",
                                                       "enum",
                                                       "const",
                                                       "anyOf",
                                                       "$ref",
                                                       "$defs",
                                                       "description",
                                                       "title",
                                                       "format",
                                                       "multipleOf",
                                                       "minimum",
                                                       "maximum",
                                                       "exclusiveMinimum",
                                                       "exclusiveMaximum",
                                                       "$schema",
                                                       "$id",
                                                       "$comment",
                                                       "definitions"};
constexpr std::array<std::string_view, 9> kFormats = {"date-time", "time", "date", "duration", "email",
                                                      "hostname",  "ipv4", "ipv6", "uuid"};
constexpr std::array<std::string_view, 7> kTypes = {"string", "number", "integer", "boolean",
                                                    "object", "array",  "null"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

class SubsetChecker {
 public:
  explicit SubsetChecker(const json::value& root) : root_(root) {}

  std::vector<AnswerProblem> run() {
    if (!root_.is_object())
      bad("", "the schema must be an object");
    else if (get_string(root_, "type") != "object")
      bad("", "the root must have \"type\": \"object\"");
    else
      check(root_, "", 1);
    for (const char* defs : {"$defs", "definitions"})
      if (const json::object* named = get_object(root_, defs))
        for (const auto& member : *named) check(member.value(), pointer_join(pointer_join("", defs), member.key()), 1);
    if (properties_ > kPropertiesMax) bad("", fmt::format("more than {} properties", kPropertiesMax));
    if (enum_values_ > kEnumValuesMax) bad("", fmt::format("more than {} enum values", kEnumValuesMax));
    if (name_chars_ > kNameCharsMax)
      bad("", fmt::format("names and enum values have more than {} characters", kNameCharsMax));
    return std::move(problems_);
  }

 private:
  void bad(std::string pointer, std::string message) {
    problems_.push_back({true, "subset", std::move(pointer), std::move(message), ""});
  }

  void check(const json::value& schema, const std::string& at, int depth) {
    if (!schema.is_object()) return bad(at, "a schema must be an object");
    if (depth > kDepthMax) return bad(at, fmt::format("nested deeper than {} levels", kDepthMax));
    check_keywords(schema.get_object(), at);
    if (find(schema, "$ref")) return check_ref(schema, at);
    check_type(schema, at);
    check_enum(schema, at);
    if (const json::array* choices = get_array(schema, "anyOf"))
      for (std::size_t i = 0; i < choices->size(); ++i) check((*choices)[i], fmt::format("{}/anyOf/{}", at, i), depth);
    const std::vector<std::string> types = admitted_types(root_, schema);
    const bool own_type = find(schema, "type") != nullptr;
    if (own_type && std::ranges::find(types, "object") != types.end()) check_object(schema, at, depth);
    if (own_type && std::ranges::find(types, "array") != types.end()) check_array(schema, at, depth);
  }

  void check_keywords(const json::object& schema, const std::string& at) {
    for (const auto& member : schema) {
      const std::string_view key = member.key();
      if (among(kForbidden, key))
        bad(at, fmt::format("\"{}\" is outside the strict subset", key));
      else if (among(kAsRules, key))
        bad(at, fmt::format("\"{}\": write it as a rule in task.toml (len, matches)", key));
      else if (!among(kAllowed, key))
        bad(at, fmt::format("the keyword \"{}\" is unknown", key));
    }
    const auto format = schema.find("format");
    if (format != schema.end() &&
        !(format->value().is_string() && among(kFormats, std::string_view(format->value().get_string()))))
      bad(at, "\"format\" is not one of the nine that are enforced");
  }

  void check_ref(const json::value& schema, const std::string& at) {
    const auto ref = get_string(schema, "$ref");
    if (!ref || !ref->starts_with('#'))
      bad(at, "\"$ref\" must point into this schema (\"#/$defs/NAME\")");
    else if (!resolve_ref(root_, &schema))
      bad(at, fmt::format("\"$ref\" leads nowhere: {}", *ref));
  }

  void check_type(const json::value& schema, const std::string& at) {
    const json::value* type = find(schema, "type");
    if (!type) {
      if (!find(schema, "anyOf") && !find(schema, "enum") && !find(schema, "const")) bad(at, "\"type\" is missing");
      return;
    }
    const bool known = type->is_string()
                           ? among(kTypes, std::string_view(type->get_string()))
                           : type->is_array() && !type->get_array().empty() &&
                                 std::ranges::all_of(type->get_array(), [](const json::value& one) {
                                   return one.is_string() && among(kTypes, std::string_view(one.get_string()));
                                 });
    if (!known) bad(at, "\"type\" is none of string, number, integer, boolean, object, array, null");
  }

  void check_enum(const json::value& schema, const std::string& at) {
    const json::value* values = find(schema, "enum");
    if (!values) return;
    if (!values->is_array() || values->get_array().empty())
      return bad(at, "\"enum\" must be a list with at least one value");
    enum_values_ += values->get_array().size();
    for (const json::value& value : values->get_array())
      if (value.is_string()) name_chars_ += value.get_string().size();
    // A nullable enum needs the null twice, or no null ever passes.
    const std::vector<std::string> types = admitted_types(root_, schema);
    const bool null_type = std::ranges::find(types, "null") != types.end();
    const bool null_value =
        std::ranges::any_of(values->get_array(), [](const json::value& value) { return value.is_null(); });
    if (null_type != null_value && !types.empty()) bad(at, "a nullable enum has null both in \"type\" and in \"enum\"");
  }

  void check_object(const json::value& schema, const std::string& at, int depth) {
    const json::value* extra = find(schema, "additionalProperties");
    if (!extra || !extra->is_bool() || extra->get_bool()) bad(at, "an object needs \"additionalProperties\": false");
    const json::object* properties = get_object(schema, "properties");
    if (!properties || properties->empty()) return bad(at, "an object needs \"properties\"");
    const json::array* required = get_array(schema, "required");
    if (!required) bad(at, "an object needs \"required\" with all properties");
    for (const auto& member : *properties) {
      const std::string key(member.key());
      ++properties_;
      name_chars_ += key.size();
      const std::string place = pointer_join(at + "/properties", key);
      if (required && std::ranges::find(*required, json::value(key)) == required->end())
        bad(place, "is not in \"required\"; optional is written \"type\": [\"string\", \"null\"]");
      if (!find(member.value(), "$ref") && get_string(member.value(), "description").value_or("").empty())
        bad(place, "has no \"description\"");
      check(member.value(), place, depth + 1);
    }
    for (const json::value& name : required ? *required : json::array())
      if (!name.is_string() || !properties->contains(name.get_string()))
        bad(at, fmt::format("\"required\" names {}, which is no property", to_json(name)));
  }

  void check_array(const json::value& schema, const std::string& at, int depth) {
    const json::value* items = find(schema, "items");
    if (!items || !items->is_object()) return bad(at, "a list needs one \"items\" schema");
    check(*items, at + "/items", depth + 1);
  }

  const json::value& root_;
  std::vector<AnswerProblem> problems_;
  std::size_t properties_ = 0;
  std::size_t enum_values_ = 0;
  std::size_t name_chars_ = 0;
};

}  // namespace

std::vector<AnswerProblem> check_strict_subset(const json::value& schema) { return SubsetChecker(schema).run(); }

}  // namespace planexe::recipe
