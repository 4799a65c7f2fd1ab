#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "base/file.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan::execution_test {

/// One good answer of the recipe.
inline json::value example(const std::string& task, const std::string& file = "example.json") {
  const std::string path = fmt::format("{}/recipe/tasks/{}/{}", PLANEXE_SOURCE_DIR, task, file);
  const auto bytes = read_file(path, 1 << 20);
  EXPECT_TRUE(bytes.has_value()) << path;
  return parse_json(*bytes).value();
}

inline json::value parsed(std::string_view text) { return parse_json(text).value(); }

inline BuiltinInput input(std::string task) {
  BuiltinInput in;
  in.plan_id = "PlanExe_00000000-0000-4000-8000-000000000001";
  in.task_key = std::move(task);
  in.plan =
      json::object{{"prompt", "Open a workshop within 9 months"}, {"start_date", "2031-03-03"}, {"intake", nullptr}};
  return in;
}

inline void set_answer(BuiltinInput& in, json::value answer, std::string_view step = "main") {
  in.steps[step] = json::object{{"answer", std::move(answer)}};
}

inline Result<BuiltinResult> run(std::string_view name, const BuiltinInput& in) {
  const auto function = builtins().find(name);
  EXPECT_NE(function, builtins().end()) << name;
  return function->second(in);
}

inline std::multiset<std::string> rules(const BuiltinResult& result) {
  std::multiset<std::string> names;
  for (const Finding& finding : result.findings) names.insert(finding.rule);
  return names;
}

using Rules = std::multiset<std::string>;

}  // namespace planexe::plan::execution_test
