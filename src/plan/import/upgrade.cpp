// Older shapes of stored outputs, brought to what newer tasks read.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/stages.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::string_view, 5> kFitClasses{"Poor", "Weak", "Fair", "Good", "Excellent"};
constexpr std::array<std::string_view, 5> kLikelihood{"rare", "unlikely", "possible", "likely", "almost certain"};
constexpr std::array<std::string_view, 5> kImpact{"negligible", "minor", "moderate", "major", "fatal"};

class Upgrade {
 public:
  explicit Upgrade(ImportedRun& run) : run_(run) {}

  void all() {
    levers();
    scenarios();
    assumptions();
    experts();
    documents();
    structure();
    premortem();
    assessment();
  }

 private:
  // A writable output, or null.
  json::value* output(std::string_view task, std::string_view name) {
    const auto found = run_.tasks.find(task);
    return found == run_.tasks.end() ? nullptr : found->second.outputs.if_contains(name);
  }

  json::value* member(std::string_view task, std::string_view name, std::string_view key) {
    json::value* value = output(task, name);
    return value == nullptr || !value->is_object() ? nullptr : value->get_object().if_contains(key);
  }

  void mark(json::value* objects, const RefTable& refs, std::string_view id_field, std::string_view name_field) {
    if (objects != nullptr) refs.mark(*objects, id_field, name_field);
  }

  void levers() {
    const RefTable refs(output_of(run_, "potential_levers", "clean"), "L", "lever_id", "name");
    mark(output("potential_levers", "clean"), refs, "lever_id", "name");
    mark(member("potential_levers", "raw", "levers"), refs, "lever_id", "name");
    mark(member("deduplicate_levers", "raw", "deduplicated_levers"), refs, "lever_id", "name");
    mark(member("enrich_levers", "raw", "characterized_levers"), refs, "lever_id", "name");
    mark(member("focus_on_vital_few_levers", "raw", "levers"), refs, "lever_id", "name");
    for (const char* task : {"deduplicate_levers", "focus_on_vital_few_levers"}) {
      json::value* response = member(task, "raw", "response");
      if (response == nullptr || !response->is_object()) continue;
      mark(response->get_object().if_contains("decisions"), refs, "lever_id", "lever_name");
      mark(response->get_object().if_contains("lever_assessments"), refs, "lever_id", "lever_name");
    }
    if (json::value* characterized = member("enrich_levers", "raw", "characterized_levers"))
      for_objects(*characterized, [](json::object& lever) { lever.emplace("incomplete", false); });
  }

  template <class Change>
  static void for_objects(json::value& values, Change change) {
    if (!values.is_array()) return;
    for (json::value& value : values.get_array())
      if (value.is_object()) change(value.get_object());
  }

  // The settings of a scenario come as mapping of names or as list of pairs; newer tasks read both forms side by side.
  void scenarios() {
    json::value* scenarios = member("candidate_scenarios", "clean", "scenarios");
    if (scenarios == nullptr) return;
    int number = 0;
    for_objects(*scenarios, [&](json::object& scenario) {
      scenario.emplace("ref", fmt::format("S{}", ++number));
      if (!scenario.contains("settings")) scenario["settings"] = settings_of(scenario);
      json::object mapping;
      for (const json::value& setting : scenario["settings"].as_array())
        mapping[text(setting, "lever_name")] = text(setting, "option");
      scenario["lever_settings"] = std::move(mapping);
    });
    selection(*scenarios);
  }

  json::array settings_of(const json::object& scenario) {
    json::array settings;
    const json::value* stored = scenario.if_contains("lever_settings");
    if (stored == nullptr) return settings;
    if (stored->is_object()) {
      for (const auto& [lever, option] : stored->get_object())
        if (option.is_string())
          settings.push_back(
              setting_of(std::string_view(lever.data(), lever.size()), std::string_view(option.get_string())));
    } else if (stored->is_array()) {
      for (const json::value& entry : stored->get_array()) {
        std::string option = text(entry, "selected_option");
        if (option.empty()) option = text(entry, "option");
        settings.push_back(setting_of(text(entry, "lever_name"), option));
      }
    }
    return settings;
  }

  json::object setting_of(std::string_view lever_name, std::string_view option) {
    json::object setting{{"lever_name", lever_name}, {"option", option}};
    for (const json::value& lever : list(output_of(run_, "focus_on_vital_few_levers", "raw"), "levers")) {
      if (normalize_name(text(lever, "name")) != normalize_name(lever_name)) continue;
      setting["lever_id"] = text(lever, "lever_id");
      setting["ref"] = text(lever, "ref");
      const json::array& options = list(lever, "options");
      for (std::size_t i = 0; i < options.size(); ++i)
        if (options[i].is_string() &&
            normalize_name(std::string_view(options[i].get_string())) == normalize_name(option))
          setting["option_number"] = i + 1;
    }
    if (!setting.contains("ref"))
      run_.findings.push_back({"unknown_name", "candidate_scenarios",
                               fmt::format("A scenario sets the lever \"{}\", which is not vital.", lever_name)});
    return setting;
  }

