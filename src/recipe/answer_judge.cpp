#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "recipe/answer.hpp"
#include "recipe/rules.hpp"

namespace planexe::recipe {
namespace {

constexpr int kSchemaRunsMax = 8;
constexpr std::size_t kSchemaErrorsMax = 200;  // per run, when each error may cost one element
constexpr int kRuleRunsMax = 32;  // each run drops at least one element; more rotten lists are not worth saving

json::array* list_at(json::value& value, const Path& path) {
  json::value* current = &value;
  for (const Path::Step& step : path.steps) {
    if (!current->is_object()) return nullptr;
    const auto found = current->get_object().find(step.name);
    if (found == current->get_object().end()) return nullptr;
    current = &found->value();
  }
  return current->is_array() ? &current->get_array() : nullptr;
}

/// An object that has only the list at the path.
json::value object_with_list(const Path& path, json::array list) {
  json::value value = std::move(list);
  for (auto step = path.steps.rbegin(); step != path.steps.rend(); ++step) {
    json::object outer;
    outer[step->name] = std::move(value);
    value = std::move(outer);
  }
  return value;
}

std::string pointer_of(const Path& path) {
  std::string pointer;
  for (const Path::Step& step : path.steps) pointer += "/" + step.name;
  return pointer;
}

std::string key_text(const json::value& value) { return value.is_string() ? trim(value.get_string()) : to_json(value); }

AnswerProblem make_problem(bool is_assert, std::string rule, std::string pointer, std::string message) {
  return {is_assert, std::move(rule), std::move(pointer), std::move(message), ""};
}

void asserts_first(std::vector<AnswerProblem>& problems) {
  std::vector<AnswerProblem> sorted;
  for (const bool wanted : {true, false})
    for (AnswerProblem& problem : problems)
      if (problem.is_assert == wanted) sorted.push_back(std::move(problem));
  problems = std::move(sorted);
}

/// Judges one JSON answer. With a `complete` list, elements stand and fall one by one.
class Judge {
 public:
  Judge(const Step& step, json::value value, const Scope& scope, const json::array& kept, bool salvaged)
      : step_(step), scope_(scope), kept_(kept), salvaged_(salvaged) {
    verdict_.value = std::move(value);
  }

  AnswerVerdict run() {
    add(check_standing_rules(step_.schema, verdict_.value));
    const bool echo = std::ranges::any_of(
        verdict_.problems, [](const AnswerProblem& p) { return p.rule == "schema_echo" && p.pointer.empty(); });
    if (!echo) add(validate_schema(step_.schema, verdict_.value));
    if (!echo && step_.complete && list_at(verdict_.value, step_.complete->list))
      judge_list();
    else if (asserts().empty())
      add(check_rules(step_.rules, verdict_.value, scope_));
    asserts_first(verdict_.problems);
    return std::move(verdict_);
  }

 private:
  void add(std::vector<AnswerProblem> problems) { std::ranges::move(problems, std::back_inserter(verdict_.problems)); }

  std::vector<const AnswerProblem*> asserts() const {
    std::vector<const AnswerProblem*> out;
    for (const AnswerProblem& problem : verdict_.problems)
      if (problem.is_assert) out.push_back(&problem);
    return out;
  }

  const CompleteSpec& spec() const { return *step_.complete; }

  /// Number of the list element that a problem lies in, if it lies in one.
  std::optional<std::size_t> element_of(const AnswerProblem& problem) const {
    const std::string prefix = pointer_of(spec().list) + "/";
    if (!problem.pointer.starts_with(prefix)) return {};
    const std::string rest = problem.pointer.substr(prefix.size());
    if (rest.empty() || rest.front() < '0' || rest.front() > '9') return {};
    return static_cast<std::size_t>(std::stoul(rest.substr(0, 9)));
  }

  bool about_list(const AnswerProblem& problem) const { return problem.pointer.starts_with(pointer_of(spec().list)); }

  void judge_list() {
    std::vector<AnswerProblem> dropped;
    // One run reports a limited number of errors; what is left in the end keeps the answer from being partial.
    for (int run = 0; run < kSchemaRunsMax; ++run) {
      const std::size_t before = dropped.size();
      drop_bad_elements(dropped, verdict_.problems, 0);
      if (dropped.size() == before) break;
      std::erase_if(verdict_.problems, [](const AnswerProblem& problem) { return problem.rule == "schema"; });
      add(validate_schema(step_.schema, verdict_.value, kSchemaErrorsMax));
    }
    const bool unclear =
        std::ranges::any_of(asserts(), [&](const AnswerProblem* problem) { return element_of(*problem).has_value(); });
    if (unclear) return;
    if (!asserts().empty() && !salvaged_) return add(std::move(dropped));
    merge_kept();
    apply_rules(dropped);
    count_missing();
    if (!verdict_.missing.empty()) return become_partial(std::move(dropped));
    // Enough good entries are there without the bad ones. When nobody knows what is enough, the bad ones must be
    // repaired.
    const bool enough = wanted_known_ || spec().count > 0;
    for (AnswerProblem& problem : dropped) problem.is_assert = !enough;
    add(std::move(dropped));
  }

