#include <algorithm>

#include "recipe/rules.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {

std::string_view rule_name(RuleKind kind) {
  switch (kind) {
    case RuleKind::len: return "len";
    case RuleKind::words: return "words";
    case RuleKind::unique: return "unique";
    case RuleKind::distinct: return "distinct";
    case RuleKind::nonempty: return "nonempty";
    case RuleKind::between: return "between";
    case RuleKind::one_of: return "one_of";
    case RuleKind::in: return "in";
    case RuleKind::covers: return "covers";
    case RuleKind::matches: return "matches";
    case RuleKind::not_matches: return "not_matches";
    case RuleKind::sums_to: return "sums_to";
    case RuleKind::ordered: return "ordered";
    case RuleKind::max_share: return "max_share";
    case RuleKind::quoted: return "quoted";
    case RuleKind::present: return "present";
    case RuleKind::absent: return "absent";
  }
  return "";
}

std::string place_to_pointer(std::string_view place) {
  std::string pointer;
  while (!place.empty()) {
    if (place.front() == '.' || place.front() == ']') {
      place.remove_prefix(1);
      continue;
    }
    if (place.front() == '[') place.remove_prefix(1);
    const std::size_t end = std::min(place.find_first_of(".[]"), place.size());
    if (end > 0) pointer = pointer_join(pointer, place.substr(0, end));
    place.remove_prefix(end);
  }
  return pointer;
}

}  // namespace planexe::recipe
