#include "recipe/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include <re2/re2.h>

#include "base/text.hpp"
#include "recipe/rule_selection.hpp"
#include "recipe/words.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kProblemsPerRule = 5;  // the sixth says nothing new
constexpr std::size_t kPairsMax = 400;       // `distinct` compares all pairs; longer lists than this are not seen
constexpr std::size_t kShareFrom = 4;        // below four values a share says nothing
constexpr double kTiny = 1e-9;

std::string number(double value) {
  return to_json(value == std::trunc(value) && std::abs(value) < 9e15 ? json::value(static_cast<std::int64_t>(value))
                                                                      : json::value(value));
}

std::string range_text(double min, double max) {
  if (min == max) return "exactly " + number(min);
  if (std::isinf(max)) return "at least " + number(min);
  return number(min) + " to " + number(max);
}

std::string shown(const json::value& value) { return cut_code_points(to_json(value), 60); }

std::string key_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : canonical_json(value);
}

bool empty_text(const json::value& value) { return value.is_string() && trim(value.get_string()).empty(); }

/// Expressions of rules stay compiled: a recipe has a fixed number of them. Safe from any thread.
const RE2& compiled(const std::string& expression) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<const RE2>> all;
  const std::lock_guard lock(mutex);
  auto& slot = all[expression];
  if (!slot) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    slot = std::make_unique<const RE2>(expression, quiet);
  }
  return *slot;
}

class RuleChecker {
 public:
  RuleChecker(const Rule& rule, const json::value& answer, const Scope& scope, std::vector<AnswerProblem>& out)
      : rule_(rule), answer_(answer), scope_(scope), out_(out) {}

  void run() {
    const std::vector<Located> values = selected_values(rule_, answer_);
    switch (rule_.kind) {
      case RuleKind::unique: return each_group(values, &RuleChecker::unique);
      case RuleKind::distinct: return each_group(values, &RuleChecker::distinct);
      case RuleKind::sums_to: return each_group(values, &RuleChecker::sums_to);
      case RuleKind::max_share: return each_group(values, &RuleChecker::max_share);
      case RuleKind::covers:
        if (read_reference()) each_group(values, &RuleChecker::covers);
        return;
      case RuleKind::in:
        if (!read_reference()) return;
        break;
      case RuleKind::quoted:
        if (!read_prompt()) return;
        break;
      default: break;
    }
    for (const Located& value : values) one(value);
  }

 private:
  void report(const std::string& place, const std::string& generated) {
    if (++reported_ > kProblemsPerRule) return;
    out_.push_back({rule_.is_assert, std::string(rule_name(rule_.kind)), place_to_pointer(place),
                    rule_.message.empty() ? generated : rule_.message, rule_.path.text});
  }

  /// Lists are checked element by element, except where the rule is about the list.
  void one(const Located& value) {
    const bool about_list = rule_.kind == RuleKind::len || rule_.kind == RuleKind::nonempty ||
                            rule_.kind == RuleKind::present || rule_.kind == RuleKind::absent;
    if (!value.value->is_array() || about_list) return check(value);
    const json::array& list = value.value->get_array();
    for (std::size_t i = 0; i < list.size(); ++i) one({fmt::format("{}[{}]", value.place, i), &list[i]});
  }

  void check(const Located& at) {
    const json::value& value = *at.value;
    if (rule_.kind == RuleKind::present || rule_.kind == RuleKind::absent) return presence(at);
    if (value.is_null()) return;
    switch (rule_.kind) {
      case RuleKind::len: return length(at);
      case RuleKind::words: return words(at);
      case RuleKind::nonempty:
        if (empty_text(value) || (value.is_array() && value.get_array().empty())) report(at.place, "must not be empty");
        return;
      case RuleKind::between: return between(at);
      case RuleKind::one_of:
        if (!value.is_string() ||
            std::ranges::find(rule_.values, std::string_view(value.get_string())) == rule_.values.end())
          report(at.place, fmt::format("{} is not one of {}", shown(value), fmt::join(rule_.values, ", ")));
        return;
      case RuleKind::in:
        if (!reference_.contains(key_of(value)))
          report(at.place, fmt::format("{} is not one of {}", shown(value), reference_list()));
        return;
      case RuleKind::matches:
      case RuleKind::not_matches: return pattern(at);
      case RuleKind::ordered: return ordered(at);
      case RuleKind::quoted:
        if (value.is_string() && !prompt_.contains(without_spaces(value.get_string())))
          report(at.place, "is no literal quote from the client's request");
        return;
      default: return;
    }
  }

