#include "llm/schema_clean.hpp"

#include <algorithm>
#include <array>

namespace planexe::llm {

namespace {

/// What the strict subset lists. Everything else is either checked locally or means nothing to a model.
constexpr std::array<std::string_view, 20> kKeptKeywords{
    "type",    "description", "properties", "required", "additionalProperties", "items",   "enum",
    "const",   "anyOf",       "$defs",      "$ref",     "pattern",              "format",  "multipleOf",
    "minimum", "maximum",     "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"};

constexpr int kInlineDepthMax = 16;

class Cleaner {
 public:
  explicit Cleaner(const json::value& root) : root_(root) {}

  json::value clean(const json::value& schema, int depth = 0) const {
    if (!schema.is_object()) return schema;
    const json::object inlined = inline_reference(schema.get_object(), depth);
    json::object result;
    for (const auto& member : inlined) {
      if (!is_kept(member.key())) continue;
      result[member.key()] = clean_member(member.key(), member.value(), depth + 1);
    }
    close_object(result);
    return result;
  }

 private:
  static bool is_kept(std::string_view keyword) {
    return std::find(kKeptKeywords.begin(), kKeptKeywords.end(), keyword) != kKeptKeywords.end();
  }

  json::value clean_member(std::string_view keyword, const json::value& value, int depth) const {
    if (keyword == "properties" || keyword == "$defs") {
      if (!value.is_object()) return value;
      json::object named;
      for (const auto& member : value.get_object()) named[member.key()] = clean(member.value(), depth);
      return named;
    }
    if (keyword == "items" || keyword == "additionalProperties") return clean(value, depth);
    if (keyword == "anyOf" && value.is_array()) {
      json::array branches;
      for (const json::value& branch : value.get_array()) branches.push_back(clean(branch, depth));
      return branches;
    }
    return value;
  }

  /// A bare reference stays; beside other keywords its target takes its place and the neighbours win.
  json::object inline_reference(const json::object& schema, int depth) const {
    const json::value* reference = schema.if_contains("$ref");
    if (reference == nullptr || schema.size() == 1 || depth > kInlineDepthMax) return schema;
    const json::object* target = reference->is_string() ? resolve(reference->get_string()) : nullptr;
    if (target == nullptr) return schema;
    json::object merged = inline_reference(*target, depth + 1);
    for (const auto& member : schema) {
      if (member.key() != "$ref") merged[member.key()] = member.value();
    }
    return merged;
  }

  const json::object* resolve(std::string_view reference) const {
    if (!reference.starts_with("#/")) return nullptr;
    boost::system::error_code status;
    const json::value* target = root_.find_pointer(reference.substr(1), status);
    return target == nullptr ? nullptr : target->if_object();
  }

  /// Strict mode wants every property required and nothing beside them. A map (its values have a schema) stays a map.
  static void close_object(json::object& schema) {
    const json::value* properties = schema.if_contains("properties");
    if (properties == nullptr || !properties->is_object()) return;
    const json::value* additional = schema.if_contains("additionalProperties");
    if (additional != nullptr && additional->is_object()) return;
    json::array required;
    for (const auto& member : properties->get_object()) required.emplace_back(member.key());
    schema["required"] = std::move(required);
    schema["additionalProperties"] = false;
  }

  const json::value& root_;
};

}  // namespace

json::value clean_schema(const json::value& schema) { return Cleaner(schema).clean(schema); }

std::string clean_schema_name(std::string_view name) {
  constexpr std::size_t kNameCharsMax = 64;
  std::string clean;
  for (const char c : name.substr(0, kNameCharsMax)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    clean += plain ? c : '_';
  }
  return clean.empty() ? "answer" : clean;
}

}  // namespace planexe::llm