  void selection(const json::value& scenarios) {
    const RefTable refs(scenarios, "S", "ref", "scenario_name");
    json::value* clean = output("select_scenario", "clean");
    if (clean == nullptr || !clean->is_object()) return;
    if (json::value* assessments = clean->get_object().if_contains("scenario_assessments"))
      for_objects(*assessments, [&](json::object& assessment) {
        assessment.emplace("scenario_id", refs.of(text(assessment, "scenario_name")));
        const auto score = get_int(assessment, "fit_score").value_or(0);
        if (score >= 1 && score <= 10)
          assessment.emplace("fit_class", kFitClasses[static_cast<std::size_t>((score - 1) / 2)]);
      });
    json::value* choice = clean->get_object().if_contains("final_choice");
    if (choice == nullptr || !choice->is_object()) return;
    const std::string chosen = refs.of(text(*choice, "chosen_scenario_name"));
    choice->get_object().emplace("chosen_scenario_id", chosen);
    for (const json::value& scenario : scenarios.get_array())
      if (text(scenario, "ref") == chosen) clean->get_object().emplace("chosen", scenario);
    if (chosen.empty())
      run_.findings.push_back({"unknown_name", "select_scenario", "The chosen scenario is none of the candidates."});
  }

  void number(json::value* objects, std::string_view field, std::string_view prefix) {
    int count = 0;
    if (objects != nullptr)
      for_objects(*objects, [&](json::object& object) { object.emplace(field, fmt::format("{}{}", prefix, ++count)); });
  }

  void assumptions() {
    number(output("make_assumptions", "clean"), "ref", "A");
    number(member("identify_risks", "raw", "risks"), "risk_id", "R");
  }

  void experts() { number(output("expert_review", "experts"), "ref", "E"); }

  void documents() {
    for (const auto& [kind, prefix] : {std::pair("find", "F"), std::pair("create", "C")}) {
      const RefTable refs(output_of(run_, "identify_documents", kind), prefix, "id", "document_name");
      mark(output("identify_documents", kind), refs, "id", "document_name");
      mark(output(fmt::format("filter_documents_to_{}", kind), "clean"), refs, "id", "document_name");
      const std::string drafts = fmt::format("draft_documents_to_{}", kind);
      mark(output(drafts, "clean"), refs, "id", "document_name");
      if (json::value* clean = output(drafts, "clean"))
        for_objects(*clean, [](json::object& draft) {
          draft.emplace("draft_state", draft.contains("essential_information") ? "done" : "missing");
        });
    }
  }

  void structure() {
    if (json::value* phases = output("create_wbs_level2", "clean")) {
      int phase_number = 0;
      for_objects(*phases, [&](json::object& phase) {
        phase.emplace("ref", std::to_string(++phase_number));
        int task_number = 0;
        if (json::value* tasks = phase.if_contains("subtasks"))
          for_objects(*tasks, [&](json::object& task) {
            task.emplace("ref", fmt::format("{}.{}", phase_number, ++task_number));
          });
      });
    }
    for (const char* task : {"wbs_project_level1_and_level2", "wbs_project_level1_and_level2_and_level3"}) {
      json::value* tree = output(task, "tree");
      if (tree == nullptr) continue;
      auto wbs = wbs_from_json(*tree);
      if (wbs)
        *tree = wbs_to_json(*wbs);
      else
        run_.findings.push_back({"damaged_file", task, wbs.error().message});
    }
    estimates();
    dependencies();
  }

  // -1 and 0 meant "does not apply": such an estimate is missing.
  void estimates() {
    json::value* clean = output("estimate_task_durations", "clean");
    if (clean == nullptr || !clean->is_array()) return;
    const auto known = wbs_from_json(output_of(run_, "wbs_project_level1_and_level2", "tree"));
    const auto nodes = known ? index_wbs(*known) : std::map<std::string, const WbsNode*, std::less<>>();
    json::array kept;
    for (json::value& entry : clean->get_array()) {
      if (get_int(entry, "days_realistic").value_or(0) < 1 || !entry.is_object()) continue;
      if (const auto node = nodes.find(text(entry, "task_id")); node != nodes.end())
        entry.get_object().emplace("ref", node->second->ref);
      kept.push_back(entry);
    }
    if (kept.size() < clean->get_array().size())
      run_.findings.push_back(
          {"missing_estimate", "estimate_task_durations",
           fmt::format("{} estimates without a length count as missing.", clean->get_array().size() - kept.size())});
    *clean = std::move(kept);
  }

  void dependencies() {
    json::value* details = member("identify_task_dependencies", "raw", "task_dependency_details");
    if (details == nullptr) return;
    for_objects(*details, [](json::object& entry) {
      const std::size_t links = list(entry, "depends_on_task_id_list").size();
      entry.emplace("depends_on_task_type_list", json::array(links, json::value("FS")));
      entry.emplace("depends_on_task_lag_days_list", json::array(links, json::value(0)));
    });
  }

  void premortem() {
    json::value* failures = member("premortem", "raw", "failure_modes");
    if (failures == nullptr) return;
    for_objects(*failures, [](json::object& failure) {
      const auto likelihood = get_int(failure, "likelihood_5").value_or(0);
      const auto impact = get_int(failure, "impact_5").value_or(0);
      if (likelihood >= 1 && likelihood <= 5)
        failure.emplace("likelihood", kLikelihood[static_cast<std::size_t>(likelihood - 1)]);
      if (impact >= 1 && impact <= 5) failure.emplace("impact", kImpact[static_cast<std::size_t>(impact - 1)]);
    });
  }

  // The recommendation was free text that mostly named its class.
  void assessment() {
    for (const char* name : {"clean", "raw"}) {
      json::value* value = output("pre_project_assessment", name);
      if (value == nullptr || !value->is_object() || value->get_object().contains("go_no_go")) continue;
      const std::string said = normalize_name(text(*value, "go_no_go_recommendation"));
      const char* verdict = said.starts_with("execute")          ? "execute"
                            : said.starts_with("do not execute") ? "do_not_execute"
                                                                 : "proceed_with_caution";
      value->get_object()["go_no_go"] = verdict;
    }
  }

  ImportedRun& run_;
};

}  // namespace

void upgrade_outputs(ImportedRun& run) { Upgrade(run).all(); }

}  // namespace planexe::plan
