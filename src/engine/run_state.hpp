#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "recipe/answer.hpp"
#include "recipe/prompt.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// What a unit's prompt and judge may see. Owns the values that live only for this unit.
struct UnitContext {
  std::map<std::string, json::value> own;  ///< element name, unit, previous
  std::unique_ptr<recipe::Scope> scope;
  std::optional<std::vector<recipe::AnswerProblem>> problems;  ///< of the answer that was accepted last
};

struct UnitRun {
  recipe::Unit unit;
  store::ItemRow row;
  std::shared_ptr<UnitContext> context;
  recipe::Prompt prompt;
  std::int64_t interaction_id = 0;              ///< of the attempt in work or waiting
  std::optional<store::InteractionRow> ledger;  ///< its row
  std::optional<store::InteractionRow> ended;   ///< last row that ended and is not written yet
  int text_sequence = 0;                        ///< llm_stream sequence of this attempt
  bool calling = false;     ///< a call is started or waits for the commit that starts it
  bool handed_out = false;  ///< the model client has it
  bool checked = false;     ///< a stored answer was compared with the question of this run
  std::int64_t reserved_micros = 0;

  [[nodiscard]] bool settled() const { return row.state == "done" || row.state == "missing" || row.state == "skipped"; }
};

struct StepRun {
  explicit StepRun(const recipe::Step* of) : step(of) {}

  const recipe::Step* step = nullptr;
  bool expanded = false;
  bool skipped = false;  ///< `when` was false
  bool done = false;
  std::vector<UnitRun> units;
};

struct TaskRun {
  const recipe::Task* task = nullptr;
  store::TaskRow row;
  std::vector<StepRun> steps;
  std::size_t current = 0;              ///< index of the step in work
  std::map<std::string, json::value> local;  ///< own step values, `answer`, `items`, `out`, `view`
  bool computing = false;
  store::UsageTotals usage;             ///< of all its calls, over all runs
  bool loaded = false;                  ///< its values are in memory; a finished task of an earlier process is loaded once its inputs are
  int path_length = 0;                  ///< longest remaining chain of model rounds, for priorities
  int downstream = 0;

  [[nodiscard]] bool ended() const {
    return row.state == "completed" || row.state == "failed" || row.state == "skipped" || row.state == "blocked" ||
           row.state == "cancelled";
  }
  [[nodiscard]] bool succeeded() const { return row.state == "completed" || row.state == "skipped"; }
  /// A call of it is under way; after a failure that of its siblings, until they have stopped.
  [[nodiscard]] bool calling() const {
    return std::ranges::any_of(steps, [](const auto& step) { return std::ranges::any_of(step.units, &UnitRun::calling); });
  }
};

}  // namespace planexe::engine
