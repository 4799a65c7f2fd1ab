#include <algorithm>
#include <cmath>

#include "answers.hpp"

// Answers for schemas that no task of the recipe has.
namespace planexe::rehearsal {
namespace {

std::string text_of_format(std::string_view format) {
  if (format == "date-time") return "2026-01-01T00:00:00Z";
  if (format == "date") return "2026-01-01";
  if (format == "time") return "00:00:00Z";
  if (format == "duration") return "P1D";
  if (format == "email") return "rehearsal@example.com";
  if (format == "hostname") return "example.com";
  if (format == "ipv4") return "192.0.2.1";
  if (format == "ipv6") return "2001:db8::1";
  if (format == "uuid") return "00000000-0000-4000-8000-000000000000";
  return "Rehearsal: a prepared text.";
}

/// The smallest number that bounds and step allow.
json::value number_from(const json::value& schema, bool whole) {
  double number = get_double(schema, "minimum").value_or(1.0);
  if (const auto above = get_double(schema, "exclusiveMinimum")) number = whole ? std::floor(*above) + 1 : *above + 1e-3;
  if (const auto most = get_double(schema, "maximum"); most && *most < number && !find(schema, "minimum")) number = *most;
  if (const auto below = get_double(schema, "exclusiveMaximum"); below && number >= *below) number = whole ? std::ceil(*below) - 1 : *below - 1e-3;
  if (const auto step = get_double(schema, "multipleOf"); step && *step > 0) number = std::ceil(number / *step) * *step;
  if (whole) return static_cast<std::int64_t>(std::ceil(number));
  return number;
}

json::value value_from(const json::value& schema, const json::value& root, int depth);

json::value object_from(const json::value& schema, const json::value& root, int depth) {
  json::object object;
  if (const auto* properties = get_object(schema, "properties"))
    for (const auto& [key, member] : *properties) object[key] = value_from(member, root, depth + 1);
  return object;
}

json::value array_from(const json::value& schema, const json::value& root, int depth) {
  // A recursive schema ends with empty lists.
  constexpr int kDepthOfLists = 12;
  const auto wanted = get_int(schema, "minItems").value_or(depth > kDepthOfLists ? 0 : 1);
  const auto most = std::min<std::int64_t>(get_int(schema, "maxItems").value_or(100), 100);
  json::array array;
  for (std::int64_t i = 0; i < std::min(std::max<std::int64_t>(0, wanted), most); ++i)
    if (const auto* items = find(schema, "items")) array.push_back(value_from(*items, root, depth + 1));
  return array;
}

/// The target of "#", "#/$defs/name".
const json::value* target_of(const json::value& root, std::string_view ref) {
  const json::value* at = &root;
  ref.remove_prefix(std::min<std::size_t>(ref.size(), 1));
  while (at && ref.starts_with('/')) {
    ref.remove_prefix(1);
    const auto part = ref.substr(0, ref.find('/'));
    at = find(*at, part);
    ref.remove_prefix(part.size());
  }
  return at;
}

/// Of several branches the last one that is no reference back into the schema when it goes deep, else the first.
json::value branch_from(const json::array& branches, const json::value& root, int depth) {
  constexpr int kDepthOfBranches = 8;
  if (depth <= kDepthOfBranches) return value_from(branches.front(), root, depth + 1);
  for (const auto& branch : branches)
    if (get_string(branch, "type") == "null") return nullptr;
  for (const auto& branch : branches)
    if (!find(branch, "$ref")) return value_from(branch, root, depth + 1);
  return value_from(branches.front(), root, depth + 1);
}

json::value value_from(const json::value& schema, const json::value& root, int depth) {
  constexpr int kDepthMax = 60;
  if (depth > kDepthMax) return nullptr;
  if (const auto ref = get_string(schema, "$ref")) {
    const auto* target = target_of(root, *ref);
    return target ? value_from(*target, root, depth + 1) : json::value(nullptr);
  }
  if (const auto* any = get_array(schema, "anyOf"); any && !any->empty()) return branch_from(*any, root, depth);
  if (const auto* constant = find(schema, "const")) return *constant;
  if (const auto* values = get_array(schema, "enum"); values && !values->empty()) return values->front();
  std::string type(get_string(schema, "type").value_or(""));
  if (const auto* types = get_array(schema, "type"); types && !types->empty()) type = std::string(types->front().is_string() ? std::string_view(types->front().as_string()) : std::string_view());
  if (type == "object") return object_from(schema, root, depth);
  if (type == "array") return array_from(schema, root, depth);
  if (type == "integer" || type == "number") return number_from(schema, type == "integer");
  if (type == "boolean") return true;
  if (type == "null") return nullptr;
  return json::string(text_of_format(get_string(schema, "format").value_or("")));
}

}  // namespace

json::value answer_from_schema(const json::value& schema) { return value_from(schema, schema, 0); }

}  // namespace planexe::rehearsal
