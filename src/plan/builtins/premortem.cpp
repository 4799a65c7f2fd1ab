#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"

namespace planexe::plan {
namespace {

using documents::note;

constexpr std::array<std::string_view, 5> kLikelihood{"rare", "unlikely", "possible", "likely", "almost certain"};
constexpr std::array<std::string_view, 5> kImpact{"negligible", "minor", "moderate", "major", "fatal"};

/// When more of at least four failures than this share one class, the classes tell nothing.
constexpr double kOneClassShare = 0.8;
constexpr std::size_t kOneClassLeast = 4;

/// 1..5 for a class, 0 when there is none. Older answers carry the number itself.
int score(const json::value& failure, std::string_view key, const std::array<std::string_view, 5>& classes) {
  const auto* found = std::ranges::find(classes, text(failure, key));
  if (found != classes.end()) return static_cast<int>(found - classes.begin()) + 1;
  const auto number = get_int(failure, fmt::format("{}_5", key));
  return number && *number >= 1 && *number <= 5 ? static_cast<int>(*number) : 0;
}

std::string_view risk_level(int product) {
  if (product >= 15) return "CRITICAL";
  if (product >= 9) return "HIGH";
  return product >= 4 ? "MEDIUM" : "LOW";
}

json::value number_or_null(int value) { return value == 0 ? json::value(nullptr) : json::value(value); }

/// Renumbers and joins the answers of all kinds of failure.
class Joiner {
 public:
  explicit Joiner(BuiltinResult& result) : result_(result) {}

  void add(const json::value& answer, const std::string& archetype) {
    std::map<std::string, std::string> ids;  // id of the answer -> id of the document
    for (const json::value& entry : list(answer, "assumptions_to_kill")) {
      const std::string id = fmt::format("A{}", assumptions_.size() + 1);
      ids.emplace(text(entry, "assumption_id"), id);
      assumptions_.push_back(json::object{{"assumption_id", id},
                                          {"statement", text(entry, "statement")},
                                          {"test_now", text(entry, "test_now")},
                                          {"falsifier", text(entry, "falsifier")}});
    }
    for (const json::value& entry : list(answer, "failure_modes")) {
      const auto cause = ids.find(text(entry, "root_cause_assumption_id"));
      if (cause == ids.end())
        note(result_, "unknown_id", text(entry, "failure_mode_title"),
             "The root cause names no assumption of the list.");
      add_failure(entry, archetype, cause == ids.end() ? std::string() : cause->second);
    }
  }

  void check() {
    check_class("likelihood", kLikelihood);
    check_class("impact", kImpact);
    for (const json::value& assumption : assumptions_) {
      const std::string id = text(assumption, "assumption_id");
      const auto uses = std::ranges::count_if(
          failures_, [&](const json::value& f) { return text(f, "root_cause_assumption_id") == id; });
      if (uses != 1)
        note(result_, "assumption_use", id,
             fmt::format("{} is the root cause of {} failures instead of one.", id, uses));
    }
  }

  json::array take_assumptions() { return std::move(assumptions_); }
  json::array take_failures() { return std::move(failures_); }

 private:
  void add_failure(const json::value& entry, const std::string& archetype, const std::string& cause) {
    const int likelihood = score(entry, "likelihood", kLikelihood);
    const int impact = score(entry, "impact", kImpact);
    failures_.push_back(json::object{{"failure_mode_index", failures_.size() + 1},
                                     {"root_cause_assumption_id", cause},
                                     {"failure_mode_archetype", archetype},
                                     {"failure_mode_title", trim(text(entry, "failure_mode_title"))},
                                     {"risk_analysis", text(entry, "risk_analysis")},
                                     {"early_warning_signs", documents::texts_of(entry, "early_warning_signs")},
                                     {"owner", nullable(entry, "owner")},
                                     {"likelihood_5", number_or_null(likelihood)},
                                     {"impact_5", number_or_null(impact)},
                                     {"likelihood", nullable(entry, "likelihood")},
                                     {"impact", nullable(entry, "impact")},
                                     {"tripwires", documents::texts_of(entry, "tripwires")},
                                     {"playbook", documents::texts_of(entry, "playbook")},
                                     {"stop_rule", nullable(entry, "stop_rule")}});
  }

  static json::value nullable(const json::value& entry, std::string_view key) {
    std::string value = trim(text(entry, key));
    return value.empty() ? json::value(nullptr) : json::value(std::move(value));
  }

  void check_class(std::string_view key, const std::array<std::string_view, 5>& classes) {
    if (failures_.size() < kOneClassLeast) return;
    for (const std::string_view name : classes) {
      const auto count = std::ranges::count_if(failures_, [&](const json::value& f) { return text(f, key) == name; });
      if (static_cast<double>(count) > kOneClassShare * static_cast<double>(failures_.size()))
        note(result_, "one_class", std::string(key),
             fmt::format("{} of {} failures have the {} \"{}\".", count, failures_.size(), key, name));
    }
  }

  BuiltinResult& result_;
  json::array assumptions_;
  json::array failures_;
};

/// A stored failure with the texts that the document shows.
json::object failure_view(const json::value& failure) {
  const int likelihood = static_cast<int>(get_int(failure, "likelihood_5").value_or(0));
  const int impact = static_cast<int>(get_int(failure, "impact_5").value_or(0));
  json::object view = failure.get_object();
  const std::string owner = text(failure, "owner");
  view["id"] = fmt::format("FM{}", get_int(failure, "failure_mode_index").value_or(0));
  view["owner_text"] = owner.empty() ? std::string("Unassigned") : owner;
  if (text(failure, "root_cause_assumption_id").empty()) view["root_cause_assumption_id"] = "unknown";
  if (likelihood == 0 || impact == 0) {
    view["risk_summary"] = view["risk_detail"] = "Not Scored";
    return view;
  }
  const int product = likelihood * impact;
  view["risk_summary"] = fmt::format("{} ({}/25)", risk_level(product), product);
  view["risk_detail"] =
      fmt::format("{} {}/25 (Likelihood {}/5 × Impact {}/5)", risk_level(product), product, likelihood, impact);
  return view;
}

}  // namespace

Result<BuiltinResult> finish_premortem(const BuiltinInput& in) {
  BuiltinResult result;
  Joiner joiner(result);
  json::array gaps;
  for (const json::value& item : step_items(in)) {
    const json::value* element = find(item, "element");
    const std::string archetype = element == nullptr ? text(item, "key") : text(*element, "name");
    if (const json::value* answer = documents::done_answer(item)) {
      joiner.add(*answer, archetype);
    } else {
      gaps.emplace_back(documents::gap_sentence(fmt::format("Failures of the kind {}", archetype), item));
      result.degraded = result.degraded || text(item, "state") == "missing";
    }
  }
  joiner.check();
  json::array assumptions = joiner.take_assumptions();
  json::array failures = joiner.take_failures();
  if (failures.empty()) return fail(ErrorCode::TaskFailed, "Premortem: no failure was described.");
  json::array views;
  for (const json::value& failure : failures) views.push_back(failure_view(failure));
  result.view = json::object{{"assumptions", assumptions}, {"failures", std::move(views)}, {"gaps", std::move(gaps)}};
  result.outputs["raw"] =
      json::object{{"assumptions_to_kill", std::move(assumptions)}, {"failure_modes", std::move(failures)}};
  return result;
}

}  // namespace planexe::plan
