#include "spoil.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace planexe::rehearsal {
namespace {

constexpr std::array<std::string_view, 16> kKinds{"fenced",     "prose_after",  "two_objects", "truncated",  "schema_echo", "wrong_count",
                                                  "duplicates", "unknown_ids",  "placeholders", "all_equal", "min_gt_max",  "missing_key",
                                                  "surplus_key", "wrong_type",  "refusal",     "empty"};

using Visit = std::function<void(std::string_view key, json::value& value)>;

/// Every member and element, parents first.
void visit(json::value& value, const Visit& see, std::string_view key = {}) {
  see(key, value);
  if (value.is_object())
    for (auto& [name, member] : value.as_object()) visit(member, see, name);
  if (value.is_array())
    for (auto& element : value.as_array()) visit(element, see, key);
}

json::array* longest_list(json::value& answer) {
  json::array* longest = nullptr;
  visit(answer, [&](std::string_view, json::value& value) {
    if (value.is_array() && (!longest || value.as_array().size() > longest->size())) longest = &value.as_array();
  });
  return longest;
}

void first_text(json::value& answer, const json::value& replacement) {
  bool done = false;
  visit(answer, [&](std::string_view, json::value& value) {
    if (done || !value.is_string()) return;
    value = replacement;
    done = true;
  });
}

void wrong_count(json::value& answer) {
  if (auto* list = longest_list(answer); list && !list->empty()) list->erase(list->begin() + 1, list->end());
}

void duplicates(json::value& answer) {
  auto* list = longest_list(answer);
  if (!list || list->size() < 2) return;
  (*list)[1] = json::value((*list)[0]);
}

void unknown_ids(json::value& answer, const Request& request) {
  const auto blocks = find_ids(request.user_text);
  visit(answer, [&](std::string_view key, json::value& value) {
    const auto own = std::find_if(blocks.begin(), blocks.end(), [&](const auto& block) { return block.field == key; });
    if (own != blocks.end() && value.is_string()) value = "X999";
  });
}

void all_equal(json::value& answer) {
  std::optional<json::value> number;
  visit(answer, [&](std::string_view, json::value& value) {
    if (value.is_int64()) value = number ? *number : *(number = value);
  });
}

/// Pairs such as days_min and days_max change places, and the larger grows.
void min_above_max(json::value& answer) {
  visit(answer, [](std::string_view, json::value& value) {
    if (!value.is_object()) return;
    for (auto& [key, member] : value.as_object())
      if (std::string_view(key).ends_with("_min") && member.is_int64()) member = member.as_int64() + 1'000'000;
  });
}

std::optional<json::value> changed(std::string_view kind, json::value answer, const Request& request) {
  if (kind == "wrong_count") wrong_count(answer);
  else if (kind == "duplicates") duplicates(answer);
  else if (kind == "unknown_ids") unknown_ids(answer, request);
  else if (kind == "placeholders") first_text(answer, "[insert a name here]");
  else if (kind == "all_equal") all_equal(answer);
  else if (kind == "min_gt_max") min_above_max(answer);
  else if (kind == "wrong_type") first_text(answer, 17);
  else if (kind == "missing_key" && answer.is_object() && !answer.as_object().empty()) answer.as_object().erase(answer.as_object().begin());
  else if (kind == "surplus_key" && answer.is_object()) answer.as_object()["surplus"] = true;
  else return std::nullopt;
  return answer;
}

}  // namespace

bool is_spoiling(std::string_view kind) { return std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end(); }

std::string spoil(std::string_view kind, const std::string& good, const Request& request) {
  if (kind == "empty" || kind == "refusal") return {};
  if (kind == "fenced") return "```json\n" + good + "\n```\n";
  if (kind == "prose_after") return good + "\n\nI hope this is what you wanted.";
  if (kind == "two_objects") return good + "\n" + good;
  if (kind == "truncated") return good.substr(0, good.size() / 2);
  if (kind == "schema_echo") return to_json(request.schema);
  const auto parsed = parse_json(good);
  if (!parsed) return kind == "placeholders" ? "[insert text here]" : good;
  const auto wrong = changed(kind, *parsed, request);
  return wrong ? to_json(*wrong) : good;
}

}  // namespace planexe::rehearsal