  /// Moves the problems that lie in elements from `problems` to `dropped` and removes these elements; those before
  /// `first` were accepted earlier and stay.
  void drop_bad_elements(std::vector<AnswerProblem>& dropped, std::vector<AnswerProblem>& problems, std::size_t first) {
    std::set<std::size_t> bad;
    std::erase_if(problems, [&](AnswerProblem& problem) {
      const auto element = element_of(problem);
      if (!problem.is_assert || !element || *element < first) return false;
      bad.insert(*element);
      dropped.push_back(std::move(problem));
      return true;
    });
    json::array* list = list_at(verdict_.value, spec().list);
    for (auto index = bad.rbegin(); index != bad.rend(); ++index)
      if (*index < list->size()) list->erase(list->begin() + static_cast<std::ptrdiff_t>(*index));
  }

  /// Kept elements first, then the new ones that are wanted and not there yet.
  void merge_kept() {
    wanted_ = wanted_keys();
    json::array* list = list_at(verdict_.value, spec().list);
    json::array merged;
    std::set<std::string> seen;
    for (const json::value& element : kept_) add_element(merged, seen, element, true);
    kept_count_ = merged.size();
    for (const json::value& element : *list) add_element(merged, seen, element, false);
    if (!kept_.empty() && spec().count > 0)
      while (merged.size() > std::max<std::size_t>(static_cast<std::size_t>(spec().count), kept_count_))
        merged.pop_back();
    *list = std::move(merged);
  }

  void add_element(json::array& merged, std::set<std::string>& seen, const json::value& element, bool trusted) {
    const json::value* field = spec().key.empty() ? nullptr : find(element, spec().key);
    if (field) {
      const std::string key = key_text(*field);
      const std::string same = spec().expect ? key : normalize_name(key);
      const bool unknown = wanted_known_ && std::ranges::find(wanted_, key) == wanted_.end();
      // Duplicates are left to the rules on a first, undivided answer: with `count` they may be wanted to be repaired
      // there.
      const bool twice = !seen.insert(same).second && (spec().expect || !kept_.empty());
      if (!trusted && (unknown || twice)) {
        const std::string why = unknown ? "is not wanted" : "occurs twice";
        verdict_.problems.push_back(
            make_problem(false, "complete", pointer_of(spec().list),
                         fmt::format("the entry \"{}\" {} and was left out", cut_code_points(key, 60), why)));
        return;
      }
    }
    merged.push_back(element);
  }

  std::vector<std::string> wanted_keys() {
    std::vector<std::string> keys;
    if (!spec().expect) return keys;
    auto value = resolve(*spec().expect, scope_);
    if (!value || !value->is_array()) {
      verdict_.problems.push_back(
          make_problem(false, "complete", pointer_of(spec().list),
                       fmt::format("the wanted entries are not known: {}", value ? "no list" : value.error().message)));
      return keys;
    }
    wanted_known_ = true;
    for (const json::value& key : value->get_array()) keys.push_back(key_text(key));
    return keys;
  }

  /// Runs the rules; elements that they condemn are dropped like those that the schema condemns. One run reports a few
  /// problems per rule, hence the repetition.
  void apply_rules(std::vector<AnswerProblem>& dropped) {
    for (int run = 0; run < kRuleRunsMax; ++run) {
      std::vector<AnswerProblem> found = check_rules(step_.rules, verdict_.value, scope_);
      const std::size_t before = dropped.size();
      drop_bad_elements(dropped, found, kept_count_);
      if (dropped.size() > before && run + 1 < kRuleRunsMax) continue;
      return add(std::move(found));
    }
  }

  void count_missing() {
    json::array* list = list_at(verdict_.value, spec().list);
    if (spec().count > 0)
      for (std::size_t i = list->size(); i < static_cast<std::size_t>(spec().count); ++i)
        verdict_.missing.push_back(fmt::format("#{}", i + 1));
    std::set<std::string> have;
    for (const json::value& element : *list)
      if (const json::value* field = find(element, spec().key)) have.insert(key_text(*field));
    for (const std::string& key : wanted_)
      if (!have.contains(key)) verdict_.missing.push_back(key);
    if (wanted_known_) sort_as_wanted(*list);
  }

