#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/run_state.hpp"

namespace planexe::engine {

/// Name of a unit in the plan: "task/key".
std::string unit_name(std::string_view task_key, std::string_view unit_key);

/// Key of a unit's call, fixed by the plan graph: "task/key/1".
std::string call_key(std::string_view task_key, std::string_view unit_key);

/// "redline_gate" -> "RedlineGateTask", as in the log lines that older clients parse.
std::string class_name(std::string_view task_key);

/// True when this step asks a model and no other step of the task does: its value is also the task's `answer` or `items`.
bool is_only_asked_step(const recipe::Task& task, const recipe::Step& step);

/// Sets path_length and downstream of every task: rounds of model calls from the task to the end of its longest chain.
void measure_paths(const recipe::Recipe& recipe, std::map<std::string, TaskRun>& tasks);

}  // namespace planexe::engine
