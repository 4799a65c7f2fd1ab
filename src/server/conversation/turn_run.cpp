#include "server/conversation/turn_run.hpp"

#include <utility>

#include "server/conversation/limits.hpp"

namespace planexe::server {

TurnRun::TurnRun(TurnSetup setup) : setup_(std::move(setup)), gather_(limits::kTurnDeltaInterval) {
  if (setup_.reply) calls_.emplace(CallPart::reply, CallState{*std::move(setup_.reply)});
  if (setup_.form) calls_.emplace(CallPart::form, CallState{*std::move(setup_.form)});
  end_.model = setup_.conversation.model_key;
}

TurnRun::CallState* TurnRun::state(CallPart part) {
  const auto it = calls_.find(part);
  return it == calls_.end() ? nullptr : &it->second;
}

int TurnRun::commit(std::vector<store::Write> writes, std::string label) {
  const int token = ++last_token_;
  wants_.push_back(wanted::Commit{token, store::Transaction{"", std::nullopt, std::move(writes), std::move(label)}});
  return token;
}

void TurnRun::write(std::vector<store::Write> writes, std::string label) {
  if (!writes.empty() && !discarded_) commit(std::move(writes), std::move(label));
}

void TurnRun::begin_call(CallPart part) {
  auto* call = state(part);
  if (!call) return;
  call->active = true;
  wants_.push_back(wanted::StartCall{part, call->planned.spec, call->planned.judge});
}

Wants TurnRun::start(Moment now) {
  auto* reply = state(CallPart::reply);
  if (reply) {
    setup_.conversation.status = "running";
    setup_.conversation.last_error = nullptr;
    setup_.conversation.updated_at = now.wall;
    setup_.answer.role = "assistant";
    setup_.answer.status = "running";
    setup_.answer.interaction_id = reply->planned.ledger.interaction();
    start_pending_ = true;
    start_token_ = commit({store::PutTurn{setup_.answer},
                           store::SetConversation{setup_.conversation.id, std::nullopt, setup_.conversation.model_key},
                           store::PutConversation{setup_.conversation}},
                          "turn_start");
  }
  begin_call(CallPart::reply);
  begin_call(CallPart::form);
  settle(now);
  return take();
}

Wants TurnRun::attempt_ready(CallPart part, const llm::AttemptStart& start, Moment now) {
  auto* call = state(part);
  const auto refuse = [&](ErrorCode code) { wants_.push_back(wanted::LetGo{part, start.attempt, false, code}); };
  if (!call || phase_ != Phase::running || call->cancelled) {
    refuse(ErrorCode::Cancelled);
    return take();
  }
  auto writes = call->planned.ledger.attempt_ready(start, now.wall);
  if (!writes) {
    refuse(ErrorCode::ProviderUnavailable);
    return take();
  }
  if (part == CallPart::reply && start.attempt > call->planned.spec.first_attempt) restart_reply();
  const Waiting waiting{part, start.attempt};
  if (start_pending_) delayed_.emplace_back(waiting, *std::move(writes));
  else waiting_[commit(*std::move(writes), "turn_attempt")] = waiting;
  return take();
}

/// The answer before it was given up: its text counts no more, and a second response.created says so.
void TurnRun::restart_reply() {
  gather_.clear();
  if (!created_) return;
  created_ = false;
  end_.response_id.clear();
  log_.restart_texts();
}

Wants TurnRun::response_id(CallPart part, int attempt, const std::string& id, Moment now) {
  auto* call = state(part);
  if (!call || phase_ == Phase::over) return {};
  write(call->planned.ledger.response_id(attempt, id), "turn_response");
  if (part == CallPart::reply && phase_ == Phase::running && !created_) {
    end_.response_id = id;
    tell_created(now);
  }
  return take();
}

Wants TurnRun::delta(CallPart part, int, TextKind kind, std::string_view text, Moment now) {
  if (part != CallPart::reply || phase_ != Phase::running) return {};
  if (log_.text(kind).size() + text.size() > limits::kAnswerBytesMax) {
    stop(turn_failure(ErrorCode::OutputTruncated));
    settle(now);
    return take();
  }
  gather_.add(kind, text);
  pass_deltas(now);
  return take();
}

void TurnRun::pass_deltas(Moment now) {
  if (auto piece = gather_.take(now.steady)) tell_deltas({*std::move(piece)}, now);
  const auto due = gather_.due();
  if (!due || (asked_wake_ && *asked_wake_ <= *due && *asked_wake_ > now.steady)) return;
  asked_wake_ = *due;
  wants_.push_back(wanted::Wake{*due});
}

Wants TurnRun::wake(Moment now) {
  if (phase_ != Phase::running) return {};
  pass_deltas(now);
  auto* form = state(CallPart::form);
  if (form_due_ && now.steady >= *form_due_ && form && form->active && !form->cancelled) {
    form->cancelled = true;
    wants_.push_back(wanted::CancelCall{CallPart::form});
  }
  return take();
}

Wants TurnRun::attempt_ended(CallPart part, const llm::AttemptRecord& record, Moment now) {
  auto* call = state(part);
  if (!call || phase_ == Phase::over) return {};
  write(call->planned.ledger.attempt_ended(record, now.wall), "turn_attempt_end");
  return take();
}

Wants TurnRun::finished(CallPart part, llm::CallOutcome outcome, Moment now) {
  auto* call = state(part);
  if (!call || !call->active) return {};
  call->active = false;
  call->ok = outcome.ok;
  if (part == CallPart::reply) reply_finished(*call, outcome, now);
  else form_finished(*call, outcome, now);
  settle(now);
  return take();
}

void TurnRun::reply_finished(CallState& call, llm::CallOutcome& outcome, Moment now) {
  write(call.planned.ledger.call_ended(outcome, now.wall), "turn_call_end");
  end_.reasoning = call.planned.ledger.reasoning();
  if (phase_ != Phase::running) return;
  if (!outcome.ok) {
    const auto code = outcome.error ? outcome.error->code : ErrorCode::Internal;
    // Nobody here has stopped it: the client of the models does that only when the server ends.
    if (code == ErrorCode::Cancelled) return stop(turn_failure(ErrorCode::ShuttingDown));
    const bool waited = code == ErrorCode::ProviderUnavailable && call.planned.ledger.timed_out();
    return stop(turn_failure(waited ? ErrorCode::ProviderTimeout : code));
  }
  end_.text = outcome.value.is_string() ? std::string(outcome.value.get_string()) : to_json(outcome.value);
  end_.response_id = outcome.response_id;
  end_.model = outcome.model;
  tell_created(now);
  tell_deltas(gather_.take_all(now.steady), now);
  tell_draft();
  const auto* form = state(CallPart::form);
  if (!form || !form->active) return;
  form_due_ = now.steady + limits::kFormWait;
  wants_.push_back(wanted::Wake{*form_due_});
}

void TurnRun::form_finished(CallState& call, llm::CallOutcome& outcome, Moment now) {
  write(call.planned.ledger.call_ended(outcome, now.wall), "turn_form_end");
  if (phase_ != Phase::running) return;
  if (outcome.ok) {
    end_.draft = make_draft(outcome.value, setup_.answer.turn, setup_.first_prompt, now.wall);
    return tell_draft();
  }
  if (state(CallPart::reply)) return;  // the conversation goes on with the draft it has
  const auto code = outcome.error ? outcome.error->code : ErrorCode::Internal;
  const bool waited = code == ErrorCode::ProviderUnavailable && call.planned.ledger.timed_out();
  stop(turn_failure(code == ErrorCode::Cancelled ? ErrorCode::ShuttingDown : waited ? ErrorCode::ProviderTimeout : code));
}

Wants TurnRun::cancel(ErrorCode why, Moment now) {
  if (phase_ != Phase::running) return {};
  stop(turn_failure(why));
  settle(now);
  return take();
}

Wants TurnRun::discard(Moment now) {
  if (phase_ == Phase::over || discarded_) return {};
  discarded_ = true;
  if (!end_.failure) end_.failure = turn_failure(ErrorCode::Cancelled);
  tell_failure();
  cancel_calls();
  phase_ = Phase::stopping;
  settle(now);
  return take();
}

void TurnRun::stop(TurnFailure failure) {
  end_.failure = std::move(failure);
  phase_ = Phase::stopping;
  cancel_calls();
}

void TurnRun::cancel_calls() {
  for (auto& [part, call] : calls_) {
    if (!call.active || std::exchange(call.cancelled, true)) continue;
    wants_.push_back(wanted::CancelCall{part});
  }
}

/// When no call is active any more and the beginning is stored, the end is stored: two commits under way could change places.
void TurnRun::settle(Moment now) {
  if (phase_ == Phase::storing || phase_ == Phase::over) return;
  for (const auto& [part, call] : calls_)
    if (call.active) return;
  if (discarded_) return finish();
  if (start_pending_) return;
  phase_ = Phase::storing;
  store_end(now);
}

/// Nothing is sent for a turn that the database does not know: after a crash nobody would find what was paid for.
void TurnRun::started(bool stored) {
  start_pending_ = false;
  if (!stored && phase_ == Phase::running) stop(turn_failure(ErrorCode::DatabaseUnavailable));
  for (auto& [waiting, writes] : std::exchange(delayed_, {})) {
    if (phase_ == Phase::running) waiting_[commit(std::move(writes), "turn_attempt")] = waiting;
    else wants_.push_back(wanted::LetGo{waiting.part, waiting.attempt, false, ErrorCode::Cancelled});
  }
}

Wants TurnRun::committed(int token, const store::CommitResult& result, Moment now) {
  if (const auto it = waiting_.find(token); it != waiting_.end()) {
    const auto waiting = it->second;
    waiting_.erase(it);
    const bool go = result.ok() && phase_ == Phase::running;
    const auto refusal = result.ok() ? ErrorCode::Cancelled : ErrorCode::DatabaseUnavailable;
    wants_.push_back(wanted::LetGo{waiting.part, waiting.attempt, go, refusal});
  } else if (token == start_token_) {
    started(result.ok());
    settle(now);
  } else if (token == end_token_ && phase_ == Phase::storing) {
    if (!result.ok() && !end_.failure) end_.failure = turn_failure(ErrorCode::DatabaseUnavailable);
    tell_end(now);
    finish();
  }
  return take();
}

}  // namespace planexe::server
