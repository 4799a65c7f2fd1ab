#include "server/schema_check.hpp"

#include <charconv>
#include <cmath>

#include <re2/re2.h>

#include "base/text.hpp"
#include "base/time.hpp"

namespace planexe::server {
namespace {

constexpr std::size_t kErrorsMax = 50;

json::array below(const json::array& loc, json::value part) {
  json::array place = loc;
  place.push_back(std::move(part));
  return place;
}

void add(std::vector<FieldError>& errors, std::string type, const json::array& loc, std::string msg, json::object ctx = {}) {
  if (errors.size() < kErrorsMax) errors.push_back({std::move(type), loc, std::move(msg), std::move(ctx)});
}

bool is_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "integer") return as_int(value).has_value();
  if (type == "number") return value.is_number();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "null") return value.is_null();
  return true;
}

std::vector<std::string> types_of(const json::object& schema) {
  const auto* type = schema.if_contains("type");
  if (type == nullptr) return {};
  if (type->is_string()) return {std::string(type->get_string())};
  std::vector<std::string> types;
  for (const auto& one : type->get_array()) types.emplace_back(one.get_string());
  return types;
}

struct TypeWords {
  std::string_view type, error, article;
};
constexpr TypeWords kTypeWords[] = {{"string", "string_type", "a string"},  {"boolean", "bool_type", "true or false"},
                                    {"integer", "int_type", "a whole number"}, {"number", "float_type", "a number"},
                                    {"array", "list_type", "a list"},       {"object", "dict_type", "an object"}};

void wrong_type(const std::vector<std::string>& types, const json::array& loc, std::vector<FieldError>& errors) {
  std::string wanted;
  std::string kind = "value_error";
  for (const auto& words : kTypeWords)
    for (const auto& type : types)
      if (type == words.type) {
        wanted += (wanted.empty() ? "" : " or ") + std::string(words.article);
        kind = words.error;
      }
  add(errors, kind, loc, "must be " + (wanted.empty() ? "null" : wanted));
}

void check_number(const json::object& schema, double value, const json::array& loc, std::vector<FieldError>& errors) {
  struct Bound {
    const char* keyword;
    const char* type;
    const char* ctx;
    bool (*broken)(double, double);
    const char* words;
  };
  static constexpr Bound kBounds[] = {
      {"minimum", "greater_than_equal", "ge", [](double v, double b) { return v < b; }, "must be at least "},
      {"maximum", "less_than_equal", "le", [](double v, double b) { return v > b; }, "must be at most "},
      {"exclusiveMinimum", "greater_than", "gt", [](double v, double b) { return v <= b; }, "must be greater than "},
      {"exclusiveMaximum", "less_than", "lt", [](double v, double b) { return v >= b; }, "must be less than "}};
  for (const auto& bound : kBounds) {
    const auto limit = get_double(schema, bound.keyword);
    if (limit && bound.broken(value, *limit))
      add(errors, bound.type, loc, bound.words + to_json(*schema.if_contains(bound.keyword)), {{bound.ctx, *schema.if_contains(bound.keyword)}});
  }
}

bool matches(const std::string& pattern, std::string_view text) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), RE2(pattern, quiet));
}

std::string list_of(const json::array& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + (value.is_string() ? std::string(value.get_string()) : to_json(value));
  return text;
}

}  // namespace

const json::object& SchemaCheck::resolved(const json::object& schema) const {
  const json::object* at = &schema;
  while (const auto ref = get_string(*at, "$ref")) {
    const auto* target = document_.empty() ? nullptr : &document_;
    std::string_view rest = ref->substr(std::min<std::size_t>(2, ref->size()));  // after "#/"
    while (target != nullptr && !rest.empty()) {
      const auto slash = rest.find('/');
      target = get_object(*target, rest.substr(0, slash));
      rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    }
    PLANEXE_ASSERT(target != nullptr);
    at = target;
  }
  return *at;
}

void SchemaCheck::check(const json::object& given, json::value& value, json::array loc, std::vector<FieldError>& errors) const {
  const json::object& schema = resolved(given);
  for (const char* keyword : {"anyOf", "oneOf"})
    if (const auto* choices = get_array(schema, keyword)) check_any(*choices, value, loc, errors);
  if (const auto* all = get_array(schema, "allOf"))
    for (const auto& part : *all) check(part.get_object(), value, loc, errors);
  const auto types = types_of(schema);
  if (!types.empty() && std::ranges::none_of(types, [&](const auto& type) { return is_type(value, type); }))
    return wrong_type(types, loc, errors);
  if (value.is_null() && !types.empty()) return;
  if (value.is_string() && get_bool(schema, "x-trim").value_or(false)) value = json::string(trim(value.get_string()));
  if (const auto* allowed = get_array(schema, "enum"); allowed && std::ranges::find(*allowed, value) == allowed->end())
    return add(errors, "enum", loc, "must be one of " + list_of(*allowed), {{"expected", list_of(*allowed)}});
  if (const auto* wanted = schema.if_contains("const"); wanted && *wanted != value)
    return add(errors, "literal_error", loc, "must be " + to_json(*wanted), {{"expected", to_json(*wanted)}});
  if (value.is_string()) check_string(schema, value.get_string(), loc, errors);
  if (value.is_number()) check_number(schema, value.to_number<double>(), loc, errors);
  if (value.is_object()) check_object(schema, value.get_object(), loc, errors);
  if (value.is_array()) check_list(schema, value.get_array(), loc, errors);
}

