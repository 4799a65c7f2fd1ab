#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

// The eight areas in the order in which they are asked and shown; the enum of answer.schema.json.
constexpr auto kAreas =
    std::to_array<std::string_view>({"funding", "timeline", "resources_personnel", "governance_regulation",
                                     "safety_risk", "environment", "stakeholders", "operational_systems"});

std::size_t area_rank(const json::value& item) {
  return static_cast<std::size_t>(std::ranges::find(kAreas, std::string_view(text(item, "area"))) - kAreas.begin());
}

double to_number(const std::string& value) {
  double number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

// A stated sum that nothing in the plan should exceed.
std::optional<Amount> stated_budget(const json::value& limits) {
  std::optional<Amount> largest;
  if (!limits.is_array()) return largest;
  for (const json::value& limit : limits.get_array()) {
    if (text(limit, "kind") != "budget") continue;
    for (const Amount& amount : amounts_in(text(limit, "value"))) {
      if (!largest || amount.value > largest->value) largest = amount;
    }
  }
  return largest;
}

// A stated length of time with the client's own word for the unit, so that it can be found again in any language.
struct Horizon {
  double length = 0;
  std::string unit;
};

std::optional<Horizon> stated_horizon(const json::value& limits) {
  if (!limits.is_array()) return std::nullopt;
  for (const json::value& limit : limits.get_array()) {
    if (text(limit, "kind") != "horizon") continue;
    const std::string quote = text(limit, "quote");
    const auto numbers = numbers_in(quote);
    const auto words = word_list(quote);
    if (numbers.size() != 1) continue;
    const auto at = std::ranges::find(words, numbers.front());
    if (at != words.end() && at + 1 != words.end()) return Horizon{to_number(numbers.front()), *(at + 1)};
  }
  return std::nullopt;
}

void check_budget(const json::value& item, std::size_t position, const Amount& budget, std::vector<Finding>& findings) {
  for (const Amount& amount : amounts_in(text(item, "assumptions"))) {
    if (amount.currency != budget.currency || amount.value <= budget.value) continue;
    findings.push_back(
        {"over_budget", fmt::format("question_assumption_list[{}].assumptions", position),
         fmt::format("A{} names {:.0f} {}, more than the stated {:.0f} {}. Question: {}", position + 1, amount.value,
                     amount.currency, budget.value, budget.currency, text(item, "question"))});
    return;
  }
}

void check_horizon(const json::value& item, std::size_t position, const Horizon& horizon,
                   std::vector<Finding>& findings) {
  const auto words = word_list(text(item, "assumptions"));
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i + 1] != horizon.unit || numbers_in(words[i]).size() != 1 || to_number(words[i]) <= horizon.length)
      continue;
    findings.push_back({"over_horizon", fmt::format("question_assumption_list[{}].assumptions", position),
                        fmt::format("A{} names {} {}, longer than the stated {:.0f}. Question: {}", position + 1,
                                    words[i], horizon.unit, horizon.length, text(item, "question"))});
    return;
  }
}

json::object clean_item(const json::value& item, std::size_t position) {
  json::object clean = analysis::pick(item, {"question", "assumptions", "assessments", "area", "basis", "verify"});
  clean["ref"] = fmt::format("A{}", position + 1);
  return clean;
}

// Sentences of the distilled answers by assumption, in order.
struct Slip {
  json::array sentences;            // all, as {assumption_id, sentence}
  std::vector<std::string> joined;  // per assumption, for the search for figures
  std::vector<json::array> lists;   // per assumption
};

Slip collect_slip(const BuiltinInput& in, const json::array& assumptions,
                  std::initializer_list<std::string_view> steps) {
  const RefIndex index(assumptions, "ref");
  Slip slip;
  slip.joined.resize(assumptions.size());
  slip.lists.resize(assumptions.size());
  std::set<std::string> seen;
  for (const std::string_view step : steps) {
    const json::value* answer = step_answer(in, step);
    if (answer == nullptr) continue;
    for (const json::value& entry : list(*answer, "assumption_list")) {
      const std::string sentence = trim(text(entry, "sentence"));
      const auto position = index.find(text(entry, "assumption_id"));
      if (sentence.empty() || !position || !seen.insert(normalize_name(sentence)).second) continue;
      slip.joined[*position] += sentence + "\n";
      slip.lists[*position].push_back(json::value(sentence));
    }
  }
  for (std::size_t i = 0; i < assumptions.size(); ++i) {
    for (const json::value& sentence : slip.lists[i]) {
      slip.sentences.push_back(json::object{{"assumption_id", text(assumptions[i], "ref")}, {"sentence", sentence}});
    }
  }
  return slip;
}

