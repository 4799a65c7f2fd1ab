#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

// Levers that the scenarios set.
constexpr std::size_t kVitalLevers = 5;
constexpr auto kClasses = std::to_array<std::string_view>({"Critical", "High", "Medium", "Low"});
// Synergy and conflict texts of one lever that share this share of their words say the same.
constexpr double kCopiedText = 0.7;

const json::array& array_or_empty(const json::value& value) {
  static const json::array empty;
  return value.is_array() ? value.get_array() : empty;
}

const json::value* entry_for(const std::map<std::size_t, const json::value*>& entries, std::size_t position) {
  const auto found = entries.find(position);
  return found == entries.end() ? nullptr : found->second;
}

std::size_t class_rank(std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(kClasses, name) - kClasses.begin());
}

void check_ties(const json::array& levers, std::size_t position, std::string_view field,
                std::vector<Finding>& findings) {
  const std::string said = normalize_name(text(levers[position], field));
  if (said.empty()) return;
  bool names_other = false;
  for (std::size_t i = 0; i < levers.size(); ++i) {
    const bool named = said.find(normalize_name(text(levers[i], "name"))) != std::string::npos;
    names_other = names_other || (named && i != position);
  }
  if (!names_other && levers.size() > 1) {
    findings.push_back({"names_no_lever", fmt::format("characterized_levers[{}].{}", position, field),
                        fmt::format("{} names no other lever of the list.", text(levers[position], "ref"))});
  }
}

void check_copied(const json::value& lever, std::size_t position, std::vector<Finding>& findings) {
  if (word_overlap(text(lever, "synergy_text"), text(lever, "conflict_text")) < kCopiedText) return;
  findings.push_back({"copied", fmt::format("characterized_levers[{}].conflict_text", position),
                      text(lever, "ref") + ": synergy and conflict say nearly the same."});
}

std::map<std::size_t, const json::value*> characterizations(const BuiltinInput& in, const json::array& levers) {
  const RefIndex index(levers, "ref", "name");
  std::map<std::size_t, const json::value*> found;
  for (const json::value& item : step_items(in)) {
    const json::value* answer = find(item, "answer");
    if (answer == nullptr) continue;
    for (const json::value& entry : list(*answer, "characterizations")) {
      if (const auto position = index.find(text(entry, "lever_id"))) found.emplace(*position, &entry);
    }
  }
  return found;
}

const json::value* rating_answer(const BuiltinInput& in) {
  const json::value* again = step_answer(in, "again");
  return again != nullptr ? again : step_answer(in, "rate");
}

struct Rating {
  std::size_t rank = kClasses.size();
  std::size_t order = 0;  // in the ranking; decides inside a class
  std::size_t lever = 0;
  std::string justification;
};

// Places of the levers in the answer's ranking; levers that it leaves out come after, in the order of the answer.
std::map<std::size_t, std::size_t> ranking_of(const json::value& answer, const RefIndex& index) {
  std::map<std::size_t, std::size_t> places;
  for (const json::value& id : list(answer, "ranking")) {
    if (!id.is_string()) continue;
    if (const auto position = index.find(std::string_view(id.get_string()))) places.emplace(*position, places.size());
  }
  return places;
}

// One rating per lever, in the order of the answer; unknown and repeated ids are left out, unrated levers follow as
// Low.
std::vector<Rating> ratings_of(const json::value& answer, const json::array& levers, std::vector<Finding>& findings) {
  const RefIndex index(levers, "ref", "name");
  const auto places = ranking_of(answer, index);
  const auto order = [&](std::size_t lever, std::size_t at) {
    return places.contains(lever) ? places.at(lever) : levers.size() + at;
  };
  std::vector<Rating> ratings;
  std::set<std::size_t> rated;
  for (const json::value& entry : list(answer, "lever_assessments")) {
    auto position = index.find(text(entry, "lever_id"));
    if (!position) position = index.find(text(entry, "lever_name"));
    if (!position || !rated.insert(*position).second) {
      findings.push_back({"unknown_id", "lever_assessments",
                          fmt::format("Left out: \"{}\" is unknown or rated twice.", text(entry, "lever_id"))});
      continue;
    }
    const std::size_t rank = std::min(class_rank(text(entry, "strategic_importance")), kClasses.size() - 1);
    ratings.push_back({rank, order(*position, ratings.size()), *position, text(entry, "justification")});
  }
  for (std::size_t i = 0; i < levers.size(); ++i) {
    if (rated.contains(i)) continue;
    findings.push_back({"unrated", "lever_assessments", text(levers[i], "ref") + " was not rated and counts as Low."});
    ratings.push_back({kClasses.size() - 1, order(i, ratings.size()), i, {}});
  }
  return ratings;
}

json::object vital_lever(const json::value& lever, const Rating& rating) {
  json::object result = lever.is_object() ? lever.get_object() : json::object{};
  result.erase("deduplication_justification");
  result["strategic_importance"] = kClasses[rating.rank];
  return result;
}

std::string or_not_available(std::string value) { return value.empty() ? std::string("not available") : value; }

