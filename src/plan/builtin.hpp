#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::plan {

/// Something a reader of the plan should know: a dropped link, a merged duplicate, a limit that was not obeyed.
struct Finding {
  std::string rule;     ///< short stable name, for example "unknown_id"
  std::string path;     ///< where in the result, for example "levers[3].name"
  std::string message;  ///< one sentence
};

/// What a finish or step function may look at. All values are JSON; texts of Markdown outputs are JSON strings.
/// The object lives only during the call.
struct BuiltinInput {
  std::string plan_id;
  std::string task_key;
  json::object plan;   ///< prompt, start_date (YYYY-MM-DD), created_at (ISO), intake (object or null), speed, title,
                       ///< rehearsal (bool)
  json::object steps;  ///< step name -> {"answer": value} or {"items": [{key, number, state, answer, element}]}; absent
                       ///< when the step was skipped
  json::object reads;  ///< reference text as written in `reads` (without '?') -> value; null when a tolerant one failed
  json::object statuses;  ///< only for the report: task key -> {status, reason}
};

/// What a function gives back.
struct BuiltinResult {
  json::object outputs;  ///< output name -> JSON value, or a JSON string for text outputs; a list for "{n}" outputs
  json::value view;      ///< `view` in templates of this task; null when unused
  json::value answer;    ///< for step builtins: the value of <step>.answer
  std::vector<Finding> findings;
  bool degraded = false;       ///< a partial result was accepted by rule
  std::string skipped_reason;  ///< not empty: the task ends as `skipped` with a result, for example "from_intake"
};

/// Pure: equal inputs give equal results, no clock, no randomness, no I/O. Errors end the task with their code.
using Builtin = std::function<Result<BuiltinResult>(const BuiltinInput&)>;

/// All registered functions by name. Built once; safe to read from any thread.
const std::map<std::string, Builtin, std::less<>>& builtins();

/// Deterministic id: UUIDv5 of plan, task key and item. `item` = parent id + normalised title + running number among
/// equals.
std::string mint_id(std::string_view plan_id, std::string_view task_key, std::string_view item);

}  // namespace planexe::plan
