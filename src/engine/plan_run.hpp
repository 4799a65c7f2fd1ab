#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/actions.hpp"
#include "engine/event_log.hpp"
#include "engine/finish.hpp"
#include "engine/requests.hpp"
#include "engine/run_state.hpp"
#include "plan/builtin.hpp"
#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// What a run needs from outside; everything else is in the snapshot.
struct RunConfig {
  const recipe::Recipe* recipe = nullptr;  ///< the plan's own recipe; outlives the run
  const std::map<std::string, plan::Builtin, std::less<>>* builtins = nullptr;
  std::string model;    ///< requested model of this run, "" = automatic
  std::string effort;   ///< reasoning effort of this run
  bool rehearsal = false;
  std::chrono::milliseconds timeout{std::chrono::minutes(240)};
  std::int64_t log_events_max = 20000;
  std::function<std::int64_t()> next_interaction_id;  ///< from the store's blocks
  std::set<std::string, std::less<>> heavy_builtins{"report"};  ///< run as Compute actions
};

/// The run of one plan: a machine without sockets, clocks, threads or I/O. The owner feeds what happened and performs
/// the actions in order. Every change of state is one fenced transaction; what follows from it (calls, files, events)
/// is handed out only after its commit. One thread.
class PlanRun {
 public:
  PlanRun(RunConfig config, store::RunSnapshot snapshot, store::UsageTotals usage, std::int64_t fencing, TimePoint now);
  ~PlanRun();
  PlanRun(PlanRun&&) = delete;

  /// Restores what is finished, takes up calls in flight, starts what is ready. Call once.
  Actions start(TimePoint now);

  Actions on_commit(std::uint64_t token, const store::CommitResult& result, TimePoint now);
  Actions on_attempt_ready(const std::string& unit, const llm::AttemptStart& start, TimePoint now);
  Actions on_response_id(const std::string& unit, int attempt, const std::string& response_id, TimePoint now);
  enum class DeltaKind { text, reasoning };
  Actions on_delta(const std::string& unit, DeltaKind kind, std::string_view delta, TimePoint now);
  Actions on_attempt_ended(const std::string& unit, const llm::AttemptRecord& record, TimePoint now);
  Actions on_call_finished(const std::string& unit, const llm::CallOutcome& outcome, TimePoint now);
  Actions on_computed(const std::string& task, Result<FinishedTask> result, TimePoint now);
  /// Keeps results, stops calls, ends `cancelled`. Safe to repeat.
  Actions on_cancel(TimePoint now);
  struct Retried {
    std::vector<std::string> reset_tasks;  ///< the task and its transitive dependents, canonical order
    Actions actions;                       ///< with an Acknowledge of the ticket once it is stored
  };
  /// A failed task is made again while the others go on; tasks that wait for it come back with it. TASK_NOT_FOUND;
  /// PLAN_ACTIVE when the task has not failed, a dependent has begun, or the run is ending.
  Result<Retried> on_retry(const std::string& task_key, const RetryOptions& options, std::uint64_t ticket, TimePoint now);
  /// The process is shutting down: calls are cancelled, the plan goes back to `pending` and its lease is released.
  Actions on_shutdown(TimePoint now);
  /// The lease was lost: nothing more is written.
  Actions on_lease_lost(TimePoint now);
  /// Run limit and estimates; about once a second.
  Actions on_tick(TimePoint now);
  /// The time asked for by Wake is over.
  Actions on_wake(TimePoint now);

  /// Outputs of a task as they would be made now from what is stored; nothing is changed. Instead of start().
  Result<FinishedTask> preview(const std::string& task_key);
  /// Requests of a task as they would be sent now, by unit key; stops at the first step whose inputs do not exist yet. Instead of start().
  Result<std::vector<std::pair<std::string, recipe::Prompt>>> preview_prompts(const std::string& task_key);

