#include "engine/names.hpp"

#include <algorithm>
#include <cctype>

namespace planexe::engine {

std::string unit_name(std::string_view task_key, std::string_view unit_key) {
  return std::string(task_key).append("/").append(unit_key);
}

std::string call_key(std::string_view task_key, std::string_view unit_key) {
  return unit_name(task_key, unit_key) + "/1";
}

std::string class_name(std::string_view task_key) {
  std::string out;
  bool upper = true;
  for (const char c : task_key) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
    upper = false;
  }
  return out + "Task";
}

bool is_only_asked_step(const recipe::Task& task, const recipe::Step& step) {
  const auto asked = std::count_if(task.steps.begin(), task.steps.end(), [](const auto& s) { return s.builtin.empty(); });
  return step.builtin.empty() && asked == 1;
}

void measure_paths(const recipe::Recipe& recipe, std::map<std::string, TaskRun>& tasks) {
  // Canonical order is topological, so one walk backwards is enough.
  for (auto it = recipe.tasks.rbegin(); it != recipe.tasks.rend(); ++it) {
    auto& run = tasks.at(it->key);
    int rounds = 0;
    for (const auto& step : it->steps)
      if (step.builtin.empty()) rounds += std::max(1, step.rounds.all);
    run.path_length = run.downstream + rounds;
    for (const auto& edge : it->edges) {
      auto& from = tasks.at(edge.from);
      from.downstream = std::max(from.downstream, run.path_length);
    }
  }
}

}  // namespace planexe::engine
