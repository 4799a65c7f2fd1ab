#pragma once

#include "engine/plan_run.hpp"

namespace planexe::engine {

/// Brings the values of finished tasks back into a run from what is stored, and makes interrupted tasks pending again.
/// A finished task is loaded after its inputs are: of an imported run some of those are computed first.
/// A finished task whose stored artefacts cannot be read (older recipe, damaged row) becomes pending: it is computed again
/// from its stored answers, without a model call where they still fit.
class Restore {
 public:
  explicit Restore(PlanRun& run) : run_(run) {}
  /// States of tasks that were at work; call once.
  void begin();
  /// Loads every finished task whose inputs are there; true when something changed.
  bool load_ready();

 private:
  Result<void> restore_task(TaskRun& task);
  Result<void> restore_steps(TaskRun& task, json::object& values);
  json::value output_value(const recipe::Output& output) const;

  PlanRun& run_;
};

}  // namespace planexe::engine
