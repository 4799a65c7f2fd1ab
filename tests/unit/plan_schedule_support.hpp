#pragma once

#include <fmt/format.h>

#include <string>
#include <tuple>
#include <vector>

#include "plan/schedule.hpp"

namespace planexe::plan {

/// A tree with the given number of tasks per phase. Phase ids are p1.., task ids t1.1.., subtask ids s1.1.1...
inline Wbs tree(const std::vector<int>& tasks_per_phase, int subtasks = 0) {
  Wbs wbs;
  const auto node = [](std::string id) {
    WbsNode made;
    made.title = "Title " + id;
    made.id = std::move(id);
    return made;
  };
  wbs.root = node("root");
  for (std::size_t p = 1; p <= tasks_per_phase.size(); ++p) {
    wbs.root.children.push_back(node(fmt::format("p{}", p)));
    for (int t = 1; t <= tasks_per_phase[p - 1]; ++t) {
      WbsNode task = node(fmt::format("t{}.{}", p, t));
      for (int s = 1; s <= subtasks; ++s) task.children.push_back(node(fmt::format("s{}.{}.{}", p, t, s)));
      wbs.root.children.back().children.push_back(std::move(task));
    }
  }
  number_wbs(wbs);
  return wbs;
}

/// 022-2 with estimates by ref: min, realistic, max.
inline json::value durations(const std::vector<std::tuple<std::string, int, int, int>>& estimates) {
  json::array list;
  for (const auto& [id, low, realistic, high] : estimates)
    list.push_back(json::object{{"task_id", id}, {"days_min", low}, {"days_realistic", realistic}, {"days_max", high}});
  return list;
}

/// 021 with links by ref: predecessor, dependent, type, lag.
inline json::value links(const std::vector<std::tuple<std::string, std::string, std::string, int>>& links) {
  json::array details;
  for (const auto& [from, to, type, lag] : links)
    details.push_back(json::object{{"dependent_task_id", to},
                                   {"depends_on_task_id_list", json::array{from}},
                                   {"depends_on_task_explanation_list", json::array{"because"}},
                                   {"depends_on_task_type_list", json::array{type}},
                                   {"depends_on_task_lag_days_list", json::array{lag}}});
  return json::object{{"task_dependency_details", std::move(details)}};
}

/// The schedule from Monday 2026-01-05 on.
inline Schedule scheduled(const Wbs& wbs, const json::value& durations, const json::value& dependencies,
                          json::value limits = nullptr) {
  const Calendar calendar(Date{std::chrono::year{2026}, std::chrono::January, std::chrono::day{5}});
  return make_schedule({wbs, durations, dependencies, calendar, std::move(limits), nullptr}).value();
}

}  // namespace planexe::plan