  void presence(const Located& at) {
    const json::value& value = *at.value;
    const bool absent = value.is_null() || (value.is_bool() && !value.get_bool());
    if (rule_.kind == RuleKind::present && value.is_null()) report(at.place, "must be filled, not null");
    if (rule_.kind == RuleKind::absent && !absent) report(at.place, "must be null here");
  }

  void length(const Located& at) {
    const json::value& value = *at.value;
    if (value.is_array()) {
      const auto size = static_cast<double>(value.get_array().size());
      if (size < rule_.min || size > rule_.max)
        report(at.place, fmt::format("has {} entries; wanted are {}", number(size), range_text(rule_.min, rule_.max)));
    } else if (value.is_string()) {
      const auto size = static_cast<double>(code_points(value.get_string()));
      if (size < rule_.min || size > rule_.max)
        report(at.place,
               fmt::format("has {} characters; wanted are {}", number(size), range_text(rule_.min, rule_.max)));
    }
  }

  void words(const Located& at) {
    if (!at.value->is_string()) return;
    const auto count = static_cast<double>(word_count(at.value->get_string()));
    if (count < rule_.min || count > rule_.max)
      report(at.place, fmt::format("has {} words; wanted are {}", number(count), range_text(rule_.min, rule_.max)));
  }

  void between(const Located& at) {
    if (!at.value->is_number()) return;
    const auto value = at.value->to_number<double>();
    if (value < rule_.min || value > rule_.max)
      report(at.place, fmt::format("is {}; wanted is {}", number(value), range_text(rule_.min, rule_.max)));
  }

