#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/json.hpp"
#include "plan/builtin.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan::analysis_test {

inline json::value parsed(std::string_view source) {
  auto value = parse_json(source);
  if (!value) ADD_FAILURE() << value.error().message;
  return value ? *value : json::value();
}

/// An example answer of the recipe, for example ("identify_risks", "sweep.example.json").
inline json::value example(const std::string& task, const std::string& file = "example.json") {
  const auto bytes = read_file(std::string(PLANEXE_SOURCE_DIR) + "/recipe/tasks/" + task + "/" + file, 1 << 20);
  if (!bytes) ADD_FAILURE() << bytes.error().message;
  return bytes ? parsed(*bytes) : json::value();
}

inline BuiltinInput input(const std::string& task) {
  BuiltinInput in;
  in.plan_id = "PlanExe_test";
  in.task_key = task;
  in.plan = json::object{{"prompt", "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"},
                         {"start_date", "2031-03-03"},
                         {"intake", nullptr},
                         {"speed", "all_details_but_slow"},
                         {"title", ""}};
  return in;
}

inline void set_answer(BuiltinInput& in, json::value answer, std::string_view step = "main") {
  in.steps[step] = json::object{{"answer", std::move(answer)}};
}

/// Items of a rounds or mapped step; a null answer is a missing item.
inline void set_items(BuiltinInput& in, const json::array& answers, const json::array& elements = {},
                      std::string_view step = "main") {
  json::array items;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    items.push_back(json::object{{"key", std::to_string(i + 1)},
                                 {"number", i + 1},
                                 {"state", answers[i].is_null() ? "missing" : "done"},
                                 {"answer", answers[i]},
                                 {"element", i < elements.size() ? elements[i] : json::value(nullptr)}});
  }
  in.steps[step] = json::object{{"items", std::move(items)}};
}

inline Result<BuiltinResult> run(const std::string& name, const BuiltinInput& in) { return builtins().at(name)(in); }

inline bool has_finding(const BuiltinResult& result, std::string_view rule) {
  return std::ranges::any_of(result.findings, [&](const Finding& finding) { return finding.rule == rule; });
}

inline std::string rules_of(const BuiltinResult& result) {
  std::string all;
  for (const Finding& finding : result.findings) all += finding.rule + ": " + finding.message + "\n";
  return all;
}

/// The levers as the first tasks of the chain leave them, from the examples.
inline json::array example_levers() {
  auto in = input("potential_levers");
  set_items(in, example("potential_levers").as_array());
  return run("potential_levers", in).value().outputs.at("clean").as_array();
}

inline json::array example_kept() {
  auto in = input("deduplicate_levers");
  in.reads["potential_levers.clean"] = example_levers();
  set_answer(in, example("deduplicate_levers", "judge.example.json"), "judge");
  return list(run("deduplicate_levers", in).value().outputs.at("raw"), "deduplicated_levers");
}

inline json::array example_enriched() {
  auto in = input("enrich_levers");
  in.reads["deduplicate_levers.raw.deduplicated_levers"] = example_kept();
  set_items(in, example("enrich_levers").as_array());
  return list(run("enrich_levers", in).value().outputs.at("raw"), "characterized_levers");
}

inline json::value example_focus() {
  auto in = input("focus_on_vital_few_levers");
  in.reads["enrich_levers.raw.characterized_levers"] = example_enriched();
  set_answer(in, example("focus_on_vital_few_levers", "rate.example.json"), "rate");
  return run("focus_on_vital_few_levers", in).value().outputs.at("raw");
}

inline json::value example_scenarios() {
  auto in = input("candidate_scenarios");
  in.reads["focus_on_vital_few_levers.raw.levers"] = *find(example_focus(), "levers");
  set_answer(in, example("candidate_scenarios"));
  return run("candidate_scenarios", in).value().outputs.at("clean");
}

inline json::array example_assumptions() {
  auto in = input("make_assumptions");
  set_answer(in, example("make_assumptions"));
  return run("make_assumptions", in).value().outputs.at("clean").as_array();
}

/// "L1 L2 …" of a list of objects.
inline std::string refs(const json::array& objects) {
  std::string all;
  for (const json::value& object : objects) all += (all.empty() ? "" : " ") + text(object, "ref");
  return all;
}

}  // namespace planexe::plan::analysis_test
