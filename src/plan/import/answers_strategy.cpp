// Recovered answers of analysis, strategy, context and assumptions.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/stages.hpp"

namespace planexe::plan {
namespace {

// Levers per request when the old run enriched them.
constexpr std::size_t kLeversPerBatch = 5;

constexpr std::array<std::string_view, 8> kAssumptionAreas{
    "funding",     "timeline",    "resources_personnel", "governance_regulation",
    "safety_risk", "environment", "stakeholders",        "operational_systems"};

constexpr std::array<std::string_view, 5> kLenses{"Integrity", "Accountability", "Spectrum", "Cascade", "Escalation"};

// A word of the old free text -> area of risk. English, as those runs are.
struct AreaWord {
  std::string_view word;
  std::string_view area;
};
constexpr std::array<AreaWord, 20> kRiskAreas{
    {{"financ", "money"},         {"budget", "money"},         {"cost", "money"},
     {"technic", "technology"},   {"regulat", "law_permits"},  {"legal", "law_permits"},
     {"permit", "law_permits"},   {"complian", "law_permits"}, {"environment", "environment"},
     {"social", "people"},        {"people", "people"},        {"staff", "people"},
     {"operation", "operations"}, {"supply", "suppliers"},     {"vendor", "suppliers"},
     {"secur", "security"},       {"integrat", "integration"}, {"market", "market"},
     {"competit", "market"},      {"mainten", "upkeep"}}};

ImportedStep& step_of(ImportedRun& run, std::string_view task, std::string_view step) {
  return run.tasks[std::string(task)].steps[std::string(step)];
}

bool has(const ImportedRun& run, std::string_view task) { return !output_of(run, task, "raw").is_null(); }

json::object copy_of(const json::value& value) { return value.is_object() ? value.get_object() : json::object(); }

// Stored nulls of the gate's two classes are their value "None".
void gate(ImportedRun& run) {
  if (!has(run, "redline_gate")) return;
  json::object answer = copy_of(raw_answer_of(run, "redline_gate"));
  for (const char* key : {"violation_category", "violation_severity"})
    if (const json::value* value = answer.if_contains(key); value == nullptr || value->is_null()) answer[key] = "None";
  step_of(run, "redline_gate", "main").answer = std::move(answer);
}

std::string lens_name(const json::value& raw, std::size_t position) {
  const json::value* metadata = find(raw, "metadata");
  const json::array& models = metadata == nullptr ? list(raw, "models") : list(*metadata, "models");
  std::string name = position < models.size() ? text(models[position], "system_prompt_name") : std::string();
  if (name.empty() && position < kLenses.size()) name = kLenses[position];
  return name.empty() ? std::to_string(position + 1) : name;
}

void premise(ImportedRun& run) {
  const json::value& raw = output_of(run, "premise_attack", "raw");
  ImportedStep& step = step_of(run, "premise_attack", "main");
  step = {};
  for (const json::value& answer : list(raw, "response_list"))
    step.items.push_back({lens_name(raw, step.items.size()), answer});
}

void lever_rounds(ImportedRun& run) {
  ImportedStep& step = step_of(run, "potential_levers", "main");
  step = {};
  for (const json::value& answer : list(output_of(run, "potential_levers", "raw"), "responses"))
    step.items.push_back({std::to_string(step.items.size() + 1), answer});
}

// Old judgements never said what absorbs a lever, so such a lever simply goes.
void lever_judgement(ImportedRun& run, const RefTable& levers) {
  if (!has(run, "deduplicate_levers")) return;
  json::array decisions;
  for (const json::value& entry : list(raw_answer_of(run, "deduplicate_levers"), "decisions")) {
    json::object decision = copy_of(entry);
    decision["lever_id"] = levers.of(text(entry, "lever_id"));
    const std::string absorber = levers.of(text(entry, "absorbed_by"));
    const bool stored_ref = text(entry, "absorbed_by").starts_with('L');
    decision["absorbed_by"] = absorber.empty()
                                  ? (stored_ref ? json::value(text(entry, "absorbed_by")) : json::value(nullptr))
                                  : json::value(absorber);
    if (text(entry, "classification") == "absorb" && decision["absorbed_by"].is_null())
      decision["classification"] = "remove";
    decisions.push_back(std::move(decision));
  }
  step_of(run, "deduplicate_levers", "judge").answer = json::object{{"decisions", std::move(decisions)}};
}

void lever_texts(ImportedRun& run) {
  ImportedStep& step = step_of(run, "enrich_levers", "main");
  step = {};
  json::array batch;
  const auto flush = [&] {
    if (!batch.empty())
      step.items.push_back(
          {std::to_string(step.items.size() + 1), json::object{{"characterizations", std::move(batch)}}});
    batch = {};
  };
  for (const json::value& lever : list(output_of(run, "enrich_levers", "raw"), "characterized_levers")) {
    json::object entry{{"lever_id", text(lever, "ref")}};
    for (const char* key : {"description", "synergy_text", "conflict_text"}) entry[key] = text(lever, key);
    batch.push_back(std::move(entry));
    if (batch.size() == kLeversPerBatch) flush();
  }
  flush();
}

void lever_ratings(ImportedRun& run, const RefTable& levers) {
  if (!has(run, "focus_on_vital_few_levers")) return;
  const json::value& response = raw_answer_of(run, "focus_on_vital_few_levers");
  json::array assessments;
  for (const json::value& entry : list(response, "lever_assessments")) {
    json::object assessment = copy_of(entry);
    assessment["lever_id"] = levers.of(text(entry, "lever_id"));
    assessments.push_back(std::move(assessment));
  }
  json::array ranking;
  for (const char* rank : {"Critical", "High", "Medium", "Low"})
    for (const json::value& assessment : assessments)
      if (text(assessment, "strategic_importance") == rank) ranking.push_back(*find(assessment, "lever_id"));
  step_of(run, "focus_on_vital_few_levers", "rate").answer = json::object{{"lever_assessments", std::move(assessments)},
                                                                          {"ranking", std::move(ranking)},
                                                                          {"summary", text(response, "summary")}};
}

void scenario_answers(ImportedRun& run) {
  const json::value& clean = output_of(run, "candidate_scenarios", "clean");
  if (!clean.is_object()) return;
  json::array scenarios;
  for (const json::value& scenario : list(clean, "scenarios")) {
    json::array settings;
    for (const json::value& setting : list(scenario, "settings"))
      if (!text(setting, "ref").empty())
        settings.push_back(json::object{{"lever_id", text(setting, "ref")},
                                        {"option_number", get_int(setting, "option_number").value_or(1)}});
    scenarios.push_back(json::object{{"scenario_name", text(scenario, "scenario_name")},
                                     {"strategic_logic", text(scenario, "strategic_logic")},
                                     {"lever_settings", std::move(settings)}});
  }
  json::object answer = copy_of(clean);
  answer["scenarios"] = std::move(scenarios);
  step_of(run, "candidate_scenarios", "main").answer = std::move(answer);
  if (const json::value& selection = output_of(run, "select_scenario", "clean"); selection.is_object())
    step_of(run, "select_scenario", "main").answer = selection;
}

std::string_view risk_area(const json::value& risk) {
  const std::string said = normalize_name(text(risk, "risk_area"));
  for (const AreaWord& entry : kRiskAreas)
    if (said.find(entry.word) != std::string::npos) return entry.area;
  return "operations";
}

// Old risks have no title: the first words of the description stand for it.
void risks(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "identify_risks");
  if (!raw.is_object()) return;
  json::object answer = raw.get_object();
  json::array risks;
  for (const json::value& entry : list(raw, "risks")) {
    json::object risk = copy_of(entry);
    const std::string description = text(entry, "risk_description");
    risk.emplace("title", trim(description.substr(0, std::min(description.find_first_of(".;"), std::size_t{90}))));
    risk.emplace("area", risk_area(entry));
    risks.push_back(std::move(risk));
  }
  answer["risks"] = std::move(risks);
  answer.emplace("areas_without_risk", json::array());
  step_of(run, "identify_risks", "sweep").answer = std::move(answer);
}

// The questions came in a fixed order of areas.
void assumptions(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "make_assumptions");
  if (!raw.is_object()) return;
  json::array entries;
  for (const json::value& source : list(raw, "question_assumption_list")) {
    json::object entry = copy_of(source);
    if (entries.size() < kAssumptionAreas.size()) entry.emplace("area", kAssumptionAreas[entries.size()]);
    entry.emplace("basis", "estimate");
    entries.push_back(std::move(entry));
  }
  step_of(run, "make_assumptions", "main").answer = json::object{{"question_assumption_list", std::move(entries)}};
}

