#include "plan/import/names.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

const json::value& nothing() {
  static const json::value null;
  return null;
}

}  // namespace

RefTable::RefTable(const json::value& objects, std::string_view prefix, std::string_view id_field,
                   std::string_view name_field) {
  if (!objects.is_array()) return;
  for (const json::value& object : objects.get_array()) {
    const std::string ref = fmt::format("{}{}", prefix, ++size_);
    for (const std::string_view field : {id_field, name_field}) {
      const std::string name = normalize_name(text(object, field));
      if (name.empty()) continue;
      // A name that stands for two things stands for none; an id still tells them apart.
      const auto [entry, added] = refs_.emplace(name, ref);
      if (!added && entry->second != ref) entry->second.clear();
    }
  }
}

std::string RefTable::of(std::string_view id_or_name) const {
  const auto found = refs_.find(normalize_name(id_or_name));
  return found == refs_.end() ? std::string() : found->second;
}

void RefTable::mark(json::value& objects, std::string_view id_field, std::string_view name_field) const {
  if (!objects.is_array()) return;
  for (json::value& object : objects.get_array()) {
    if (!object.is_object()) continue;
    std::string ref = of(text(object, id_field));
    if (ref.empty()) ref = of(text(object, name_field));
    if (!ref.empty()) object.get_object()["ref"] = ref;
  }
}

const json::value& output_of(const ImportedRun& run, std::string_view task, std::string_view output) {
  const auto found = run.tasks.find(task);
  if (found == run.tasks.end()) return nothing();
  const json::value* value = found->second.outputs.if_contains(output);
  return value == nullptr ? nothing() : *value;
}

const json::value& raw_answer_of(const ImportedRun& run, std::string_view task, std::string_view output) {
  const json::value& raw = output_of(run, task, output);
  if (const json::value* nested = find(raw, "response"); nested != nullptr && nested->is_object()) return *nested;
  return raw;
}

}  // namespace planexe::plan