void SchemaCheck::check_any(const json::array& choices, json::value& value, const json::array& loc,
                            std::vector<FieldError>& errors) const {
  // The errors of the alternative that got furthest tell most: that of the value's own type.
  std::optional<std::vector<FieldError>> best;
  for (const auto& choice : choices) {
    json::value copy = value;
    std::vector<FieldError> found;
    check(choice.get_object(), copy, loc, found);
    if (found.empty()) {
      value = std::move(copy);
      return;
    }
    const auto types = types_of(resolved(choice.get_object()));
    const bool own_type = std::ranges::any_of(types, [&](const auto& type) { return is_type(value, type); });
    if (!best || own_type) best = std::move(found);
  }
  if (!best) return;
  for (auto& error : *best)
    if (errors.size() < kErrorsMax) errors.push_back(std::move(error));
}

void SchemaCheck::check_string(const json::object& schema, const json::string& text, const json::array& loc,
                               std::vector<FieldError>& errors) const {
  const auto size = static_cast<std::int64_t>(code_points(text));
  if (const auto least = get_int(schema, "minLength"); least && size < *least)
    return add(errors, "string_too_short", loc, fmt::format("must have at least {} characters", *least), {{"min_length", *least}});
  if (const auto most = get_int(schema, "maxLength"); most && size > *most)
    return add(errors, "string_too_long", loc, fmt::format("must have at most {} characters", *most), {{"max_length", *most}});
  if (const auto pattern = get_string(schema, "pattern"); pattern && !matches(std::string(*pattern), text))
    return add(errors, "string_pattern_mismatch", loc, fmt::format("must have the form {}", *pattern), {{"pattern", *pattern}});
  if (get_string(schema, "format") == "date-time" && !parse_iso(text))
    add(errors, "datetime_parsing", loc, "must be a moment such as 2026-01-31T12:00:00Z");
}

void SchemaCheck::check_object(const json::object& schema, json::object& object, const json::array& loc,
                               std::vector<FieldError>& errors) const {
  if (const auto* required = get_array(schema, "required"))
    for (const auto& name : *required)
      if (!object.contains(name.get_string())) add(errors, "missing", below(loc, name), "is required");
  const auto* properties = get_object(schema, "properties");
  if (properties == nullptr) return;
  for (const auto& [name, property] : *properties)
    if (auto* member = object.if_contains(name)) check(property.get_object(), *member, below(loc, json::string(name)), errors);
}

void SchemaCheck::check_list(const json::object& schema, json::array& list, const json::array& loc,
                             std::vector<FieldError>& errors) const {
  const auto size = static_cast<std::int64_t>(list.size());
  if (const auto least = get_int(schema, "minItems"); least && size < *least)
    return add(errors, "too_short", loc, fmt::format("must have at least {} entries", *least), {{"min_length", *least}});
  if (const auto most = get_int(schema, "maxItems"); most && size > *most)
    return add(errors, "too_long", loc, fmt::format("must have at most {} entries", *most), {{"max_length", *most}});
  const auto* items = get_object(schema, "items");
  if (items == nullptr) return;
  for (std::size_t i = 0; i < list.size(); ++i) check(*items, list[i], below(loc, i), errors);
}

json::value SchemaCheck::read_text(const json::object& given, std::string_view text, json::array loc,
                                   std::vector<FieldError>& errors) const {
  const json::object& schema = resolved(given);
  const auto types = types_of(schema);
  const auto wants = [&](std::string_view type) { return std::ranges::find(types, type) != types.end(); };
  json::value value = json::string(text);
  if (wants("integer")) {
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{} || end != text.data() + text.size()) {
      add(errors, "int_parsing", loc, "must be a whole number");
      return value;
    }
    value = number;
  } else if (wants("boolean")) {
    const bool yes = text == "true" || text == "1";
    if (!yes && text != "false" && text != "0") {
      add(errors, "bool_parsing", loc, "must be true or false");
      return value;
    }
    value = yes;
  }
  check(schema, value, std::move(loc), errors);
  return value;
}

}  // namespace planexe::server