json::object decision_view(const json::value& lever, std::size_t number, const json::value* assessment) {
  json::object view{{"number", number}};
  for (const std::string_view key : {"name", "lever_id", "ref"}) view[key] = text(lever, key);
  for (const std::string_view key : {"description", "consequences", "review", "synergy_text", "conflict_text"})
    view[key] = or_not_available(text(lever, key));
  view["options"] = list(lever, "options");
  view["importance"] = assessment == nullptr ? std::string{} : text(*assessment, "strategic_importance");
  view["justification"] = or_not_available(assessment == nullptr ? std::string{} : text(*assessment, "justification"));
  return view;
}

const json::value* assessment_of(const json::array& assessments, const json::value& lever) {
  for (const json::value& assessment : assessments) {
    const std::string id = text(assessment, "lever_id");
    if (!id.empty() && (id == text(lever, "lever_id") || id == text(lever, "ref"))) return &assessment;
  }
  return nullptr;
}

}  // namespace

Result<BuiltinResult> enrich_levers(const BuiltinInput& in) {
  const json::array& levers = array_or_empty(read(in, "deduplicate_levers.raw.deduplicated_levers"));
  const auto texts = characterizations(in, levers);
  BuiltinResult result;
  json::array enriched;
  for (std::size_t i = 0; i < levers.size(); ++i) {
    json::object lever = levers[i].is_object() ? levers[i].get_object() : json::object{};
    const json::value* entry = entry_for(texts, i);
    for (const std::string_view key : {"description", "synergy_text", "conflict_text"}) {
      lever[key] = entry == nullptr ? json::value(nullptr) : json::value(text(*entry, key));
    }
    lever["incomplete"] = entry == nullptr;
    if (entry == nullptr) {
      result.degraded = true;
      result.findings.push_back(
          {"incomplete", fmt::format("characterized_levers[{}]", i), text(levers[i], "ref") + " has no description."});
    }
    enriched.push_back(std::move(lever));
  }
  for (std::size_t i = 0; i < enriched.size(); ++i) {
    check_ties(enriched, i, "synergy_text", result.findings);
    check_ties(enriched, i, "conflict_text", result.findings);
    check_copied(enriched[i], i, result.findings);
  }
  result.outputs["raw"] = json::object{{"characterized_levers", std::move(enriched)}};
  return result;
}

Result<BuiltinResult> focus_levers_spread(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "rate"));
  std::set<std::string> classes;
  const json::array& assessments = list(answer, "lever_assessments");
  for (const json::value& entry : assessments) classes.insert(text(entry, "strategic_importance"));
  BuiltinResult result;
  // With one to three levers a single class is no sign of carelessness.
  const bool flat = assessments.size() > 3 && classes.size() == 1;
  result.answer = json::object{{"flat", flat}, {"only_class", classes.size() == 1 ? *classes.begin() : std::string{}}};
  return result;
}

Result<BuiltinResult> focus_on_vital_few_levers(const BuiltinInput& in) {
  const json::array& levers = array_or_empty(read(in, "enrich_levers.raw.characterized_levers"));
  const json::value* answer = rating_answer(in);
  if (levers.empty() || answer == nullptr)
    return fail(ErrorCode::Internal, "Rating levers needs the levers and an answer.");
  BuiltinResult result;
  std::vector<Rating> ratings = ratings_of(*answer, levers, result.findings);

  json::array assessments;
  for (const Rating& rating : ratings) {
    const json::value& lever = levers[rating.lever];
    assessments.push_back(json::object{{"lever_id", text(lever, "lever_id")},
                                       {"ref", text(lever, "ref")},
                                       {"lever_name", text(lever, "name")},
                                       {"justification", rating.justification},
                                       {"strategic_importance", kClasses[rating.rank]}});
  }
  std::ranges::sort(ratings, {}, [](const Rating& rating) { return std::pair(rating.rank, rating.order); });
  if (ratings.size() > 3 && ratings.front().rank == ratings.back().rank) {
    result.findings.push_back(
        {"one_class", "lever_assessments", "All levers have the same class; the order of the answer decided."});
  }
  json::array vital;
  for (const Rating& rating : ratings) {
    if (vital.size() == kVitalLevers) break;
    vital.push_back(vital_lever(levers[rating.lever], rating));
  }
  json::object response{{"lever_assessments", std::move(assessments)}, {"summary", text(*answer, "summary")}};
  result.outputs["raw"] = json::object{{"response", std::move(response)}, {"levers", std::move(vital)}};
  return result;
}

Result<BuiltinResult> strategic_decisions(const BuiltinInput& in) {
  const json::array& all = array_or_empty(read(in, "enrich_levers.raw.characterized_levers"));
  const json::value& focus = read(in, "focus_on_vital_few_levers.raw");
  const json::value* response = find(focus, "response");
  static const json::value nothing;
  if (response == nullptr) response = &nothing;
  const json::array& assessments = list(*response, "lever_assessments");

  std::set<std::string> vital;
  json::array primary;
  for (const json::value& lever : list(focus, "levers")) {
    vital.insert(text(lever, "lever_id"));
    primary.push_back(decision_view(lever, primary.size() + 1, assessment_of(assessments, lever)));
  }
  json::array secondary;
  for (const json::value& lever : all) {
    if (vital.contains(text(lever, "lever_id"))) continue;
    secondary.push_back(decision_view(lever, primary.size() + secondary.size() + 1, assessment_of(assessments, lever)));
  }
  BuiltinResult result;
  result.view = json::object{
      {"summary", text(*response, "summary")}, {"primary", std::move(primary)}, {"secondary", std::move(secondary)}};
  return result;
}

}  // namespace planexe::plan
