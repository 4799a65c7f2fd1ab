#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

constexpr auto kPostures = std::to_array<std::string_view>({"pioneer", "balanced", "consolidator"});
// Stored fit_score of the five classes; 1..10 in imported plans.
constexpr auto kFitClasses = std::to_array<std::string_view>({"Poor", "Weak", "Fair", "Good", "Excellent"});

const json::array& array_or_empty(const json::value& value) {
  static const json::array empty;
  return value.is_array() ? value.get_array() : empty;
}

// The settings of one scenario, one per vital lever in the levers' order. A lever without a valid setting gets its
// middle option and a finding.
json::array settings_of(const json::value& answer, const json::array& levers, std::size_t scenario,
                        std::vector<Finding>& findings) {
  const RefIndex index(levers, "ref", "name");
  std::vector<std::int64_t> chosen(levers.size(), 0);
  for (const json::value& setting : list(answer, "lever_settings")) {
    const auto position = index.find(text(setting, "lever_id"));
    if (position && chosen[*position] == 0) chosen[*position] = get_int(setting, "option_number").value_or(0);
  }
  json::array settings;
  for (std::size_t i = 0; i < levers.size(); ++i) {
    const json::array& options = list(levers[i], "options");
    if (options.empty()) continue;
    const auto count = static_cast<std::int64_t>(options.size());
    if (chosen[i] < 1 || chosen[i] > count) {
      findings.push_back({"no_setting", fmt::format("scenarios[{}].lever_settings", scenario),
                          fmt::format("{} was not set; its middle option stands in.", text(levers[i], "ref"))});
      chosen[i] = (count + 1) / 2;
    }
    settings.push_back(json::object{{"lever_id", text(levers[i], "lever_id")},
                                    {"ref", text(levers[i], "ref")},
                                    {"lever_name", text(levers[i], "name")},
                                    {"option_number", chosen[i]},
                                    {"option", options[static_cast<std::size_t>(chosen[i] - 1)]}});
  }
  return settings;
}

std::string fingerprint(const json::array& settings) {
  std::string result;
  for (const json::value& setting : settings)
    result += fmt::format("{};", get_int(setting, "option_number").value_or(0));
  return result;
}

json::object stored_scenario(const json::value& answer, json::array settings, std::size_t position) {
  json::object mapping;
  for (const json::value& setting : settings) mapping[text(setting, "lever_name")] = text(setting, "option");
  return {{"scenario_name", trim(text(answer, "scenario_name"))},
          {"ref", fmt::format("S{}", position + 1)},
          {"posture", position < kPostures.size() ? kPostures[position] : std::string_view{}},
          {"strategic_logic", text(answer, "strategic_logic")},
          {"lever_settings", std::move(mapping)},
          {"settings", std::move(settings)}};
}

std::int64_t fit_score(std::string_view fit_class) {
  const auto at = std::ranges::find(kFitClasses, fit_class);
  return at == kFitClasses.end() ? 0 : 2 * (at - kFitClasses.begin() + 1);
}

// Settings of a stored scenario as a list; older plans have only the mapping, or a list of {lever_name,
// selected_option}.
json::array settings_list(const json::value& scenario) {
  if (const json::array& settings = list(scenario, "settings"); !settings.empty()) return settings;
  json::array result;
  const json::value* stored = find(scenario, "lever_settings");
  if (stored == nullptr) return result;
  if (stored->is_object()) {
    for (const auto& [lever, option] : stored->get_object())
      result.push_back(json::object{{"lever_name", lever}, {"option", option}});
  } else if (stored->is_array()) {
    for (const json::value& entry : stored->get_array()) {
      result.push_back(
          json::object{{"lever_name", text(entry, "lever_name")}, {"option", text(entry, "selected_option")}});
    }
  }
  return result;
}

json::object scenario_view(const json::value& scenario, const json::value* assessment) {
  json::object view{{"scenario_name", text(scenario, "scenario_name")},
                    {"strategic_logic", text(scenario, "strategic_logic")},
                    {"settings", settings_list(scenario)}};
  const std::int64_t score = assessment == nullptr ? 0 : get_int(*assessment, "fit_score").value_or(0);
  view["fit_score"] = score == 0 ? json::value(nullptr) : json::value(score);
  view["fit_assessment"] = assessment == nullptr ? std::string{} : text(*assessment, "fit_assessment");
  return view;
}

json::array profile_view(const json::value& characteristics) {
  struct Part {
    std::string_view key, label;
  };
  constexpr auto kParts = std::to_array<Part>({{"ambition_and_scale", "Ambition and Scale"},
                                               {"risk_and_novelty", "Risk and Novelty"},
                                               {"complexity_and_constraints", "Complexity and Constraints"},
                                               {"domain_and_tone", "Domain and Tone"},
                                               {"holistic_profile_of_the_plan", "Holistic Profile"}});
  json::array parts;
  for (const Part& part : kParts) {
    if (std::string said = text(characteristics, part.key); !said.empty())
      parts.push_back(json::object{{"label", part.label}, {"text", std::move(said)}});
  }
  return parts;
}

// Lines of a model's text as paragraphs, or as they are when they already form a list.
std::string paragraphs(std::string_view said) {
  std::string result;
  for (const std::string_view line : split_lines(said)) {
    const std::string part = trim(line);
    if (part.empty()) continue;
    const bool bullet = part.starts_with("- ") || part.starts_with("* ");
    if (!result.empty()) result += bullet ? "\n" : "\n\n";
    result += part;
  }
  return result;
}

