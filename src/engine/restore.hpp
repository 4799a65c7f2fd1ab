#pragma once

#include "engine/plan_run.hpp"

namespace planexe::engine {

/// Brings the values of finished tasks back into a run from what is stored, and makes interrupted tasks pending again.
/// A finished task whose stored artefacts cannot be read (older recipe, damaged row) becomes pending: it is computed again
/// from its stored answers, without a model call where they still fit.
class Restore {
 public:
  explicit Restore(PlanRun& run) : run_(run) {}
  void run();

 private:
  Result<void> restore_task(TaskRun& task);
  void restore_steps(TaskRun& task, json::object& values);
  json::value output_value(const recipe::Output& output) const;

  PlanRun& run_;
};

}  // namespace planexe::engine