  void pattern(const Located& at) {
    if (!at.value->is_string() || rule_.values.empty()) return;
    const json::string& text = at.value->get_string();
    const bool found = RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled(rule_.values.front()));
    if (found != (rule_.kind == RuleKind::matches))
      report(at.place, fmt::format("{} {} the form {}", shown(*at.value), found ? "must not have" : "does not have",
                                   rule_.values.front()));
  }

  void ordered(const Located& at) {
    const json::value* last = nullptr;
    std::string last_name;
    for (const std::string& name : rule_.values) {
      const json::value* field = find(*at.value, name);
      if (!field || !field->is_number()) continue;
      if (last && field->to_number<double>() < last->to_number<double>())
        return report(at.place, fmt::format("{} is {}, but {} is only {}; they must not fall", last_name, shown(*last),
                                            name, shown(*field)));
      last = field;
      last_name = name;
    }
  }

  using Group = std::vector<Located>;

  /// All values together, or, where the path ends at lists, each list by itself.
  void each_group(const std::vector<Located>& values,
                  void (RuleChecker::*check_group)(const Group&, const std::string&)) {
    Group together;
    for (const Located& value : values) {
      if (!value.value->is_array()) {
        together.push_back(value);
        continue;
      }
      Group group;
      const json::array& list = value.value->get_array();
      for (std::size_t i = 0; i < list.size(); ++i) group.push_back({fmt::format("{}[{}]", value.place, i), &list[i]});
      (this->*check_group)(group, value.place);
    }
    const bool all_lists = together.empty() && !values.empty();
    if (!all_lists && (!together.empty() || rule_.kind == RuleKind::covers))
      (this->*check_group)(together, list_place(rule_.path));
  }

  void unique(const Group& group, const std::string&) {
    std::map<std::string, std::string> seen;
    for (const Located& value : group) {
      if (value.value->is_null()) continue;
      const std::string key =
          value.value->is_string() ? normalize_name(value.value->get_string()) : canonical_json(*value.value);
      const auto [first, fresh] = seen.emplace(key, value.place);
      if (!fresh)
        report(value.place,
               fmt::format("{} stands at {} already; each may occur once", shown(*value.value), first->second));
    }
  }

  void distinct(const Group& group, const std::string&) {
    std::vector<std::set<std::string>> sets;
    for (const Located& value : group)
      sets.push_back(value.value->is_string() ? word_set(value.value->get_string()) : std::set<std::string>());
    const std::size_t count = std::min(sets.size(), kPairsMax);
    for (std::size_t i = 1; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const double share = overlap(sets[i], sets[j]);
        if (share <= rule_.min + kTiny) continue;
        report(group[i].place, fmt::format("says nearly the same as {} ({} % of the words)", group[j].place,
                                           static_cast<int>(share * 100)));
        break;
      }
    }
  }

  void sums_to(const Group& group, const std::string& place) {
    double sum = 0;
    for (const Located& value : group)
      if (value.value->is_number()) sum += value.value->to_number<double>();
    if (std::abs(sum - rule_.min) > rule_.max + kTiny)
      report(place, fmt::format("the numbers add up to {}; wanted is {}", number(sum), number(rule_.min)));
  }

  void max_share(const Group& group, const std::string& place) {
    std::map<std::string, std::size_t> counts;
    std::size_t total = 0;
    for (const Located& value : group) {
      if (value.value->is_null()) continue;
      ++total;
      ++counts[key_of(*value.value)];
    }
    if (total < kShareFrom) return;
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    const double share = static_cast<double>(most->second) / static_cast<double>(total);
    if (share > rule_.max + kTiny)
      report(place, fmt::format("{} of {} are \"{}\"; no value may take more than {} %", most->second, total,
                                cut_code_points(most->first, 40), number(std::round(rule_.max * 100))));
  }

  void covers(const Group& group, const std::string& place) {
    std::set<std::string> seen;
    for (const Located& value : group) {
      if (value.value->is_null()) continue;
      const std::string key = key_of(*value.value);
      if (!reference_.contains(key))
        report(value.place, fmt::format("{} is not one of {}", shown(*value.value), reference_list()));
      else if (!seen.insert(key).second)
        report(value.place, fmt::format("{} occurs twice", shown(*value.value)));
    }
    std::vector<std::string> missing;
    for (const std::string& key : order_)
      if (!seen.contains(key)) missing.push_back(key);
    if (!missing.empty())
      report(place, fmt::format("missing: {}", cut_code_points(fmt::format("{}", fmt::join(missing, ", ")), 300)));
  }

  /// False: the values to compare with are not known.
  bool read_reference() {
    if (!rule_.reference) return false;
    Scope inner(&scope_);
    inner.set("answer", &answer_);
    auto value = resolve(*rule_.reference, inner);
    if (!value) {
      out_.push_back({false, std::string(rule_name(rule_.kind)), place_to_pointer(list_place(rule_.path)),
                      fmt::format("cannot be checked: {}", value.error().message), rule_.path.text});
      return false;
    }
    if (value->is_null()) return false;
    const auto add = [&](const json::value& one) {
      if (!one.is_null() && reference_.insert(key_of(one)).second) order_.push_back(key_of(one));
    };
    if (value->is_array())
      std::ranges::for_each(value->get_array(), add);
    else
      add(*value);
    return true;
  }

  std::string reference_list() const { return cut_code_points(fmt::format("{}", fmt::join(order_, ", ")), 400); }

  /// False: there is no prompt to quote from.
  bool read_prompt() {
    const json::value* plan = scope_.root("plan");
    const auto prompt = plan ? get_string(*plan, "prompt") : std::nullopt;
    prompt_ = without_spaces(prompt.value_or(""));
    return prompt.has_value();
  }

  const Rule& rule_;
  const json::value& answer_;
  const Scope& scope_;
  std::vector<AnswerProblem>& out_;
  std::set<std::string> reference_;
  std::vector<std::string> order_;  // the reference in its own order, for messages
  std::string prompt_;
  std::size_t reported_ = 0;
};

}  // namespace

std::vector<AnswerProblem> check_rules(const std::vector<Rule>& rules, const json::value& answer, const Scope& scope) {
  std::vector<AnswerProblem> problems;
  for (const Rule& rule : rules) RuleChecker(rule, answer, scope, problems).run();
  return problems;
}

}  // namespace planexe::recipe