json::object stored_assessment(const json::value& answer, const json::value& scenario) {
  const std::string fit_class = text(answer, "fit_class");
  return {{"scenario_name", text(scenario, "scenario_name")},
          {"scenario_id", text(scenario, "ref")},
          {"fit_assessment", text(answer, "fit_assessment")},
          {"fit_class", fit_class},
          {"fit_score", fit_score(fit_class)}};
}

}  // namespace

Result<BuiltinResult> candidate_scenarios(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in));
  const json::array& levers = array_or_empty(read(in, "focus_on_vital_few_levers.raw.levers"));
  BuiltinResult result;
  json::array scenarios;
  std::set<std::string> seen;
  for (const json::value& scenario : list(answer, "scenarios")) {
    json::array settings = settings_of(scenario, levers, scenarios.size(), result.findings);
    if (!settings.empty() && !seen.insert(fingerprint(settings)).second) {
      result.findings.push_back(
          {"same_settings", fmt::format("scenarios[{}].lever_settings", scenarios.size()),
           fmt::format("\"{}\" sets every lever as another scenario does.", text(scenario, "scenario_name"))});
    }
    scenarios.push_back(stored_scenario(scenario, std::move(settings), scenarios.size()));
  }
  if (scenarios.empty()) return fail(ErrorCode::TaskFailed, "The answer holds no scenario; retry the task.");
  json::object clean{{"analysis_title", text(answer, "analysis_title")},
                     {"core_tension", text(answer, "core_tension")},
                     {"scenarios", std::move(scenarios)}};
  result.outputs["raw"] = json::object{{"response", clean}};
  result.outputs["clean"] = std::move(clean);
  return result;
}

Result<BuiltinResult> select_scenario(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in));
  const json::array& scenarios = array_or_empty(read(in, "candidate_scenarios.clean.scenarios"));
  const RefIndex index(scenarios, "ref", "scenario_name");
  BuiltinResult result;
  json::array assessments;
  std::int64_t best = 0;
  for (const json::value& assessment : list(answer, "scenario_assessments")) {
    const auto position = index.find(text(assessment, "scenario_id"));
    if (!position) continue;
    assessments.push_back(stored_assessment(assessment, scenarios[*position]));
    best = std::max(best, get_int(assessments.back(), "fit_score").value_or(0));
  }
  static const json::value nothing;
  const json::value* choice = find(answer, "final_choice");
  if (choice == nullptr) choice = &nothing;
  const auto chosen = index.find(text(*choice, "chosen_scenario_id"));
  if (!chosen) return fail(ErrorCode::TaskFailed, "The chosen scenario is none of the candidates; retry the task.");
  const json::value& scenario = scenarios[*chosen];
  for (const json::value& assessment : assessments) {
    if (text(assessment, "scenario_id") != text(scenario, "ref") ||
        get_int(assessment, "fit_score").value_or(0) == best)
      continue;
    result.findings.push_back({"better_class", "final_choice.chosen_scenario_id",
                               "Another scenario has a better class than the chosen one."});
  }
  json::object clean;
  const json::value* profile = find(answer, "plan_characteristics");
  clean["plan_characteristics"] = profile == nullptr ? json::value(json::object{}) : *profile;
  clean["scenario_assessments"] = std::move(assessments);
  clean["final_choice"] = json::object{{"justification", text(*choice, "justification")},
                                       {"chosen_scenario_name", text(scenario, "scenario_name")},
                                       {"chosen_scenario_id", text(scenario, "ref")}};
  clean["chosen"] = analysis::pick(scenario, {"scenario_name", "ref", "posture", "strategic_logic", "settings"});
  result.outputs["raw"] = json::object{{"response", clean}};
  result.outputs["clean"] = std::move(clean);
  return result;
}

Result<BuiltinResult> scenarios_document(const BuiltinInput& in) {
  const json::value& candidates = read(in, "candidate_scenarios.clean");
  const json::value& selection = read(in, "select_scenario.clean");
  static const json::value nothing;
  const json::value* characteristics = find(selection, "plan_characteristics");
  const json::value* choice = find(selection, "final_choice");
  if (choice == nullptr) choice = &nothing;
  const json::array& scenarios = list(candidates, "scenarios");
  const json::array& assessments = list(selection, "scenario_assessments");
  const RefIndex by_name(assessments, "scenario_name", "scenario_name");
  const auto chosen = RefIndex(scenarios, "ref", "scenario_name").find(text(*choice, "chosen_scenario_name"));

  BuiltinResult result;
  json::object view{{"profile", profile_view(characteristics == nullptr ? nothing : *characteristics)},
                    {"chosen", nullptr},
                    {"chosen_name", text(*choice, "chosen_scenario_name")},
                    {"justification", paragraphs(text(*choice, "justification"))}};
  json::array alternatives;
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    const auto position = by_name.find(text(scenarios[i], "scenario_name"));
    json::object entry = scenario_view(scenarios[i], position ? &assessments[*position] : nullptr);
    if (chosen == i)
      view["chosen"] = std::move(entry);
    else
      alternatives.push_back(std::move(entry));
  }
  if (!chosen)
    result.findings.push_back(
        {"unknown_name", "final_choice.chosen_scenario_name", "The chosen scenario is none of the candidates."});
  view["alternatives"] = std::move(alternatives);
  result.view = std::move(view);
  return result;
}

}  // namespace planexe::plan
