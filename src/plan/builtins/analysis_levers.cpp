#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

// Levers a round is asked for; more are cut off so that no round outweighs the others.
constexpr std::size_t kLeversPerRound = 5;
// Two names that share this share of their words are reported as near doubles.
constexpr double kNearDouble = 0.7;
// A first or last word shared by more than this share of the names is a template, not a choice of words.
constexpr double kTemplateShare = 0.4;
// Fewer kept levers give no scenarios that differ.
constexpr std::size_t kLeversWanted = 5;

void check_near_doubles(const json::array& levers, std::vector<Finding>& findings) {
  for (std::size_t i = 0; i < levers.size(); ++i) {
    for (std::size_t j = i + 1; j < levers.size(); ++j) {
      if (word_overlap(text(levers[i], "name"), text(levers[j], "name")) < kNearDouble) continue;
      findings.push_back(
          {"near_double", fmt::format("levers[{}].name", j),
           fmt::format("{} and {} have nearly the same name.", text(levers[i], "ref"), text(levers[j], "ref"))});
    }
  }
}

void check_template(const json::array& levers, bool last_word, std::vector<Finding>& findings) {
  std::map<std::string, std::size_t> count;
  for (const json::value& lever : levers) {
    const auto words = word_list(text(lever, "name"));
    if (words.size() > 1) ++count[last_word ? words.back() : words.front()];
  }
  for (const auto& [word, uses] : count) {
    if (uses < 3 || static_cast<double>(uses) <= kTemplateShare * static_cast<double>(levers.size())) continue;
    findings.push_back(
        {"template", "levers[].name",
         fmt::format("{} of {} names {} with \"{}\".", uses, levers.size(), last_word ? "end" : "begin", word)});
  }
}

json::object clean_lever(const json::value& answer, IdMint& mint, std::size_t position) {
  const std::string name = trim(text(answer, "name"));
  json::array options;
  for (const json::value& option : list(answer, "options")) options.push_back(option);
  return {{"lever_id", mint.next("", name)},
          {"ref", fmt::format("L{}", position + 1)},
          {"name", name},
          {"consequences", text(answer, "consequences")},
          {"options", std::move(options)},
          {"review", analysis::first_text(answer, {"review_lever", "review"})}};
}

// Decisions of a judgement by position of the lever; the first decision for a lever wins.
using Decisions = std::map<std::size_t, const json::value*>;

Decisions decisions_of(const json::value& answer, const json::array& levers) {
  const RefIndex index(levers, "ref", "name");
  Decisions decisions;
  for (const json::value& decision : list(answer, "decisions")) {
    if (const auto position = index.find(text(decision, "lever_id"))) decisions.emplace(*position, &decision);
  }
  return decisions;
}

std::string classification(const Decisions& decisions, std::size_t position) {
  const auto entry = decisions.find(position);
  return entry == decisions.end() ? "keep" : text(*entry->second, "classification");
}

// Who absorbs each lever; nothing for levers that stay. Targets that do not exist, are not kept, or lead in a circle
// leave the lever in the list.
class Absorption {
 public:
  Absorption(const json::array& levers, const Decisions& decisions)
      : index_(levers, "ref", "name"), target_(levers.size()), gone_(levers.size()) {
    for (std::size_t i = 0; i < levers.size(); ++i) {
      const std::string verdict = classification(decisions, i);
      gone_[i] = verdict == "remove";
      if (verdict != "absorb") continue;
      const auto target = index_.find(text(*decisions.at(i), "absorbed_by"));
      if (target && *target != i) target_[i] = target;
    }
    break_circles();
  }

  bool stays(std::size_t i) const { return !gone_[i] && !target_[i]; }

  // The lever that finally stands for `i`: the end of the chain, unless that one was removed.
  std::optional<std::size_t> absorber(std::size_t i) const {
    if (!target_[i]) return std::nullopt;
    std::size_t end = i;
    while (target_[end]) end = *target_[end];
    return gone_[end] ? std::nullopt : std::optional(end);
  }

  // Levers whose absorber was removed come back, so that nothing vanishes by a detour.
  void rescue() {
    for (std::size_t i = 0; i < target_.size(); ++i) {
      if (target_[i] && !absorber(i)) target_[i].reset();
    }
  }

 private:
  // The first lever of a circle in list order stays.
  void break_circles() {
    for (std::size_t i = 0; i < target_.size(); ++i) {
      std::set<std::size_t> seen{i};
      std::size_t at = i;
      while (target_[at]) {
        at = *target_[at];
        if (at == i) {
          target_[i].reset();
          break;
        }
        if (!seen.insert(at).second) break;
      }
    }
    rescue();
  }

  RefIndex index_;
  std::vector<std::optional<std::size_t>> target_;
  std::vector<bool> gone_;
};

json::object kept_lever(const json::value& lever, const std::string& justification) {
  json::object result = lever.is_object() ? lever.get_object() : json::object{};
  result["deduplication_justification"] = justification;
  result["absorbed"] = json::array{};
  return result;
}

const json::value* judgement(const BuiltinInput& in) {
  const json::value* again = step_answer(in, "again");
  return again != nullptr ? again : step_answer(in, "judge");
}

