#include "plan/builtins/common.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/ids.hpp"
#include "base/text.hpp"

namespace planexe::plan {
namespace {

// Namespace of every id that the product mints. It must never change: stored plans refer to ids made from it.
constexpr std::string_view kIdNamespace = "6f0d1c52-8f0e-5b6c-9a53-7d1b0c4e2a91";

// Two objects that share a name: looking that name up must find neither.
constexpr std::size_t kAmbiguous = static_cast<std::size_t>(-1);

const json::value& null_value() {
  static const json::value null;
  return null;
}

const json::array& empty_array() {
  static const json::array empty;
  return empty;
}

void add_unique(std::map<std::string, std::size_t>& index, std::string key, std::size_t position) {
  if (key.empty()) return;
  const auto [entry, inserted] = index.emplace(std::move(key), position);
  if (!inserted && entry->second != position) entry->second = kAmbiguous;
}

std::optional<std::size_t> look_up(const std::map<std::string, std::size_t>& index, const std::string& key) {
  const auto entry = index.find(key);
  if (entry == index.end() || entry->second == kAmbiguous) return std::nullopt;
  return entry->second;
}

// Exact values and folded ones live in one map; the first character keeps them apart.
std::string exact_key(std::string_view value) { return fmt::format("={}", value); }
std::string folded_key(std::string_view value) { return fmt::format("~{}", normalize_name(value)); }

}  // namespace

std::string mint_id(std::string_view plan_id, std::string_view task_key, std::string_view item) {
  return uuid5(kIdNamespace, fmt::format("{}\n{}\n{}", plan_id, task_key, item));
}

const json::value* step_answer(const BuiltinInput& in, std::string_view step) {
  const json::value* entry = in.steps.if_contains(step);
  return entry == nullptr ? nullptr : find(*entry, "answer");
}

const json::array& step_items(const BuiltinInput& in, std::string_view step) {
  const json::value* entry = in.steps.if_contains(step);
  return entry == nullptr ? empty_array() : list(*entry, "items");
}

const json::value& read(const BuiltinInput& in, std::string_view reference) {
  const json::value* value = in.reads.if_contains(reference);
  return value == nullptr ? null_value() : *value;
}

std::string text(const json::value& object, std::string_view key) {
  const json::value* member = find(object, key);
  if (member == nullptr || !member->is_string()) return {};
  return std::string(std::string_view(member->get_string()));
}

const json::array& list(const json::value& object, std::string_view key) {
  const json::value* member = find(object, key);
  return member == nullptr || !member->is_array() ? empty_array() : member->get_array();
}

IdMint::IdMint(std::string plan_id, std::string task_key)
    : plan_id_(std::move(plan_id)), task_key_(std::move(task_key)) {}

std::string IdMint::next(std::string_view parent_id, std::string_view title) {
  const std::string item = fmt::format("{}\n{}", parent_id, normalize_name(title));
  const int number = ++used_[item];
  return mint_id(plan_id_, task_key_, fmt::format("{}\n{}", item, number));
}

RefIndex::RefIndex(const json::array& objects, std::string field, std::string alias_field) {
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const std::string value = text(objects[i], field);
    if (!value.empty()) {
      add_unique(exact_, exact_key(value), i);
      add_unique(exact_, folded_key(value), i);
    }
    if (!alias_field.empty()) add_unique(alias_, normalize_name(text(objects[i], alias_field)), i);
  }
}

std::optional<std::size_t> RefIndex::find(std::string_view ref) const {
  if (const auto exact = look_up(exact_, exact_key(ref))) return exact;
  if (const auto folded = look_up(exact_, folded_key(ref))) return folded;
  return look_up(alias_, normalize_name(ref));
}

}  // namespace planexe::plan
