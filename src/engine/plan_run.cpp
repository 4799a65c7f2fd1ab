#include "engine/plan_run.hpp"

#include <algorithm>
#include <utility>

#include "engine/names.hpp"
#include "engine/restore.hpp"

namespace planexe::engine {
namespace {

constexpr int kCommitRepeatsMax = 5;

/// A commit less per call is worth more than that watchers hear of its start at once.
constexpr std::chrono::milliseconds kWatchersWait{20};

std::string first_label(std::string current, std::string next) {
  if (current.empty() || next == "accept" || next == "end") return next;
  return current;
}

}  // namespace

PlanRun::PlanRun(RunConfig config, store::RunSnapshot snapshot, store::UsageTotals usage, std::int64_t fencing,
                 TimePoint now)
    : config_(std::move(config)),
      plan_(std::move(snapshot.plan)),
      usage_(usage),
      log_events_(snapshot.log_events),
      fencing_(fencing),
      events_(std::max(snapshot.last_seq, plan_.seq_reserved)),
      now_(now),
      run_started_(now) {
  PLANEXE_ASSERT(config_.recipe != nullptr && config_.builtins != nullptr && config_.next_interaction_id);
  plan_value_ = plan_value();
  for (auto& item : snapshot.items) stored_items_[item.task_key].push_back(std::move(item));
  for (auto& call : snapshot.open_interactions) open_calls_.insert_or_assign(call.call_key, std::move(call));
  stored_contents_ = std::move(snapshot.contents);
  for (const auto& row : stored_contents_) versions_[row.filename] = {row.version, row.sha256};
  for (const auto& task : config_.recipe->tasks) {
    auto& run = tasks_[task.key];
    run.task = &task;
    run.row.task_key = task.key;
    run.row.position = task.position;
    run.row.phase = task.phase;
    for (const auto& step : task.steps) run.steps.emplace_back(&step);
    order_.push_back(&run);
  }
  for (auto& row : snapshot.tasks)
    if (auto it = tasks_.find(row.task_key); it != tasks_.end()) it->second.row = std::move(row);
  for (const auto& [key, sums] : snapshot.usage_by_task)
    if (auto it = tasks_.find(key); it != tasks_.end()) it->second.usage = sums;
  measure_paths(*config_.recipe, tasks_);
}

PlanRun::~PlanRun() = default;

Actions PlanRun::start(TimePoint now) {
  now_ = run_started_ = now;
  plan_.status = "running";
  plan_.error_code.clear();
  plan_.error_message.clear();
  plan_.failed_task_key.clear();
  plan_.completed_at.reset();
  if (!plan_.started_at) plan_.started_at = now;
  plan_changed_ = true;
  Restore(*this).begin();
  update_progress();
  status_event("Plan is running");
  advance();
  return flush("start");
}

Actions PlanRun::on_commit(std::uint64_t token, const store::CommitResult& result, TimePoint now) {
  now_ = now;
  if (ended_ || !inflight_ || inflight_->token != token) return {};
  if (result.status == store::CommitStatus::unknown && ++inflight_->repeats <= kCommitRepeatsMax)
    return {Commit{token, inflight_->transaction}};
  if (!result.ok()) return lose(result);
  Actions after = std::move(inflight_->after);
  inflight_.reset();
  events_.committed(token);
  hand_out(std::move(after));
  return flush({});
}

Actions PlanRun::lose(const store::CommitResult& result) {
  Error error = result.error.value_or(
      result.status == store::CommitStatus::fenced
          ? Error(ErrorCode::Fenced, "another process has taken over this plan; nothing more is written by this one")
          : Error(ErrorCode::DatabaseError, "a result could not be stored; the plan can be resumed once the cause is gone"));
  ended_ = true;
  Actions actions = std::move(immediate_);
  for (auto& [key, task] : tasks_)
    for (auto& step : task.steps)
      for (auto& unit : step.units)
        if (unit.calling) actions.push_back(CancelCall{unit_name(task.row.task_key, unit.unit.key)});
  actions.push_back(RunEnded{"", std::move(error)});
  return actions;
}

Actions PlanRun::on_lease_lost(TimePoint now) {
  now_ = now;
  if (ended_) return {};
  return lose({store::CommitStatus::fenced, std::nullopt});
}

Actions PlanRun::on_cancel(TimePoint now) {
  now_ = now;
  if (ended_ || ending_ == Ending::cancelled || ending_ == Ending::finished) return {};
  ending_ = Ending::cancelled;
  end_error_ = Error(ErrorCode::Cancelled, "The plan was cancelled; its finished results are kept.");
  if (!plan_.cancel_requested_at) plan_.cancel_requested_at = now;
  plan_changed_ = true;
  stop_calls();
  advance();
  return flush("cancel");
}

Actions PlanRun::on_shutdown(TimePoint now) {
  now_ = now;
  if (ended_ || ending_ != Ending::none) return {};
  ending_ = Ending::shutdown;
  stop_calls();
  advance();
  return flush("shutdown");
}

Actions PlanRun::on_tick(TimePoint now) {
  now_ = now;
  if (ended_ || ending_ != Ending::none) return {};
  if (now - run_started_ > config_.timeout) {
    ending_ = Ending::failed;
    end_error_ = Error(ErrorCode::RunTimeout, "The run took longer than PLANEXE_RUN_TIMEOUT_MINUTES; resume goes on.");
    stop_calls();
    advance();
    return flush("end");
  }
  return {};
}

Actions PlanRun::on_computed(const std::string& key, Result<FinishedTask> result, TimePoint now) {
  now_ = now;
  if (ended_) return {};
  auto& task = tasks_.at(key);
  task.computing = false;
  accept_outputs(task, std::move(result));
  advance();
  return flush("accept");
}

void PlanRun::write(store::Write write) {
  // Of several states of one attempt in the same transaction only the last one counts.
  if (const auto* update = std::get_if<store::UpdateInteraction>(&write))
    std::erase_if(writes_, [id = update->row.id](const store::Write& earlier) {
      const auto* other = std::get_if<store::UpdateInteraction>(&earlier);
      return other != nullptr && other->row.id == id;
    });
  writes_.push_back(std::move(write));
}

Actions PlanRun::flush(std::string label) {
  label_ = first_label(std::move(label_), std::move(label));
  Actions actions = std::move(immediate_);
  immediate_.clear();
  const bool anything = !writes_.empty() || !dirty_tasks_.empty() || plan_changed_ || events_.unsealed();
  if (!inflight_ && !ended_ && anything) {
    actions.push_back(seal_transaction());
  } else if (!inflight_ && !anything) {
    hand_out(std::exchange(deferred_, {}));
    for (auto& action : immediate_) actions.push_back(std::move(action));
    immediate_.clear();
  }
  if (auto events = events_.drain(); !events.empty()) actions.push_back(Publish{std::move(events)});
  // RunEnded is the last thing the owner hears.
  const auto end = std::find_if(actions.begin(), actions.end(),
                                [](const Action& action) { return std::holds_alternative<RunEnded>(action); });
  if (end != actions.end()) std::rotate(end, end + 1, actions.end());
  return actions;
}

/// For what only watchers wait for: it goes with the next commit of a result, or alone after a moment.
Actions PlanRun::flush_soon() {
  Actions actions = std::move(immediate_);
  immediate_.clear();
  if (!std::exchange(wake_pending_, true)) actions.push_back(Wake{kWatchersWait});
  return actions;
}

Actions PlanRun::on_wake(TimePoint now) {
  now_ = now;
  wake_pending_ = false;
  if (ended_) return {};
  return flush("attempt");
}

void PlanRun::hand_out(Actions after) {
  for (auto& action : after) {
    if (std::holds_alternative<RunEnded>(action)) ended_ = true;
    if (const auto* call = std::get_if<StartCall>(&action))
      if (auto* unit = find_unit(call->unit)) unit->handed_out = true;
    immediate_.push_back(std::move(action));
  }
}

Action PlanRun::seal_transaction() {
  const std::uint64_t token = next_token_++;
  store::Transaction transaction{plan_.plan_id, fencing_, std::move(writes_), label_.empty() ? "update" : label_};
  writes_.clear();
  for (const auto& key : dirty_tasks_) transaction.writes.push_back(store::PutTask{tasks_.at(key).row});
  dirty_tasks_.clear();
  if (plan_changed_) {
    plan_.updated_at = now_;
    transaction.writes.push_back(store::PutPlan{plan_});
    plan_changed_ = false;
  }
  if (std::exchange(metrics_changed_, false)) transaction.writes.push_back(wall_metrics());
  if (const auto up_to = events_.wanted_reservation(); up_to > 0) transaction.writes.push_back(store::ReserveSeq{up_to});
  if (auto rows = events_.seal(token); !rows.empty()) transaction.writes.push_back(store::AppendEvents{std::move(rows)});
  if (release_lease_) transaction.writes.push_back(store::ReleaseLease{});
  label_.clear();
  auto sealed = std::make_shared<const store::Transaction>(std::move(transaction));
  inflight_ = InFlight{token, sealed, std::move(deferred_), 0};
  deferred_.clear();
  return Commit{token, std::move(sealed)};
}

UnitRun* PlanRun::find_unit(const std::string& name, TaskRun** task_out, StepRun** step_out) {
  const auto slash = name.find('/');
  const auto it = tasks_.find(name.substr(0, slash));
  if (it == tasks_.end() || slash == std::string::npos) return nullptr;
  const std::string_view key = std::string_view(name).substr(slash + 1);
  for (auto& step : it->second.steps)
    for (auto& unit : step.units)
      if (unit.unit.key == key) {
        if (task_out) *task_out = &it->second;
        if (step_out) *step_out = &step;
        return &unit;
      }
  return nullptr;
}

}  // namespace planexe::engine