// Figures of an assumption that no sentence of the slip repeats.
json::array lost_numbers(const json::value& assumption, const std::string& sentences) {
  const auto there = numbers_in(sentences);
  std::set<std::string> known(there.begin(), there.end());
  json::array lost;
  for (const std::string& number : numbers_in(text(assumption, "assumptions"))) {
    if (known.insert(number).second) lost.push_back(json::value(number));
  }
  return lost;
}

const json::array& clean_assumptions(const BuiltinInput& in) {
  static const json::array empty;
  const json::value& value = read(in, "make_assumptions.clean");
  return value.is_array() ? value.get_array() : empty;
}

}  // namespace

Result<BuiltinResult> make_assumptions(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in));
  std::vector<const json::value*> items;
  for (const json::value& item : list(answer, "question_assumption_list")) items.push_back(&item);
  if (items.empty()) return fail(ErrorCode::TaskFailed, "The answer holds no assumption; retry the task.");
  // All pointers lead into one array, so they keep the order of the answer inside an area.
  std::ranges::sort(items, {}, [](const json::value* item) { return std::pair(area_rank(*item), item); });

  const json::value& limits = read(in, "identify_purpose.raw.stated_limits");
  const auto budget = stated_budget(limits);
  const auto horizon = stated_horizon(limits);
  BuiltinResult result;
  json::array clean;
  json::array stored;
  std::set<std::size_t> areas;
  for (const json::value* item : items) {
    const std::size_t position = clean.size();
    areas.insert(area_rank(*item));
    if (budget) check_budget(*item, position, *budget, result.findings);
    // Elsewhere a longer time may be meant: a guarantee, a lease, how long records are kept.
    if (horizon && text(*item, "area") == "timeline") check_horizon(*item, position, *horizon, result.findings);
    json::object entry{{"item_index", position + 1}};
    for (const auto& member : item->get_object()) entry[member.key()] = member.value();
    stored.push_back(std::move(entry));
    clean.push_back(clean_item(*item, position));
  }
  for (std::size_t i = 0; i < kAreas.size(); ++i) {
    if (!areas.contains(i))
      result.findings.push_back(
          {"area_open", "question_assumption_list", fmt::format("No assumption for the area {}.", kAreas[i])});
  }
  result.outputs["raw"] = json::object{{"question_assumption_list", std::move(stored)}};
  result.outputs["clean"] = std::move(clean);
  return result;
}

Result<BuiltinResult> distill_lost(const BuiltinInput& in) {
  const json::array& assumptions = clean_assumptions(in);
  const Slip slip = collect_slip(in, assumptions, {"distill"});
  json::array items;
  for (std::size_t i = 0; i < assumptions.size(); ++i) {
    json::array numbers = lost_numbers(assumptions[i], slip.joined[i]);
    if (numbers.empty() && !slip.lists[i].empty()) continue;
    if (slip.lists[i].empty()) numbers.clear();
    items.push_back(json::object{{"ref", text(assumptions[i], "ref")},
                                 {"assumptions", text(assumptions[i], "assumptions")},
                                 {"numbers", std::move(numbers)},
                                 {"sentences", slip.lists[i]}});
  }
  BuiltinResult result;
  result.answer = json::object{{"items", std::move(items)}};
  return result;
}

Result<BuiltinResult> distill_assumptions(const BuiltinInput& in) {
  const json::array& assumptions = clean_assumptions(in);
  Slip slip = collect_slip(in, assumptions, {"distill", "again"});
  if (slip.sentences.empty())
    return fail(ErrorCode::TaskFailed, "No sentence belongs to an assumption; retry the task.");
  BuiltinResult result;
  for (std::size_t i = 0; i < assumptions.size(); ++i) {
    const std::string ref = text(assumptions[i], "ref");
    if (slip.lists[i].empty()) {
      result.findings.push_back({"assumption_lost", "assumption_list", ref + " has no sentence on the slip."});
      continue;
    }
    const json::array lost = lost_numbers(assumptions[i], slip.joined[i]);
    if (!lost.empty())
      result.findings.push_back(
          {"number_lost", "assumption_list", fmt::format("Figures of {} that got lost: {}", ref, to_json(lost))});
  }
  json::array sentences;
  for (const json::value& entry : slip.sentences) sentences.push_back(json::value(text(entry, "sentence")));
  result.outputs["raw"] =
      json::object{{"assumption_list", std::move(sentences)}, {"sources", std::move(slip.sentences)}};
  return result;
}

}  // namespace planexe::plan