// Sentences stood in the order of the assumptions; further ones belong to the last.
void distilled(ImportedRun& run) {
  const json::value& raw = raw_answer_of(run, "distill_assumptions");
  if (!raw.is_object()) return;
  const json::array& sources = list(raw, "sources");
  json::array entries;
  if (!sources.empty()) {
    entries = sources;
  } else {
    const json::value& clean = output_of(run, "make_assumptions", "clean");
    const std::size_t last = clean.is_array() && !clean.get_array().empty() ? clean.get_array().size() : 8;
    for (const json::value& sentence : list(raw, "assumption_list"))
      entries.push_back(json::object{{"assumption_id", fmt::format("A{}", std::min(entries.size() + 1, last))},
                                     {"sentence", sentence}});
  }
  step_of(run, "distill_assumptions", "distill").answer = json::object{{"assumption_list", std::move(entries)}};
}

struct ShortChapter {
  std::string_view key;
  std::string_view heading;
};
constexpr std::array<ShortChapter, 8> kChapters{{{"purpose", "# Purpose"},
                                                 {"plan_type", "# Plan Type"},
                                                 {"physical_locations", "# Physical Locations"},
                                                 {"currency_strategy", "# Currency Strategy"},
                                                 {"identify_risks", "# Identify Risks"},
                                                 {"make_assumptions", "# Make Assumptions"},
                                                 {"distill_assumptions", "# Distill Assumptions"},
                                                 {"review_assumptions", "# Review Assumptions"}}};

