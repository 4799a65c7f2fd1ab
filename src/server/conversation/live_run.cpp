#include "server/conversation/live_run.hpp"

#include <boost/asio/post.hpp>

#include "server/conversation/limits.hpp"

namespace planexe::server {

/// Carries what happens to one model call into the machine.
class LiveRun::Host final : public llm::CallHost {
 public:
  Host(std::weak_ptr<LiveRun> live, CallPart part) : live_(std::move(live)), part_(part) {}

  void attempt_ready(const llm::AttemptStart& start, std::function<void(bool, ErrorCode)> go) override {
    const auto live = live_.lock();
    if (!live || !live->run_) return go(false, ErrorCode::Cancelled);
    live->waiting_.insert_or_assign({part_, start.attempt}, std::move(go));
    live->feed([&](Run& run, Moment now) { return run.attempt_ready(part_, start, now); });
  }
  void response_id(int attempt, const std::string& id) override {
    with([&](Run& run, Moment now) { return run.response_id(part_, attempt, id, now); });
  }
  void text_delta(int attempt, std::string_view delta) override {
    with([&](Run& run, Moment now) { return run.delta(part_, attempt, TextKind::text, delta, now); });
  }
  void reasoning_delta(int attempt, std::string_view delta) override {
    with([&](Run& run, Moment now) { return run.delta(part_, attempt, TextKind::reasoning, delta, now); });
  }
  void attempt_ended(const llm::AttemptRecord& record) override {
    with([&](Run& run, Moment now) { return run.attempt_ended(part_, record, now); });
  }
  void finished(llm::CallOutcome outcome) override {
    with([&](Run& run, Moment now) { return run.finished(part_, std::move(outcome), now); });
  }

 private:
  void with(const std::function<Wants(Run&, Moment)>& event) {
    if (const auto live = live_.lock()) live->feed(event);
  }

  std::weak_ptr<LiveRun> live_;
  CallPart part_;
};

void LiveRun::begin(std::unique_ptr<Run> run, std::function<void(Run&)> over) {
  run_ = std::move(run);
  on_over_ = std::move(over);
  feed([gone = discard_asked_](Run& machine, Moment at) { return gone ? machine.discard(at) : machine.start(at); });
  if (cancel_asked_) cancel(*cancel_asked_);
}

void LiveRun::end_with(std::string_view event, const json::object& data) {
  log_.append(event, data);
  log_.end();
  over_ = true;
  wake_followers();
}

void LiveRun::cancel(ErrorCode why) {
  cancel_asked_ = why;
  feed([why](Run& run, Moment at) { return run.cancel(why, at); });
}

void LiveRun::discard() {
  discard_asked_ = true;
  feed([](Run& run, Moment at) { return run.discard(at); });
}

void LiveRun::feed(const std::function<Wants(Run&, Moment)>& event) {
  if (!run_) return;
  const auto self = shared_from_this();
  const auto seen = run_->log().last_id();
  auto wants = event(*run_, now());
  const bool outer = !std::exchange(feeding_, true);
  for (auto& want : wants) std::visit([this](auto& one) { perform(one); }, want);
  if (run_->log().last_id() != seen || run_->log().ended()) wake_followers();
  if (!outer) return;
  feeding_ = false;
  if (ending_) close();
}

void LiveRun::perform(wanted::Commit& commit) {
  submit(std::make_shared<const store::Transaction>(std::move(commit.transaction)), commit.token, 0);
}

void LiveRun::submit(std::shared_ptr<const store::Transaction> transaction, int token, int repeats) {
  services_.store->submit(transaction, [self = shared_from_this(), transaction, token, repeats](store::CommitResult result) {
    boost::asio::post(self->services_.loop, [self, transaction, token, repeats, result = std::move(result)] {
      if (result.status == store::CommitStatus::unknown && repeats < limits::kCommitRepeatsMax)
        return self->submit(transaction, token, repeats + 1);
      self->committed(token, result);
    });
  });
}

void LiveRun::committed(int token, const store::CommitResult& result) {
  feed([&](Run& run, Moment at) { return run.committed(token, result, at); });
}

void LiveRun::perform(wanted::StartCall& start) {
  auto host = std::make_shared<Host>(weak_from_this(), start.part);
  calls_[start.part] = services_.client->start(std::move(start.spec), std::move(start.judge), std::move(host));
}

void LiveRun::perform(wanted::LetGo& let_go) {
  const auto it = waiting_.find({let_go.part, let_go.attempt});
  if (it == waiting_.end()) return;
  const auto go = std::move(it->second);
  waiting_.erase(it);
  go(let_go.go, let_go.refusal);
}

void LiveRun::perform(wanted::CancelCall& cancel) {
  if (const auto it = calls_.find(cancel.part); it != calls_.end()) services_.client->cancel(it->second);
}

void LiveRun::perform(wanted::Wake& wake) {
  auto timer = std::make_shared<boost::asio::steady_timer>(services_.loop, wake.at);
  timer->async_wait([weak = weak_from_this(), timer](const boost::system::error_code&) {
    if (const auto self = weak.lock()) self->feed([](Run& run, Moment at) { return run.wake(at); });
  });
}

void LiveRun::perform(wanted::Over&) { ending_ = true; }

/// The events stay for those who come back; the machine with its prompts goes.
void LiveRun::close() {
  for (auto& [key, go] : std::exchange(waiting_, {})) go(false, ErrorCode::Cancelled);
  log_ = run_->log();
  const auto run = std::move(run_);
  over_ = true;
  if (on_over_) std::exchange(on_over_, {})(*run);
  wake_followers();
}

void LiveRun::wake_followers() {
  std::erase_if(followers_, [](const auto& follower) {
    const auto timer = follower.lock();
    if (timer) timer->cancel();
    return !timer;
  });
}

}  // namespace planexe::server