// What is stored: decisions with the levers' permanent ids beside the short ones.
json::array stored_decisions(const json::array& levers, const Decisions& decisions) {
  const RefIndex index(levers, "ref", "name");
  json::array stored;
  for (const auto& [position, decision] : decisions) {
    json::object entry = analysis::pick(*decision, {"justification", "classification"});
    entry["lever_id"] = text(levers[position], "lever_id");
    entry["ref"] = text(levers[position], "ref");
    const auto target = index.find(text(*decision, "absorbed_by"));
    entry["absorbed_by"] = target ? json::value(text(levers[*target], "ref")) : json::value(nullptr);
    stored.push_back(std::move(entry));
  }
  return stored;
}

}  // namespace

Result<BuiltinResult> potential_levers(const BuiltinInput& in) {
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  json::array responses;
  json::array levers;
  std::set<std::string> names;
  for (const json::value& item : step_items(in)) {
    const json::value* answer = find(item, "answer");
    if (text(item, "state") != "done" || answer == nullptr) {
      result.degraded = result.degraded || text(item, "state") == "missing";
      continue;
    }
    responses.push_back(*answer);
    std::size_t taken = 0;
    for (const json::value& lever : list(*answer, "levers")) {
      if (taken++ == kLeversPerRound) break;
      const std::string name = normalize_name(text(lever, "name"));
      if (name.empty() || !names.insert(name).second) {
        result.findings.push_back({"duplicate",
                                   fmt::format("responses[{}].levers[{}].name", responses.size() - 1, taken - 1),
                                   fmt::format("Left out, the name is taken: {}", text(lever, "name"))});
        continue;
      }
      levers.push_back(clean_lever(lever, mint, levers.size()));
    }
  }
  if (levers.empty()) return fail(ErrorCode::TaskFailed, "No round gave a lever; retry the task.");
  check_near_doubles(levers, result.findings);
  check_template(levers, false, result.findings);
  check_template(levers, true, result.findings);
  result.outputs["raw"] = json::object{{"responses", std::move(responses)}, {"levers", levers}};
  result.outputs["clean"] = std::move(levers);
  return result;
}

Result<BuiltinResult> deduplicate_levers_kept(const BuiltinInput& in) {
  const json::value& levers = read(in, "potential_levers.clean");
  const json::array none;
  const json::array& all = levers.is_array() ? levers.get_array() : none;
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "judge"));
  const Absorption absorption(all, decisions_of(answer, all));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) kept += absorption.stays(i) ? 1U : 0U;
  const std::size_t wanted = std::min(kLeversWanted, all.size());
  BuiltinResult result;
  result.answer = json::object{{"kept", kept}, {"total", all.size()}, {"wanted", wanted}, {"too_few", kept < wanted}};
  return result;
}

Result<BuiltinResult> deduplicate_levers(const BuiltinInput& in) {
  const json::value& source = read(in, "potential_levers.clean");
  const json::value* answer = judgement(in);
  if (!source.is_array() || answer == nullptr)
    return fail(ErrorCode::Internal, "Deduplicating levers needs the levers and a judgement.");
  const json::array& levers = source.get_array();
  const Decisions decisions = decisions_of(*answer, levers);
  const Absorption absorption(levers, decisions);

  BuiltinResult result;
  json::array kept;
  std::map<std::size_t, std::size_t> place;
  for (std::size_t i = 0; i < levers.size(); ++i) {
    const auto decision = decisions.find(i);
    const std::string ref = text(levers[i], "ref");
    if (decision == decisions.end())
      result.findings.push_back({"no_decision", fmt::format("decisions[{}]", i), ref + " was not judged and stays."});
    if (!absorption.stays(i)) continue;
    if (classification(decisions, i) == "absorb") {
      result.findings.push_back({"absorbed_by", fmt::format("decisions[{}].absorbed_by", i),
                                 ref + " names no kept lever that covers it and stays."});
    }
    place[i] = kept.size();
    kept.push_back(
        kept_lever(levers[i], decision == decisions.end() ? std::string{} : text(*decision->second, "justification")));
  }
  for (std::size_t i = 0; i < levers.size(); ++i) {
    const auto by = absorption.absorber(i);
    if (!by) continue;
    json::array& absorbed = kept[place.at(*by)].get_object()["absorbed"].get_array();
    absorbed.push_back(json::object{{"ref", text(levers[i], "ref")}, {"name", text(levers[i], "name")}});
  }
  if (kept.empty()) {
    for (const json::value& lever : levers) kept.push_back(kept_lever(lever, {}));
    result.findings.push_back(
        {"removed_all", "deduplicated_levers", "The judgement removed every lever; all of them stay."});
  }
  if (kept.size() < std::min(kLeversWanted, levers.size())) {
    result.findings.push_back(
        {"too_few", "deduplicated_levers", fmt::format("Only {} of {} levers remain.", kept.size(), levers.size())});
  }
  result.outputs["raw"] = json::object{{"response", json::object{{"decisions", stored_decisions(levers, decisions)}}},
                                       {"deduplicated_levers", std::move(kept)}};
  return result;
}

}  // namespace planexe::plan
