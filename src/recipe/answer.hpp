#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// One thing that is wrong with an answer.
struct AnswerProblem {
  bool is_assert = true;
  std::string rule;  ///< "json", "schema", "schema_echo", "placeholder", "complete", or the rule of task.toml: "len",
                     ///< "unique", ...
  std::string pointer;  ///< JSON pointer of the place, "" for the whole answer
  std::string message;  ///< one sentence that a model can act on
  std::string path;     ///< the rule's path as written in task.toml; "" for the rules that nobody writes
};

/// What reading an answer gave. `value` holds the accepted or partial value.
struct AnswerVerdict {
  json::value value;
  std::vector<AnswerProblem> problems;  ///< asserts first
  bool accepted() const;                ///< no failed assert
  bool partial = false;                 ///< `complete` list: valid elements kept, `missing` has the keys still wanted
  std::vector<std::string> missing;     ///< keys; with `count`, "#4" for the fourth entry
  bool degraded = false;  ///< partial, and by the step's rule good enough to be accepted when no follow-up is left
};

/// Tolerant reading: BOM and code fences stripped, the single outermost JSON value taken, nothing guessed.
/// Several complete values: error. Text before and after the value is ignored. Error INVALID_JSON.
Result<json::value> read_json_answer(std::string_view text);

/// Complete elements of the list at `list` in a JSON text that was cut; nothing else is repaired. Empty when there is
/// none.
json::array salvage_list(std::string_view text, const Path& list);

/// Schema, standing rules (schema echo, placeholders), then the step's rules. `scope` as for render_prompt; `answer` in
/// rules is this answer. `kept` are elements accepted in earlier rounds of a partial answer.
AnswerVerdict judge_answer(const Task& task, const Step& step, std::string_view text, const Scope& scope,
                           const json::array& kept = {});

/// The same for a value that is already JSON (examples, imported answers); a text answer is a JSON string.
AnswerVerdict judge_value(const Task& task, const Step& step, json::value value, const Scope& scope,
                          const json::array& kept = {});

/// The list that a partial answer of this step has so far; empty when the step has no `complete`.
json::array kept_elements(const Step& step, const AnswerVerdict& verdict);

/// JSON Schema validation (draft 7 subset); pointer and reason per error, at most `most`. Compiled schemas are kept;
/// safe from any thread.
std::vector<AnswerProblem> validate_schema(const json::value& schema, const json::value& value, std::size_t most = 20);

/// Violations of the strict subset of structured outputs (plus our own: description on every property, no length keywords, no
/// patterns: they are rules).
std::vector<AnswerProblem> check_strict_subset(const json::value& schema);

/// Repair feedback for the model: at most 20 problems as pointer and reason; for partial answers only what is missing
/// is asked for.
std::string repair_text(const AnswerVerdict& verdict, const Step& step);

}  // namespace planexe::recipe
