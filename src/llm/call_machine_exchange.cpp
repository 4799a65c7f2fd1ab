// What comes from the provider: heads, bytes, ends, timers, background responses.
#include <fmt/format.h>

#include <algorithm>

#include "llm/call_machine.hpp"

namespace planexe::llm {

namespace {

using Ms = ClientSettings::Ms;

std::string request_id_of(const HeaderMap& headers) {
  for (const char* name : {"x-request-id", "apim-request-id", "x-generation-id"}) {
    if (const auto at = headers.find(name); at != headers.end()) return at->second.substr(0, 256);
  }
  return {};
}

/// Failures after which the response may well go on at the provider.
bool may_go_on(const FailureSignal& signal) {
  switch (signal.phase) {
    case FailurePhase::connect:
    case FailurePhase::no_answer:
    case FailurePhase::headers_late:
    case FailurePhase::cut:
    case FailurePhase::stalled: return true;
    case FailurePhase::http: return signal.status == 408 || signal.status == 429 || signal.status >= 500;
    default: return false;
  }
}

}  // namespace

Actions CallMachine::head(const ResponseHead& head, Now now) {
  if (phase_ != Phase::exchanging) return {};
  asked_at_ = now.steady;
  attempt_.exchange->on_head(head, now.steady);
  attempt_.http_status = head.status;
  if (attempt_.first_byte_ms == 0) {
    attempt_.first_byte_ms = std::chrono::duration_cast<Ms>(now.steady - attempt_.started_at).count();
  }
  if (std::string id = request_id_of(head.headers); !id.empty()) attempt_.provider_request_id = std::move(id);
  if (has_ticket_) give(action::LearnHeaders{head.headers});
  return take_actions();
}

Actions CallMachine::body(std::string_view bytes, Now now) {
  if (phase_ != Phase::exchanging) return {};
  asked_at_ = now.steady;
  after_input(attempt_.exchange->on_body(bytes, now.steady), now);
  return take_actions();
}

Actions CallMachine::ended(const TransferEnd& end, Now now) {
  if (phase_ != Phase::exchanging) return {};
  asked_at_ = now.steady;
  attempt_.exchange->on_end(end, now.steady);
  after_input({}, now);
  return take_actions();
}

void CallMachine::after_input(const StreamUpdate& update, Now now) {
  const std::string& id = attempt_.accumulator->response_id();
  if (!attempt_.response_id_told && !id.empty()) {
    attempt_.response_id_told = true;
    give(action::ResponseId{attempt_.number, id});
  }
  if (!update.text.empty() || !update.reasoning.empty()) {
    if (attempt_.first_token_ms == 0) {
      const auto ms = std::chrono::duration_cast<Ms>(now.steady - attempt_.started_at).count();
      attempt_.first_token_ms = std::max<std::int64_t>(ms, 1);
      if (has_ticket_) give(action::FirstToken{});
    }
    pending_text_ += update.text;
    pending_reasoning_ += update.reasoning;
    if (now.steady - flushed_at_ >= env_.settings.delta_interval) flush_deltas(now);
  }
  if (attempt_.exchange->over()) exchange_over(now);
}

void CallMachine::flush_deltas(Now now) {
  if (pending_text_.empty() && pending_reasoning_.empty()) return;
  flushed_at_ = now.steady;
  give(action::Deltas{attempt_.number, std::exchange(pending_text_, {}), std::exchange(pending_reasoning_, {})});
}

void CallMachine::stop_transfer() {
  if (!attempt_.exchange || attempt_.exchange->transfer_ended()) return;
  if (attempt_.exchange->failure()) {
    give(action::Abort{});
  } else {
    give(action::Drain{});
  }
}

void CallMachine::exchange_over(Now now) {
  flush_deltas(now);
  stop_transfer();
  const std::optional<FailureSignal> failure = attempt_.exchange->failure();
  if (!failure) {
    if (attempt_.accumulator->result()) {
      const ModelResponse response = *attempt_.accumulator->result();
      judge_response(response, now);
    } else {
      poll_later(now);
    }
    return;
  }
  if (attempt_.exchange->stale_connection(now.steady) && !attempt_.resent) {
    attempt_.resent = true;
    attempt_.request.fresh_connection = true;
    send(attempt_.request, now);
    return;
  }
  const bool follow_up = attempt_.doing != Next::request;
  if (follow_up && failure->phase == FailurePhase::http && failure->status == 404) {
    FailureSignal gone = *failure;
    gone.phase = FailurePhase::gone;
    attempt_.recovered ? abandon_recovered("the provider does not know the response any more", now) : attempt_failed(gone, now);
    return;
  }
  if (attempt_.doing == Next::fetch && fetch_again(*failure, now)) return;
  if (attempt_.doing != Next::fetch && may_go_on(*failure) && continue_background(now)) return;
  if (attempt_.recovered) {
    abandon_recovered(classify(*failure, env_.settings, now.wall).message, now);
    return;
  }
  attempt_failed(*failure, now);
}

/// A background response is continued behind the last event that came.
bool CallMachine::continue_background(Now now) {
  const bool possible = attempt_.background && wire_ == Wire::responses && !attempt_.accumulator->response_id().empty() &&
                        attempt_.continuations < env_.settings.continuations_max;
  if (!possible) return false;
  const Ms delay = attempt_.continuations == 0 ? Ms(0) : backoff(env_.settings, attempt_.continuations - 1, false, env_.random);
  ++attempt_.continuations;
  wait(Next::continuation, delay, now);
  return true;
}

bool CallMachine::fetch_again(const FailureSignal& signal, Now now) {
  if (!may_go_on(signal) || attempt_.fetch_failures >= env_.settings.continuations_max) return false;
  const auto asked = server_delay(signal.headers, signal.error.message, now.wall);
  const Ms own = backoff(env_.settings, attempt_.fetch_failures, signal.status == 429, env_.random);
  ++attempt_.fetch_failures;
  wait(Next::fetch, asked && *asked <= env_.settings.server_delay_max ? *asked : own, now);
  return true;
}

void CallMachine::poll_later(Now now) {
  const ClientSettings& settings = env_.settings;
  const bool dying = attempt_.recovered && !attempt_.background;
  if (dying && now.steady - attempt_.started_at >= settings.recovery_foreground_wait) {
    abandon_recovered("the response did not end, since the connection that it ran on is gone", now);
    return;
  }
  const auto grown = std::chrono::duration_cast<Ms>(attempt_.poll_delay * settings.poll_growth);
  attempt_.poll_delay = attempt_.poll_delay.count() == 0 ? settings.poll_first : std::min(grown, settings.poll_max);
  wait(Next::fetch, attempt_.poll_delay, now);
}

void CallMachine::on_exchange_timer(Now now) {
  if (now.steady >= attempt_.started_at + env_.settings.attempt_timeout || time_left(now).count() <= 0) {
    attempt_timed_out(now);
    return;
  }
  if (phase_ == Phase::waiting) {
    after_wait(now);
    return;
  }
  if (now.steady - flushed_at_ >= env_.settings.delta_interval) flush_deltas(now);
  attempt_.exchange->on_timer(now.steady);
  if (attempt_.exchange->over()) exchange_over(now);
}

void CallMachine::attempt_timed_out(Now now) {
  flush_deltas(now);
  if (phase_ == Phase::exchanging) give(action::Abort{});
  const std::string& id = attempt_.recovered ? spec_.recovery->response_id : attempt_.accumulator->response_id();
  if (attempt_.background && !id.empty()) give(action::CancelAtProvider{model_, id});
  if (attempt_.recovered) {
    abandon_recovered("the answer did not come within the time of an attempt", now);
    return;
  }
  FailureSignal signal;
  signal.phase = FailurePhase::stalled;
  signal.status = attempt_.http_status;
  signal.error.message = fmt::format("no complete answer within {} s",
                                     std::chrono::duration_cast<std::chrono::seconds>(env_.settings.attempt_timeout).count());
  attempt_failed(signal, now);
}

/// The earlier attempt gives nothing; the call is asked anew.
void CallMachine::abandon_recovered(std::string_view why, Now now) {
  end_attempt("abandoned", Error(ErrorCode::ProviderUnavailable, env_.redact(why)), true, true, now);
  if (model_ == nullptr) {
    take_first_model(now);
    return;
  }
  const bool usable = (!env_.configured || env_.configured(*model_)) && fits(*model_);
  if (usable) {
    enqueue(AttemptReason::recovery, now);
  } else {
    take_first_model(now);
  }
}

Actions CallMachine::cancel(bool at_provider, Now now) {
  if (phase_ == Phase::finished) return {};
  asked_at_ = now.steady;
  const bool in_attempt = phase_ == Phase::exchanging || (phase_ == Phase::waiting && next_ != Next::request);
  if (phase_ == Phase::queued) give(action::LeaveQueue{});
  if (in_attempt) {
    flush_deltas(now);
    if (phase_ == Phase::exchanging && !attempt_.exchange->transfer_ended()) give(action::Abort{});
    const std::string& id = attempt_.recovered ? spec_.recovery->response_id : attempt_.accumulator->response_id();
    if (at_provider && attempt_.background && !id.empty()) give(action::CancelAtProvider{model_, id});
    end_attempt("cancelled", Error(ErrorCode::Cancelled, "the call was stopped"), false, true, now);
  }
  finish_ticket(Feedback{.neutral = true});
  CallOutcome outcome;
  outcome.error = Error(ErrorCode::Cancelled, "the call was stopped");
  finish(std::move(outcome));
  return take_actions();
}

}  // namespace planexe::llm
