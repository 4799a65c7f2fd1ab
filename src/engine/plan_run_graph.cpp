#include <algorithm>

#include "engine/names.hpp"
#include "engine/plan_run.hpp"
#include "engine/restore.hpp"
#include "recipe/template.hpp"

namespace planexe::engine {
namespace {

bool is_model_task(const recipe::Task& task) {
  return std::any_of(task.steps.begin(), task.steps.end(), [](const auto& step) { return step.builtin.empty(); });
}

bool is_tolerant_only(const recipe::Task& task) {
  return !task.edges.empty() &&
         std::all_of(task.edges.begin(), task.edges.end(), [](const auto& edge) { return edge.tolerant; });
}

}  // namespace

void PlanRun::advance() {
  if (ended_ || end_written_) return;
  bool moved = true;
  while (moved) {
    moved = settle_graph();
    moved = start_ready_tasks() || moved;
  }
  update_progress();
  try_end();
}

bool PlanRun::input_failed(const TaskRun& task) const {
  return std::any_of(task.task->edges.begin(), task.task->edges.end(), [this](const auto& edge) {
    const auto& from = tasks_.at(edge.from);
    return !edge.tolerant && from.ended() && !from.succeeded();
  });
}

bool PlanRun::inputs_ready(const TaskRun& task) const {
  return std::all_of(task.task->edges.begin(), task.task->edges.end(), [this](const auto& edge) {
    const auto& from = tasks_.at(edge.from);
    if (from.succeeded()) return from.loaded;
    return edge.tolerant && from.ended();
  });
}

bool PlanRun::gate_open(const TaskRun& task) const {
  const auto& gate = config_.recipe->gate;
  if (plan_.redline_mode != "block" || gate.empty() || task.row.task_key == gate || !is_model_task(*task.task))
    return true;
  const auto it = tasks_.find(gate);
  return it == tasks_.end() || it->second.succeeded();
}

bool PlanRun::settle_graph() {
  bool moved = false;
  for (auto* task : order_) {
    if (task->row.state != "pending" || !input_failed(*task)) continue;
    task->row.error_code = to_string(ErrorCode::UpstreamFailed);
    task->row.error_message = "An input of this task failed.";
    set_state(*task, "blocked", "upstream_failed");
    moved = true;
  }
  return moved;
}

bool PlanRun::start_ready_tasks() {
  bool moved = Restore(*this).load_ready();
  if (ending_ != Ending::none) return moved;
  for (auto* task : order_) {
    if (task->row.state != "pending" || task->calling() || !inputs_ready(*task) || !gate_open(*task)) continue;
    begin_task(*task);
    moved = true;
    if (ending_ != Ending::none) break;
  }
  return moved;
}

void PlanRun::begin_task(TaskRun& task) {
  ++task.row.attempt;
  task.row.run_attempt = plan_.run_attempt;
  task.row.started_at = now_;
  task.row.finished_at.reset();
  task.row.error_code.clear();
  task.row.error_message.clear();
  task.row.degraded = false;
  task.current = 0;
  keep_rows(task, stored_items_[task.row.task_key]);
  for (auto& step : task.steps) step = StepRun(step.step);
  task.local.clear();
  set_state(task, "running");
  log_event("info", "Running task " + class_name(task.row.task_key), task.row.task_key);
  work_on(task);
}

void PlanRun::apply_gate(TaskRun& task) {
  if (task.row.task_key != config_.recipe->gate || plan_.redline_mode != "block" || ending_ != Ending::none) return;
  const auto& value = values_.at(task.row.task_key);
  const auto* answer = find(value, "answer");
  const auto verdict = answer ? get_string(*answer, "verdict").value_or("") : "";
  if (verdict == "REFUSE") {
    ending_ = Ending::refused;
    end_error_ = Error(ErrorCode::PromptRefused,
                       "The safety gate refused this prompt: " +
                           std::string(get_string(*answer, "rationale_short").value_or("no reason was given")));
    plan_.failed_task_key = task.row.task_key;
    stop_calls();
  } else if (verdict == "ALLOW_WITH_SAFETY_FRAMING") {
    if (const auto it = config_.recipe->fragments.find("safety_framing"); it != config_.recipe->fragments.end()) {
      const recipe::Scope empty;
      if (auto text = recipe::render(it->second, empty, config_.recipe->fragments)) framing_ = *text;
    }
  }
}

void PlanRun::stop_calls() {
  const auto is_start = [](const Action& action) { return std::holds_alternative<StartCall>(action); };
  std::erase_if(deferred_, is_start);
  if (inflight_) std::erase_if(inflight_->after, is_start);
  for (auto& [key, task] : tasks_)
    for (auto& step : task.steps)
      for (auto& unit : step.units) {
        if (!unit.calling) continue;
        if (unit.handed_out) {
          immediate_.push_back(CancelCall{unit_name(key, unit.unit.key)});
          continue;
        }
        // It waited for its commit and is never sent.
        unit.calling = false;
        if (!unit.ledger) continue;
        unit.ledger->status = "cancelled";
        unit.ledger->completed_at = now_;
        write(store::UpdateInteraction{*unit.ledger});
      }
}

bool PlanRun::nothing_running() const {
  return std::none_of(order_.begin(), order_.end(), [](const TaskRun* task) {
    if (task->computing) return true;
    return task->calling();
  });
}

void PlanRun::close_open_tasks(std::string_view reason) {
  for (auto* task : order_) {
    if (task->row.state == "running" || task->row.state == "ready") {
      task->row.finished_at = now_;
      set_state(*task, "cancelled", std::string(reason));
    } else if (task->row.state == "pending" && ending_ != Ending::cancelled && !is_tolerant_only(*task->task)) {
      set_state(*task, "cancelled", std::string(reason));
    }
  }
}

void PlanRun::try_end() {
  if (end_written_ || !nothing_running()) return;
  switch (ending_) {
    case Ending::none:
      if (std::any_of(order_.begin(), order_.end(), [](const TaskRun* task) { return !task->ended(); })) {
        end_stuck();
        return;
      }
      end_by_results();
      return;
    case Ending::cancelled:
      close_open_tasks("cancelled");
      end_plan("cancelled", end_error_);
      return;
    case Ending::shutdown:
      end_shutdown();
      return;
    case Ending::failed:
    case Ending::refused:
      close_open_tasks(ending_ == Ending::refused ? "prompt_refused" : "plan_stopped");
      if (!run_tolerant_tasks()) end_plan("failed", end_error_);
      return;
    case Ending::finished:
      return;
  }
}

bool PlanRun::run_tolerant_tasks() {
  // The report is assembled from what exists, also for a plan that stopped early.
  for (auto* task : order_) {
    if (task->row.state != "pending" || !inputs_ready(*task)) continue;
    begin_task(*task);
    if (task->computing) return true;
  }
  return !nothing_running();
}

void PlanRun::end_by_results() {
  for (const auto* task : order_) {
    if (!task->task->required || task->succeeded() || task->row.state == "blocked") continue;
    plan_.failed_task_key = task->row.task_key;
    const auto code = error_code_from(task->row.error_code).value_or(ErrorCode::TaskFailed);
    end_plan("failed", Error(code == ErrorCode::Internal ? ErrorCode::TaskFailed : code,
                             "Task \"" + task->task->title + "\" failed: " + task->row.error_message));
    return;
  }
  end_plan("completed", std::nullopt);
}

void PlanRun::end_stuck() {
  const auto& gate = config_.recipe->gate;
  const auto it = tasks_.find(gate);
  ending_ = Ending::failed;
  if (it != tasks_.end() && it->second.ended() && !it->second.succeeded()) {
    plan_.failed_task_key = gate;
    end_error_ = Error(error_code_from(it->second.row.error_code).value_or(ErrorCode::TaskFailed),
                       "The safety gate gave no verdict, so nothing else was started: " + it->second.row.error_message);
  } else {
    end_error_ = Error(ErrorCode::Internal, "No task can run although some are open; the recipe's graph is broken.");
  }
  try_end();
}

void PlanRun::end_plan(std::string status, std::optional<Error> error) {
  plan_.status = status;
  plan_.completed_at = now_;
  plan_.error_code = error ? std::string(to_string(error->code)) : "";
  plan_.error_message = error ? error->message : "";
  plan_.eta_seconds.reset();
  plan_.recovery_count = 0;
  if (status == "completed") plan_.progress_percentage = 100;
  plan_changed_ = true;
  release_lease_ = true;
  ending_ = Ending::finished;
  end_written_ = true;
  abandon_open_calls();
  metrics_changed_ = true;
  if (status == "completed") add_completion_marker();
  status_event(status == "completed" ? "Plan is complete" : plan_.error_message);
  json::object payload{{"message", status == "completed" ? "Plan is complete" : plan_.error_message}, {"reason", status}};
  events_.store("stream_end", std::move(payload), now_);
  label_ = "end";
  deferred_.push_back(RunEnded{std::move(status), std::move(error)});
}

void PlanRun::end_shutdown() {
  for (auto* task : order_)
    if (task->row.state == "running" || task->row.state == "ready") set_state(*task, "pending", "shutdown");
  plan_.status = "pending";
  plan_changed_ = true;
  release_lease_ = true;
  ending_ = Ending::finished;
  end_written_ = true;
  status_event("The server is shutting down; the plan goes on later");
  label_ = "end";
  deferred_.push_back(RunEnded{"pending", std::nullopt});
}

void PlanRun::add_completion_marker() {
  constexpr std::string_view kMarker = "999-pipeline_complete.txt";
  FinishedTask::File file{"marker", std::string(kMarker), "txt", "All tasks of this plan are finished."};
  put_file(file, "completion", "");
  deferred_.push_back(WriteFiles{{file}});
}

void PlanRun::abandon_open_calls() {
  for (auto& [key, row] : open_calls_) {
    row.status = "abandoned";
    row.error_message = "The call was in flight when an earlier process ended and was not needed any more.";
    row.completed_at = now_;
    write(store::UpdateInteraction{row});
  }
  open_calls_.clear();
}

}  // namespace planexe::engine
