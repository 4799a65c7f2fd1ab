#include "engine/example_plan.hpp"

#include <algorithm>
#include <deque>
#include <random>

#include "engine/names.hpp"
#include "engine/requests.hpp"

namespace planexe::engine {
namespace {

store::RunSnapshot fresh_snapshot(const recipe::Recipe& recipe, const ExampleOptions& options) {
  CreateRequest request;
  request.prompt = options.prompt;
  request.speed = options.speed;
  request.redline_mode = options.redline_mode;
  request.intake = options.intake;
  auto transaction = make_plan(request, recipe, "", options.plan_id, options.now);
  store::RunSnapshot snapshot;
  for (auto& write : transaction.writes)
    if (auto* create = std::get_if<store::CreatePlan>(&write)) {
      snapshot.plan = create->plan;
      snapshot.tasks = create->tasks;
      snapshot.edges = create->edges;
    }
  return snapshot;
}

/// Performs the machine's actions in memory: commits succeed, calls are answered one at a time.
class Driver {
 public:
  Driver(const recipe::Recipe& recipe, const ExampleOptions& options) : recipe_(recipe), options_(options), order_(options.order_seed) {
    RunConfig config;
    config.recipe = &recipe;
    config.builtins = &plan::builtins();
    config.next_interaction_id = [this] { return ++last_id_; };
    run_ = std::make_unique<PlanRun>(std::move(config), fresh_snapshot(recipe, options), store::UsageTotals{}, 1, options.now);
  }

  ExampleRun go() {
    take(run_->start(now()));
    while (!run_->ended() && (!queue_.empty() || !waiting_.empty())) {
      if (!queue_.empty()) {
        auto action = std::move(queue_.front());
        queue_.pop_front();
        std::visit([this](auto& one) { perform(one); }, action);
      } else {
        answer_one();
      }
    }
    for (const auto& [key, task] : run_->tasks()) result_.tasks[key] = task.row;
    result_.status = run_->plan().status;
    result_.error = run_->plan().error_message;
    result_.elapsed = now_ - options_.now;
    return std::move(result_);
  }

 private:
  struct Waiting {
    StartCall call;
    TimePoint ends;
  };

  [[nodiscard]] TimePoint now() const { return now_; }
  void take(Actions actions) {
    for (auto& action : actions) queue_.push_back(std::move(action));
  }

  void perform(Commit& action) {
    for (const auto& write : action.transaction->writes)
      if (const auto* content = std::get_if<store::PutContent>(&write)) keep_file(content->content);
    take(run_->on_commit(action.token, {store::CommitStatus::committed, std::nullopt}, now()));
  }
  void perform(StartCall& action) {
    result_.order.push_back(action.unit);
    const auto ends = options_.latency ? now_ + options_.latency(action.spec) : now_;
    waiting_.push_back({std::move(action), ends});
    result_.most_in_flight = std::max(result_.most_in_flight, waiting_.size());
  }
  void perform(LetGo&) {}
  void perform(CancelCall& action) {
    std::erase_if(waiting_, [&](const Waiting& one) { return one.call.unit == action.unit; });
    llm::CallOutcome outcome;
    outcome.error = Error(ErrorCode::Cancelled, "cancelled");
    take(run_->on_call_finished(action.unit, outcome, now()));
  }
  void perform(Compute& action) { take(run_->on_computed(action.task, action.work(), now())); }
  void perform(WriteFiles&) {}
  void perform(Publish&) {}
  void perform(Acknowledge&) {}
  void perform(Wake&) {}  // everything that waits for it goes with the next result
  void perform(RunEnded&) {}

  void keep_file(const store::ContentRow& row) {
    const auto [it, fresh] = result_.files.insert_or_assign(row.filename, row.content);
    if (!fresh) result_.problems.push_back(row.filename + " was written twice");
  }

  /// The call that ends next. Without latencies and seed the one that was started first.
  Waiting take_next() {
    auto next = std::ranges::min_element(waiting_, {}, &Waiting::ends);
    if (!options_.latency && options_.order_seed != 0)
      next = waiting_.begin() + static_cast<std::ptrdiff_t>(order_() % waiting_.size());
    auto taken = std::move(*next);
    waiting_.erase(next);
    return taken;
  }

  void answer_one() {
    auto [call, ends] = take_next();
    now_ = ends;
    llm::AttemptStart start;
    start.attempt = call.spec.first_attempt;
    start.model = start.provider = "example";
    take(run_->on_attempt_ready(call.unit, start, now()));
    const auto text = answer_text(call);
    auto judged = call.judge(text, {}, true);
    llm::AttemptRecord record;
    record.attempt = start.attempt;
    record.status = "completed";
    record.model = record.provider = "example";
    record.text = text;
    take(run_->on_attempt_ended(call.unit, record, now()));
    llm::CallOutcome outcome;
    outcome.ok = judged.accepted;
    outcome.degraded = judged.degraded;
    outcome.value = std::move(judged.value);
    outcome.model = outcome.provider = "example";
    outcome.attempts = 1;
    if (!outcome.ok) {
      result_.problems.push_back(call.unit + ": " + judged.error);
      outcome.error = Error(ErrorCode::SchemaRepairExhausted, judged.error);
    }
    result_.calls.insert_or_assign(call.unit, std::move(call.spec));
    take(run_->on_call_finished(call.unit, outcome, now()));
  }

  std::string answer_text(const StartCall& call) const {
    const auto& task = *recipe_.task(call.spec.task_key);
    const auto key = call.unit.substr(call.unit.find('/') + 1);
    const auto slash = key.find('/');
    const auto* step = task.step(key.substr(0, slash));
    PLANEXE_ASSERT(step != nullptr);
    int number = 1;
    for (const auto& run : run_->tasks().at(task.key).steps)
      for (const auto& unit : run.units)
        if (unit.unit.key == key) number = unit.unit.number;
    return options_.answer ? options_.answer(call.spec, task, *step, number) : example_answer(*step, number);
  }

  const recipe::Recipe& recipe_;
  const ExampleOptions& options_;
  std::mt19937_64 order_;
  std::int64_t last_id_ = 0;
  std::unique_ptr<PlanRun> run_;
  std::deque<Action> queue_;
  std::vector<Waiting> waiting_;
  TimePoint now_ = options_.now;
  ExampleRun result_;
};

}  // namespace

std::string example_answer(const recipe::Step& step, int number) {
  const auto text = [](const json::value& value) { return value.is_string() ? std::string(value.as_string()) : to_json(value); };
  if (!(step.map || step.has_rounds()) || !step.example.is_array() || step.example.as_array().empty()) return text(step.example);
  const auto& list = step.example.as_array();
  return text(list[static_cast<std::size_t>(number - 1) % list.size()]);
}

ExampleRun run_example(const recipe::Recipe& recipe, const ExampleOptions& options) { return Driver(recipe, options).go(); }

}  // namespace planexe::engine