  void sort_as_wanted(json::array& list) const {
    std::map<std::string, std::size_t> position;
    for (const std::string& key : wanted_) position.emplace(key, position.size());
    std::vector<std::pair<std::size_t, json::value>> entries;
    for (json::value& element : list) {
      const json::value* field = find(element, spec().key);
      const auto found = field ? position.find(key_text(*field)) : position.end();
      entries.emplace_back(found == position.end() ? position.size() : found->second, std::move(element));
    }
    std::ranges::sort(entries, {}, [](const auto& entry) { return entry.first; });
    list.clear();
    for (auto& [at, element] : entries) list.push_back(std::move(element));
  }

  void become_partial(std::vector<AnswerProblem> dropped) {
    const std::size_t have = list_at(verdict_.value, spec().list)->size();
    bool elsewhere = false;
    for (const AnswerProblem* problem : asserts()) elsewhere = elsewhere || !about_list(*problem);
    verdict_.partial = have > 0 && (!elsewhere || salvaged_);
    verdict_.degraded =
        verdict_.partial && !elsewhere && spec().degraded && have >= static_cast<std::size_t>(spec().min);
    // What holds for the whole list cannot hold while entries are missing.
    if (verdict_.partial)
      std::erase_if(verdict_.problems,
                    [&](const AnswerProblem& p) { return p.is_assert && about_list(p) && !element_of(p); });
    std::ranges::move(dropped, std::back_inserter(verdict_.problems));
    const std::string keys = cut_code_points(fmt::format("{}", fmt::join(verdict_.missing, ", ")), 600);
    verdict_.problems.insert(verdict_.problems.begin(), make_problem(true, "complete", pointer_of(spec().list),
                                                                     fmt::format("entries are missing: {}", keys)));
  }

  const Step& step_;
  const Scope& scope_;
  const json::array& kept_;
  bool salvaged_;
  AnswerVerdict verdict_;
  std::vector<std::string> wanted_;
  bool wanted_known_ = false;
  std::size_t kept_count_ = 0;
};

AnswerVerdict judge_text(const Step& step, json::value value, const Scope& scope) {
  AnswerVerdict verdict;
  if (!value.is_string() || trim(value.get_string()).empty()) {
    verdict.problems.push_back(make_problem(true, "nonempty", "", "the answer is empty; write the text"));
    verdict.value = std::move(value);
    return verdict;
  }
  const json::value document = json::object{{"answer", value}};
  verdict.problems = check_rules(step.rules, document, scope);
  asserts_first(verdict.problems);
  verdict.value = std::move(value);
  return verdict;
}

/// A text answer without the fence that some models put around everything.
std::string clean_text(std::string_view text) {
  std::string out = trim(text);
  if (!out.starts_with("```") || !out.ends_with("```") || out.size() < 8) return out;
  const std::size_t line = out.find('\n');
  const bool only_fence = line != std::string::npos && out.find("```", line) == out.size() - 3;
  return only_fence ? trim(std::string_view(out).substr(line, out.size() - 3 - line)) : out;
}

}  // namespace

bool AnswerVerdict::accepted() const {
  return std::ranges::none_of(problems, [](const AnswerProblem& problem) { return problem.is_assert; });
}

AnswerVerdict judge_value(const Task&, const Step& step, json::value value, const Scope& scope,
                          const json::array& kept) {
  if (step.text_answer) return judge_text(step, std::move(value), scope);
  return Judge(step, std::move(value), scope, kept, false).run();
}

AnswerVerdict judge_answer(const Task& task, const Step& step, std::string_view text, const Scope& scope,
                           const json::array& kept) {
  if (step.text_answer) return judge_text(step, json::value(to_valid_utf8(clean_text(text))), scope);
  auto value = read_json_answer(text);
  if (value) return judge_value(task, step, *std::move(value), scope, kept);
  if (step.complete) {
    json::array saved = salvage_list(text, step.complete->list);
    if (!saved.empty() || !kept.empty())
      return Judge(step, object_with_list(step.complete->list, std::move(saved)), scope, kept, true).run();
  }
  AnswerVerdict verdict;
  verdict.problems.push_back(make_problem(true, "json", "", value.error().message));
  return verdict;
}

json::array kept_elements(const Step& step, const AnswerVerdict& verdict) {
  if (!step.complete) return {};
  json::value copy = verdict.value;
  const json::array* list = list_at(copy, step.complete->list);
  return list ? *list : json::array();
}

}  // namespace planexe::recipe
