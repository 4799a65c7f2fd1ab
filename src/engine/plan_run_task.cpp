#include <algorithm>
#include <utility>

#include "base/hash.hpp"
#include "engine/finish.hpp"
#include "engine/names.hpp"
#include "engine/plan_run.hpp"

namespace planexe::engine {
namespace {

/// What an earlier run left of a unit, seen by a run that works on its task again.
void reopen_row(const recipe::Unit& unit, store::ItemRow& row) {
  if (unit.skipped && row.state_reason != "requested" && row.state != "done") {
    row.state = "skipped";
    row.state_reason = unit.skip_reason;
  } else if (row.state == "skipped" || row.state == "missing") {
    row.state = "waiting";
  }
}

}  // namespace

void PlanRun::set_state(TaskRun& task, std::string_view state, std::string reason) {
  const std::string previous = std::exchange(task.row.state, std::string(state));
  task.row.state_reason = std::move(reason);
  dirty_tasks_.insert(task.row.task_key);
  if (task.ended() && !values_.contains(task.row.task_key))
    values_[task.row.task_key] = json::object{{"status", task.row.state}};
  if (previous == state) return;
  task_event(task, previous);
  if (state == "running" || task.ended())
    write(store::PutTaskAttempt{task.row.task_key, plan_.run_attempt, task.row.attempt, task.row.state, task.row.started_at,
                                task.ended() ? std::optional(now_) : std::nullopt, task.row.error_code,
                                task.row.error_message});
}

void PlanRun::work_on(TaskRun& task) {
  while (task.current < task.steps.size() && task.row.state == "running") {
    if (!work_on_step(task, task.steps[task.current])) return;
    ++task.current;
  }
  if (task.row.state == "running" && !task.computing) finish(task);
}

bool PlanRun::work_on_step(TaskRun& task, StepRun& step) {
  if (step.done) return true;
  if (!step.expanded) {
    auto go_on = expand(task, step);
    if (!go_on) {
      fail_task(task, go_on.error());
      return false;
    }
    if (step.done) return true;
  }
  for (auto& unit : step.units) {
    if (unit.calling) {
      if (step.step->has_rounds()) break;
      continue;
    }
    if (unit.settled() && (unit.checked || unit.row.state != "done")) {
      if (step.step->has_rounds() && unit.row.state == "missing") break;
      continue;
    }
    start_unit(task, step, unit);
    if (task.row.state != "running") return false;
    if (step.step->has_rounds() && !unit.settled()) break;
  }
  return settle_step(task, step);
}

Result<void> PlanRun::expand_inner(TaskRun& task, StepRun& step, Expanding mode) {
  const auto context = make_context(task);
  if (step.step->when) {
    PLANEXE_TRY_ASSIGN(const bool wanted, recipe::evaluate(*step.step->when, *context->scope));
    if (!wanted) {
      step.skipped = step.done = true;
      return {};
    }
  }
  if (!step.step->builtin.empty()) {
    PLANEXE_TRY(run_builtin_step(task, step));
    step.done = true;
    return {};
  }
  const auto speed = recipe::speed_from(plan_.speed_vs_detail).value_or(recipe::Speed::all);
  PLANEXE_TRY_ASSIGN(auto units, recipe::expand_units(*step.step, speed, *context->scope));
  const auto stored = stored_items_.find(task.row.task_key);
  for (auto& unit : units) {
    UnitRun run;
    run.row.task_key = task.row.task_key;
    run.row.item_key = unit.key;
    run.row.position = unit.position;
    if (stored != stored_items_.end())
      for (const auto& row : stored->second)
        if (row.item_key == unit.key) run.row = row;
    if (mode == Expanding::running) reopen_row(unit, run.row);
    run.unit = std::move(unit);
    step.units.push_back(std::move(run));
  }
  if (mode == Expanding::running)
    for (auto& unit : step.units)
      if (unit.row.state == "skipped") put_item(task, unit);
  return {};
}

Result<bool> PlanRun::expand(TaskRun& task, StepRun& step) {
  PLANEXE_TRY(expand_inner(task, step, Expanding::running));
  step.expanded = true;
  apply_row_units(task);
  return true;
}

void PlanRun::apply_row_units(TaskRun& task) {
  int total = 0, done = 0, failed = 0;
  for (const auto& step : task.steps)
    for (const auto& unit : step.units) {
      ++total;
      done += unit.row.state == "done" ? 1 : 0;
      failed += unit.row.state == "missing" ? 1 : 0;
    }
  if (total > task.row.weight) task.row.weight = total;
  task.row.units_total = total;
  task.row.units_done = done;
  task.row.units_failed = failed;
  dirty_tasks_.insert(task.row.task_key);
}

Result<void> PlanRun::run_builtin_step(TaskRun& task, StepRun& step) {
  PLANEXE_TRY_ASSIGN(auto input, builtin_input(task, step.step->reads));
  const auto it = config_.builtins->find(step.step->builtin);
  if (it == config_.builtins->end())
    return fail(ErrorCode::RecipeInvalid, "Step \"" + step.step->name + "\" names the unknown function \"" + step.step->builtin + "\".");
  PLANEXE_TRY_ASSIGN(auto result, it->second(input));
  task.local[step.step->name] = json::object{{"answer", std::move(result.answer)}};
  return {};
}

bool PlanRun::settle_step(TaskRun& task, StepRun& step) {
  if (step.done) return true;
  const auto count = [&](std::string_view state) {
    return std::count_if(step.units.begin(), step.units.end(), [&](const auto& u) { return u.row.state == state; });
  };
  const auto missing = count("missing"), done = count("done");
  const auto wanted = static_cast<long>(step.units.size()) - count("skipped");
  if (step.step->has_rounds() && missing > 0) {
    // Later rounds need the earlier ones; what exists is kept when enough rounds succeeded.
    const int needed = step.step->min_rounds > 0 ? step.step->min_rounds : static_cast<int>(wanted);
    if (done < needed) return fail_step(task, step);
    for (auto& unit : step.units) {
      if (unit.settled()) continue;
      unit.row.state = "missing";
      unit.row.state_reason = "earlier_round_missing";
      put_item(task, unit);
    }
    task.row.degraded = true;
  } else if (std::any_of(step.units.begin(), step.units.end(), [](const auto& u) { return !u.settled(); })) {
    return false;
  } else if (missing > 0) {
    const double share = static_cast<double>(missing) / static_cast<double>(std::max(1L, wanted));
    const double allowed = step.step->map ? step.step->map->max_missing : 0;
    if (share > allowed || (done == 0 && allowed < 1)) return fail_step(task, step);
    task.row.degraded = true;
  }
  for (const auto& unit : step.units)
    if (get_bool(unit.row.meta, "degraded").value_or(false)) task.row.degraded = true;
  publish_step_value(task, step);
  step.done = true;
  return true;
}

bool PlanRun::fail_step(TaskRun& task, StepRun& step) {
  for (const auto& unit : step.units) {
    if (unit.calling) return false;  // siblings in flight may still be accepted
  }
  for (const auto& unit : step.units) {
    if (unit.row.state != "missing" || unit.row.error_code.empty()) continue;
    fail_task(task, Error(error_code_from(unit.row.error_code).value_or(ErrorCode::TaskFailed), unit.row.error_message));
    return false;
  }
  fail_task(task, Error(ErrorCode::TaskFailed, "Too many parts of this task are missing."));
  return false;
}

void PlanRun::publish_step_value(TaskRun& task, StepRun& step) {
  auto value = step_value(step);
  if (is_only_asked_step(*task.task, *step.step))
    for (auto& [key, member] : value) task.local[std::string(key)] = member;
  task.local[step.step->name] = std::move(value);
}

void PlanRun::finish(TaskRun& task) {
  auto job = make_finish_job(task);
  if (!job) {
    fail_task(task, job.error());
    return;
  }
  if (config_.heavy_builtins.contains(task.task->finish)) {
    task.computing = true;
    auto shared = std::make_shared<const FinishJob>(std::move(*job));
    immediate_.push_back(Compute{task.row.task_key, [shared] { return finish_task(*shared); }});
    return;
  }
  accept_outputs(task, finish_task(*job));
}

void PlanRun::accept_outputs(TaskRun& task, Result<FinishedTask> result) {
  if (result) {
    complete_task(task, std::move(*result));
  } else {
    fail_task(task, result.error());
  }
}

void PlanRun::complete_task(TaskRun& task, FinishedTask finished) {
  const bool degraded = task.row.degraded || finished.degraded;
  task.row.degraded = degraded;
  task.row.finished_at = now_;
  if (task.row.started_at) task.row.duration_ms = (now_ - *task.row.started_at).count();
  task.row.ask_anew = false;
  Sha256 hash;
  for (const auto& step : task.steps)
    for (const auto& unit : step.units) hash.update(unit.row.input_hash);
  task.row.input_hash = hash.hex();
  for (const auto& file : finished.files) put_file(file, task.task->phase, task.row.task_key);
  finished.values["status"] = finished.skipped_reason.empty() ? "completed" : "skipped";
  values_[task.row.task_key] = std::move(finished.values);
  task.loaded = true;
  set_state(task, finished.skipped_reason.empty() ? "completed" : "skipped", finished.skipped_reason);
  log_event("info", class_name(task.row.task_key) + " is complete", task.row.task_key);
  for (const auto& finding : finished.findings)
    log_event("warning", task.task->title + ": " + finding.message, task.row.task_key);
  deferred_.push_back(WriteFiles{std::move(finished.files)});
  release_memory(task);
  plan_.recovery_count = 0;
  plan_changed_ = true;
  apply_gate(task);
}

void PlanRun::fail_task(TaskRun& task, const Error& error) {
  task.row.error_code = to_string(error.code);
  task.row.error_message = error.message;
  task.row.finished_at = now_;
  if (task.row.started_at) task.row.duration_ms = (now_ - *task.row.started_at).count();
  task.row.ask_anew = false;
  values_[task.row.task_key] = json::object{{"status", "failed"}};
  set_state(task, "failed");
  log_event("error", class_name(task.row.task_key) + " FAILED: " + error.message, task.row.task_key);
  for (auto& step : task.steps)
    for (auto& unit : step.units)
      if (unit.calling) immediate_.push_back(CancelCall{unit_name(task.row.task_key, unit.unit.key)});
}

}  // namespace planexe::engine
