#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"

/// Input of step and finish functions, made from the good answers of the recipe.
namespace planexe::plan::documents_test {

/// One good answer of the recipe.
inline json::value example(const std::string& task, const std::string& file = "example.json") {
  const std::string path = fmt::format("{}/recipe/tasks/{}/{}", PLANEXE_SOURCE_DIR, task, file);
  const auto bytes = read_file(path, 1 << 20);
  EXPECT_TRUE(bytes.has_value()) << path;
  return parse_json(*bytes).value();
}

inline json::value parsed(std::string_view text) { return parse_json(text).value(); }

inline BuiltinInput input(std::string task, std::string speed = "all_details_but_slow") {
  BuiltinInput in;
  in.plan_id = "PlanExe_00000000-0000-4000-8000-000000000001";
  in.task_key = std::move(task);
  in.plan = json::object{{"prompt", "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"},
                         {"start_date", "2031-03-03"},
                         {"intake", nullptr},
                         {"speed", std::move(speed)},
                         {"title", "Repair shop"}};
  return in;
}

inline BuiltinInput answered(std::string task, json::value answer, std::string speed = "all_details_but_slow") {
  BuiltinInput in = input(std::move(task), std::move(speed));
  in.steps["main"] = json::object{{"answer", std::move(answer)}};
  return in;
}

inline json::value item(json::value element, json::value answer, std::string_view state = "done") {
  return json::object{
      {"key", ""}, {"number", 1}, {"state", state}, {"answer", std::move(answer)}, {"element", std::move(element)}};
}

/// Items of a step that asked about each element and got these answers.
inline json::object items(const json::array& elements, const json::value& answers) {
  json::array all;
  for (std::size_t i = 0; i < elements.size(); ++i) all.push_back(item(elements[i], answers.at(i)));
  return {{"items", std::move(all)}};
}

inline std::vector<std::string> rules(const BuiltinResult& result) {
  std::vector<std::string> names;
  for (const Finding& finding : result.findings) names.push_back(finding.rule);
  return names;
}

inline std::vector<std::string> texts(const json::array& objects, std::string_view key) {
  std::vector<std::string> values;
  for (const json::value& object : objects) values.push_back(text(object, key));
  return values;
}

inline json::value level1() {
  return finish_wbs_level1(answered("create_wbs_level1", example("create_wbs_level1"))).value().outputs.at("clean");
}

inline json::value level2() {
  return finish_wbs_level2(answered("create_wbs_level2", example("create_wbs_level2"))).value().outputs.at("clean");
}

inline json::value tree() { return wbs_to_json(build_wbs(level1(), level2()).value()); }

inline BuiltinInput with_tree(std::string task, const json::value& wbs) {
  BuiltinInput in = input(std::move(task));
  in.reads["wbs_project_level1_and_level2.tree"] = wbs;
  return in;
}

}  // namespace planexe::plan::documents_test
