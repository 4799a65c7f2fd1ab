#include "recipe/schema_walk.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace planexe::recipe {
namespace {

constexpr int kRefsMax = 8;
constexpr int kUnionDepthMax = 8;

const json::value* at_pointer(const json::value& root, std::string_view pointer) {
  const json::value* current = &root;
  for (const std::string& part : pointer_parts(pointer)) {
    current = find(*current, part);
    if (!current) return nullptr;
  }
  return current;
}

template <class Visit>
const json::value* first_of_union(const json::value& root, const json::value& schema, const Visit& visit,
                                  int depth = 0) {
  const json::value* target = resolve_ref(root, &schema);
  if (!target || depth > kUnionDepthMax) return nullptr;
  if (const json::value* found = visit(*target)) return found;
  const json::array* choices = get_array(*target, "anyOf");
  if (!choices) return nullptr;
  for (const json::value& choice : *choices)
    if (const json::value* found = first_of_union(root, choice, visit, depth + 1)) return found;
  return nullptr;
}

void add_types(const json::value& root, const json::value& schema, std::vector<std::string>& out, int depth) {
  const json::value* target = resolve_ref(root, &schema);
  if (!target || depth > kUnionDepthMax) return;
  const json::value* type = find(*target, "type");
  if (type && type->is_string()) out.emplace_back(type->get_string());
  if (type && type->is_array())
    for (const json::value& one : type->get_array())
      if (one.is_string()) out.emplace_back(one.get_string());
  if (const json::array* choices = get_array(*target, "anyOf"))
    for (const json::value& choice : *choices) add_types(root, choice, out, depth + 1);
}

}  // namespace

const json::value* resolve_ref(const json::value& root, const json::value* schema) {
  for (int i = 0; schema && i < kRefsMax; ++i) {
    const auto ref = get_string(*schema, "$ref");
    if (!ref) return schema;
    if (!ref->starts_with('#')) return nullptr;
    schema = at_pointer(root, ref->substr(1));
  }
  return nullptr;
}

const json::value* member_schema(const json::value& root, const json::value& schema, std::string_view name) {
  return first_of_union(root, schema, [&](const json::value& one) -> const json::value* {
    const json::value* properties = find(one, "properties");
    return properties ? find(*properties, name) : nullptr;
  });
}

const json::value* item_schema(const json::value& root, const json::value& schema) {
  return first_of_union(root, schema, [](const json::value& one) { return find(one, "items"); });
}

std::vector<std::string> admitted_types(const json::value& root, const json::value& schema) {
  std::vector<std::string> out;
  add_types(root, schema, out, 0);
  return out;
}

bool admits_null(const json::value& root, const json::value& schema) {
  const std::vector<std::string> types = admitted_types(root, schema);
  return std::ranges::find(types, "null") != types.end();
}

std::vector<std::string> pointer_parts(std::string_view pointer) {
  std::vector<std::string> parts;
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    parts.push_back(replace_all(replace_all(pointer.substr(0, end), "~1", "/"), "~0", "~"));
    pointer.remove_prefix(end);
  }
  return parts;
}

std::string pointer_join(std::string_view pointer, std::string_view part) {
  return std::string(pointer) + "/" + replace_all(replace_all(part, "~", "~0"), "/", "~1");
}

}  // namespace planexe::recipe