// The short document is the chapters under fixed headings: each is one plain-text answer.
void short_chapters(ImportedRun& run) {
  const json::value& document = output_of(run, "consolidate_assumptions_markdown", "short");
  if (!document.is_string()) return;
  ImportedStep& step = step_of(run, "consolidate_assumptions_markdown", "shorten");
  step = {};
  std::string body;
  std::string_view key;
  const auto flush = [&] {
    if (!key.empty() && !trim(body).empty()) step.items.push_back({std::string(key), json::value(trim(body))});
    body.clear();
  };
  for (const std::string_view line : split_lines(std::string_view(document.get_string()))) {
    const auto chapter = std::ranges::find(kChapters, std::string_view(line), &ShortChapter::heading);
    if (chapter != kChapters.end()) {
      flush();
      key = chapter->key;
    } else {
      body.append(line) += '\n';
    }
  }
  flush();
}

}  // namespace

void recover_strategy_answers(ImportedRun& run) {
  const RefTable levers(output_of(run, "potential_levers", "clean"), "L", "lever_id", "name");
  gate(run);
  premise(run);
  lever_rounds(run);
  lever_judgement(run, levers);
  lever_texts(run);
  lever_ratings(run, levers);
  scenario_answers(run);
  risks(run);
  assumptions(run);
  distilled(run);
  short_chapters(run);
}

}  // namespace planexe::plan
