#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "engine/plan_run.hpp"
#include "engine/requests.hpp"

namespace planexe::engine {

Result<void> PlanRun::check_retry(const std::string& task_key, const std::vector<std::string>& reset) const {
  const auto& task = tasks_.at(task_key);
  if (task.task->kind == recipe::TaskKind::given)
    return fail(ErrorCode::TaskNotRetryable, "Task \"" + task_key + "\" is given by the request; make a new plan to change it.");
  if (ended_ || ending_ != Ending::none) return fail(ErrorCode::PlanActive, "The run of this plan is ending; try again when it has ended.");
  if (task.row.state != "failed")
    return fail(ErrorCode::PlanActive, "The plan is running and task \"" + task_key + "\" is " + task.row.state +
                                           "; while a plan runs only a failed task can be retried.");
  for (const auto& key : reset) {
    const auto& dependent = tasks_.at(key);
    if (key == task_key || dependent.row.state == "pending" || dependent.row.state == "blocked") continue;
    return fail(ErrorCode::PlanActive, "Task \"" + key + "\" has gone on without \"" + task_key + "\"; wait for the end of the plan.");
  }
  return {};
}

Result<PlanRun::Retried> PlanRun::on_retry(const std::string& task_key, const RetryOptions& options, std::uint64_t ticket,
                                           TimePoint now) {
  now_ = now;
  if (!tasks_.contains(task_key)) return fail(ErrorCode::TaskNotFound, "The plan has no task \"" + strip_control(task_key) + "\".");
  Retried out;
  out.reset_tasks = with_dependents(*config_.recipe, {task_key});
  PLANEXE_TRY(check_retry(task_key, out.reset_tasks));
  auto& task = tasks_.at(task_key);
  auto run = options.run;
  if (auto model = std::exchange(run.model, std::nullopt)) task.row.model = std::move(*model);
  task.row.ask_anew = true;
  apply_options(plan_, run);
  config_.effort = plan_.reasoning_effort;
  mark_items(task, options.items);
  for (const auto& key : out.reset_tasks) reopen(tasks_.at(key));
  log_event("info", "Task \"" + task.task->title + "\" is made again", task_key);
  deferred_.push_back(Acknowledge{ticket});
  advance();
  out.actions = flush("retry");
  return out;
}

void PlanRun::reopen(TaskRun& task) {
  task.row.error_code.clear();
  task.row.error_message.clear();
  task.row.started_at.reset();
  task.row.finished_at.reset();
  task.row.duration_ms = 0;
  task.loaded = false;
  values_.erase(task.row.task_key);
  write(store::MarkStale{task.row.task_key});
  if (task.row.state != "pending") set_state(task, "pending", "retry");
}

void PlanRun::mark_items(TaskRun& task, RetryItems items) {
  auto& stored = stored_items_[task.row.task_key];
  keep_rows(task, stored);
  const auto asked = items_to_ask(stored, items);
  const auto mark = [&](store::ItemRow& row) {
    const auto it = std::ranges::find(asked, row.item_key, &store::ItemRow::item_key);
    if (it != asked.end()) row = *it;
  };
  std::ranges::for_each(stored, mark);
  for (auto& step : task.steps)
    for (auto& unit : step.units)
      if (!unit.calling) mark(unit.row);
  for (const auto& row : asked) write(store::PutItem{row});
}

/// What this run knows of the task's items, over what it knew when it began.
void PlanRun::keep_rows(TaskRun& task, std::vector<store::ItemRow>& stored) {
  for (auto& step : task.steps)
    for (auto& unit : step.units) {
      const auto it = std::ranges::find(stored, unit.unit.key, &store::ItemRow::item_key);
      if (it == stored.end()) {
        stored.push_back(unit.row);
      } else {
        *it = unit.row;
      }
    }
}

}  // namespace planexe::engine
