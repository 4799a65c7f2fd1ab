#include "engine/plan_runner.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "base/log.hpp"
#include "base/testpoint.hpp"
#include "engine/reasoning_lines.hpp"

namespace planexe::engine {

/// Carries what happens to one call back into the machine.
class PlanRunner::Host final : public llm::CallHost {
 public:
  Host(std::weak_ptr<PlanRunner> runner, std::string unit) : runner_(std::move(runner)), unit_(std::move(unit)) {}

  void attempt_ready(const llm::AttemptStart& start, std::function<void(bool, ErrorCode)> go) override {
    const auto runner = runner_.lock();
    if (!runner || runner->ended_) {
      go(false, ErrorCode::Cancelled);
      return;
    }
    runner->waiting_.insert_or_assign(unit_ + "#" + std::to_string(start.attempt), std::move(go));
    runner->perform(runner->run_->on_attempt_ready(unit_, start, runner->services_.clock->now()));
  }
  void response_id(int attempt, const std::string& id) override {
    with([&](PlanRunner& r, TimePoint now) { return r.run_->on_response_id(unit_, attempt, id, now); });
  }
  void text_delta(int, std::string_view delta) override {
    reasoning(lines_.rest());
    with([&](PlanRunner& r, TimePoint now) { return r.run_->on_delta(unit_, PlanRun::DeltaKind::text, delta, now); });
  }
  void reasoning_delta(int, std::string_view delta) override { reasoning(lines_.take(delta)); }
  void attempt_ended(const llm::AttemptRecord& record) override {
    reasoning(lines_.rest());
    with([&](PlanRunner& r, TimePoint now) { return r.run_->on_attempt_ended(unit_, record, now); });
  }
  void finished(llm::CallOutcome outcome) override {
    with([&](PlanRunner& r, TimePoint now) {
      r.calls_.erase(unit_);
      return r.run_->on_call_finished(unit_, outcome, now);
    });
  }

 private:
  template <class F>
  void with(F&& feed) {
    const auto runner = runner_.lock();
    if (runner && !runner->ended_) runner->perform(feed(*runner, runner->services_.clock->now()));
  }

  void reasoning(const std::string& lines) {
    if (lines.empty()) return;
    with([&](PlanRunner& r, TimePoint now) { return r.run_->on_delta(unit_, PlanRun::DeltaKind::reasoning, lines, now); });
  }

  std::weak_ptr<PlanRunner> runner_;
  std::string unit_;
  ReasoningLines lines_;
};

PlanRunner::PlanRunner(RunnerServices services, std::shared_ptr<const recipe::Recipe> recipe, std::unique_ptr<PlanRun> run,
                       Callbacks callbacks)
    : services_(std::move(services)), recipe_(std::move(recipe)), run_(std::move(run)), callbacks_(std::move(callbacks)) {}

void PlanRunner::start() { perform(run_->start(services_.clock->now())); }
Result<std::vector<std::string>> PlanRunner::retry(const std::string& task_key, const RetryOptions& options, Stored stored) {
  const auto ticket = ++last_ticket_;
  PLANEXE_TRY_ASSIGN(auto retried, run_->on_retry(task_key, options, ticket, services_.clock->now()));
  unstored_.emplace(ticket, std::move(stored));
  perform(std::move(retried.actions));
  return std::move(retried.reset_tasks);
}

void PlanRunner::cancel() { perform(run_->on_cancel(services_.clock->now())); }
void PlanRunner::shut_down() { perform(run_->on_shutdown(services_.clock->now())); }
void PlanRunner::lease_lost() { perform(run_->on_lease_lost(services_.clock->now())); }
void PlanRunner::tick() { perform(run_->on_tick(services_.clock->now())); }

void PlanRunner::perform(Actions actions) {
  const auto self = shared_from_this();  // the last action may let go of the runner
  for (auto& action : actions)
    std::visit([this](auto& one) { perform_one(std::move(one)); }, action);
}

void PlanRunner::perform_one(Commit action) {
  services_.store->submit(std::move(action.transaction),
                          [self = shared_from_this(), token = action.token](store::CommitResult result) {
                            boost::asio::post(self->services_.loop, [self, token, result = std::move(result)] {
                              if (self->ended_) return;
                              (void)PLANEXE_TESTPOINT("engine.after_commit");
                              self->perform(self->run_->on_commit(token, result, self->services_.clock->now()));
                            });
                          });
}

void PlanRunner::perform_one(StartCall action) {
  auto host = std::make_shared<Host>(weak_from_this(), action.unit);
  auto& call = calls_[action.unit];
  call.host = host;
  // A call that is cancelled may still judge an answer that had come: what it judges with belongs to the run.
  auto judge = [run = shared_from_this(), judge = std::move(action.judge)](const auto&... answer) { return judge(answer...); };
  const auto id = services_.client->start(std::move(action.spec), std::move(judge), std::move(host));
  if (const auto it = calls_.find(action.unit); it != calls_.end()) it->second.id = id;
}

void PlanRunner::perform_one(LetGo action) {
  const auto it = waiting_.find(action.unit + "#" + std::to_string(action.attempt));
  if (it == waiting_.end()) return;
  auto go = std::move(it->second);
  waiting_.erase(it);
  go(action.go, action.refusal);
}

void PlanRunner::perform_one(CancelCall action) {
  if (const auto it = calls_.find(action.unit); it != calls_.end()) services_.client->cancel(it->second.id);
}

void PlanRunner::perform_one(Compute action) {
  boost::asio::post(*services_.pool, [self = shared_from_this(), action = std::move(action)] {
    auto result = std::make_shared<Result<FinishedTask>>(action.work());
    boost::asio::post(self->services_.loop, [self, task = action.task, result] {
      if (!self->ended_) self->perform(self->run_->on_computed(task, std::move(*result), self->services_.clock->now()));
    });
  });
}

void PlanRunner::perform_one(WriteFiles action) {
  services_.files->write(run_->plan().plan_id, std::move(action.files));
}

void PlanRunner::perform_one(Acknowledge action) {
  if (auto waiting = unstored_.extract(action.ticket)) waiting.mapped()({});
}

void PlanRunner::perform_one(Publish action) {
  if (callbacks_.events) callbacks_.events(run_->plan().plan_id, action.events);
}

void PlanRunner::perform_one(Wake action) {
  auto timer = std::make_shared<boost::asio::steady_timer>(services_.loop, action.after);
  timer->async_wait([weak = weak_from_this(), timer](const boost::system::error_code&) {
    if (const auto self = weak.lock(); self && !self->ended_) self->perform(self->run_->on_wake(self->services_.clock->now()));
  });
}

void PlanRunner::perform_one(RunEnded action) {
  if (std::exchange(ended_, true)) return;
  for (auto& [key, go] : std::exchange(waiting_, {})) go(false, ErrorCode::Cancelled);
  for (auto& [unit, call] : calls_) services_.client->cancel(call.id);
  const Error too_late(ErrorCode::PlanActive, "The run ended before the request was stored; try again.");
  for (auto& [ticket, stored] : std::exchange(unstored_, {})) stored(std::unexpected(action.error.value_or(too_late)));
  if (callbacks_.ended) callbacks_.ended(run_->plan().plan_id, action);
}

}  // namespace planexe::engine