  [[nodiscard]] const store::PlanRow& plan() const { return plan_; }
  [[nodiscard]] const std::map<std::string, TaskRun>& tasks() const { return tasks_; }
  [[nodiscard]] const store::UsageTotals& usage() const { return usage_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::int64_t fencing() const { return fencing_; }
  [[nodiscard]] std::int64_t last_seq() const { return events_.last_seq(); }

 private:
  friend class Restore;
  enum class Ending { none, finished, failed, cancelled, refused, shutdown };

  // retry (plan_run_retry.cpp)
  [[nodiscard]] Result<void> check_retry(const std::string& task_key, const std::vector<std::string>& reset) const;
  void reopen(TaskRun& task);
  void mark_items(TaskRun& task, RetryItems items);
  static void keep_rows(TaskRun& task, std::vector<store::ItemRow>& stored);

  // graph (plan_run_graph.cpp)
  void advance();
  bool settle_graph();
  bool start_ready_tasks();
  [[nodiscard]] bool inputs_ready(const TaskRun& task) const;
  [[nodiscard]] bool input_failed(const TaskRun& task) const;
  [[nodiscard]] bool gate_open(const TaskRun& task) const;
  void begin_task(TaskRun& task);
  void apply_gate(TaskRun& task);
  void stop_calls();
  [[nodiscard]] bool nothing_running() const;
  void close_open_tasks(std::string_view reason);
  void try_end();
  bool run_tolerant_tasks();
  void end_by_results();
  void end_stuck();
  void end_plan(std::string status, std::optional<Error> error);
  void end_shutdown();
  void add_completion_marker();
  void abandon_open_calls();

  // one task (plan_run_task.cpp)
  void set_state(TaskRun& task, std::string_view state, std::string reason = {});
  void work_on(TaskRun& task);
  bool work_on_step(TaskRun& task, StepRun& step);
  Result<bool> expand(TaskRun& task, StepRun& step);
  enum class Expanding { running, reading };  ///< reading: stored states stay as they are and nothing is written
  Result<void> expand_inner(TaskRun& task, StepRun& step, Expanding mode);
  void apply_row_units(TaskRun& task);
  Result<void> run_builtin_step(TaskRun& task, StepRun& step);
  bool settle_step(TaskRun& task, StepRun& step);
  bool fail_step(TaskRun& task, StepRun& step);
  void publish_step_value(TaskRun& task, StepRun& step);
  void finish(TaskRun& task);
  void accept_outputs(TaskRun& task, Result<FinishedTask> result);
  void complete_task(TaskRun& task, FinishedTask finished);
  void fail_task(TaskRun& task, const Error& error);

  // one unit (plan_run_unit.cpp)
  Result<void> prepare_unit(TaskRun& task, StepRun& step, UnitRun& unit);
  void start_unit(TaskRun& task, StepRun& step, UnitRun& unit);
  std::optional<llm::Recovery> take_open_call(TaskRun& task, UnitRun& unit, bool same_question);
  [[nodiscard]] llm::CallSpec make_spec(const TaskRun& task, const StepRun& step, const UnitRun& unit) const;
  [[nodiscard]] std::optional<llm::Parent> parent_of(const TaskRun& task, const StepRun& step) const;
  [[nodiscard]] llm::Judge make_judge(const TaskRun& task, const StepRun& step, const UnitRun& unit) const;
  void open_interaction(TaskRun& task, StepRun& step, UnitRun& unit, int attempt, std::string_view reason);
  void flush_ended(UnitRun& unit);
  void close_ledger(UnitRun& unit, const llm::CallOutcome& outcome);
  void account(TaskRun& task, const llm::AttemptRecord& record);
  void settle_unit(TaskRun& task, StepRun& step, UnitRun& unit, const llm::CallOutcome& outcome);
  void settle_failure(UnitRun& unit, const Error& error);
  bool settle_gate_refusal(TaskRun& task, UnitRun& unit, const llm::CallOutcome& outcome);
  void record_findings(const TaskRun& task, const StepRun& step, const UnitRun& unit, json::object& meta) const;
  void put_item(TaskRun& task, UnitRun& unit);

  // values (plan_run_values.cpp)
  [[nodiscard]] json::value plan_value() const;
  std::shared_ptr<UnitContext> make_context(TaskRun& task, StepRun* step = nullptr, UnitRun* unit = nullptr);
  void add_unit_values(const StepRun& step, const UnitRun& unit, UnitContext& context) const;
  [[nodiscard]] json::object step_value(const StepRun& step) const;
  [[nodiscard]] json::object task_statuses() const;
  Result<plan::BuiltinInput> builtin_input(TaskRun& task, const std::vector<recipe::Path>& reads);
  Result<FinishJob> make_finish_job(TaskRun& task);
  void put_file(const FinishedTask::File& file, const std::string& phase, const std::string& task_key);
  void release_memory(TaskRun& task);

  // progress (plan_run_progress.cpp)
  void update_progress();
  void update_eta();
  [[nodiscard]] json::object progress_object() const;
  [[nodiscard]] json::object task_payload(const TaskRun& task, std::string_view previous) const;
  void task_event(const TaskRun& task, std::string_view previous);
  void status_event(std::string message);
  void log_event(std::string level, std::string message, std::string task_key);
  [[nodiscard]] store::Write wall_metrics() const;

  // transactions (plan_run.cpp)
  Actions flush(std::string label);
  Actions flush_soon();
  Action seal_transaction();
  void hand_out(Actions after);
  Actions lose(const store::CommitResult& result);
  void write(store::Write write);
  UnitRun* find_unit(const std::string& unit, TaskRun** task = nullptr, StepRun** step = nullptr);

  RunConfig config_;
  store::PlanRow plan_;
  std::map<std::string, TaskRun> tasks_;
  std::vector<TaskRun*> order_;
  std::map<std::string, json::value> values_;  ///< finished tasks, for references
  json::value plan_value_;
  std::map<std::string, std::vector<store::ItemRow>> stored_items_;
  std::map<std::string, store::InteractionRow> open_calls_;  ///< by call key, from before this process
  std::vector<store::ContentRow> stored_contents_;
  struct Version {
    int number = 0;
    std::string sha256;
  };
  std::map<std::string, Version> versions_;  ///< of the current files, as the store numbers them
  store::UsageTotals usage_;
  std::int64_t reserved_micros_ = 0;
  std::set<std::string> stored_blocks_;  ///< hashes of text blocks this run has written
  double weight_done_ = 0;
  int progress_floor_ = 0;
  std::int64_t log_events_ = 0;
  std::int64_t fencing_ = 0;
  EventLog events_;
  TimePoint now_{};
  TimePoint run_started_{};
  std::int64_t call_ms_sum_ = 0, call_count_ = 0;

  // One transaction of a plan is under way at a time; what happens meanwhile gathers for the next one. So nothing can be
  // accepted after something that was not.
  struct InFlight {
    std::uint64_t token = 0;
    std::shared_ptr<const store::Transaction> transaction;
    Actions after;
    int repeats = 0;
  };
  std::optional<InFlight> inflight_;
  std::vector<store::Write> writes_;
  std::set<std::string> dirty_tasks_;
  bool plan_changed_ = false;
  bool metrics_changed_ = false;
  bool release_lease_ = false;
  bool wake_pending_ = false;
  std::string label_;
  Actions immediate_;  ///< may be done before the commit
  Actions deferred_;   ///< only after it
  std::uint64_t next_token_ = 1;
  Ending ending_ = Ending::none;
  std::optional<Error> end_error_;
  bool end_written_ = false;
  bool ended_ = false;
  std::string framing_;  ///< extra instruction after ALLOW_WITH_SAFETY_FRAMING
};

}  // namespace planexe::engine
