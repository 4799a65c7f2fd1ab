// What an answer, or a failure, means for the call.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "llm/call_machine.hpp"
#include "llm/transcript.hpp"

namespace planexe::llm {

namespace {

constexpr std::string_view kEmptyFeedback =
    "Your answer was empty. Answer the request above completely, in the format that was asked for.";

std::string default_feedback(const Judgement& judgement) {
  return "Your answer cannot be used: " + judgement.error +
         ". Answer the request above again, completely, in the format that was asked for.";
}

MoveReason move_reason(const Classification& failure) {
  switch (failure.code) {
    case ErrorCode::ContextTooLong: return MoveReason::context;
    case ErrorCode::ModelRefused:
    case ErrorCode::ContentFiltered: return MoveReason::policy;
    default: return MoveReason::failure;
  }
}

/// The endpoint itself did its work.
bool answered(FailurePhase phase) { return phase == FailurePhase::incomplete || phase == FailurePhase::refusal; }

}  // namespace

void CallMachine::judge_response(const ModelResponse& response, Now now) {
  FailureSignal signal;
  signal.status = attempt_.http_status;
  if (response.status == "incomplete") {
    signal.phase = FailurePhase::incomplete;
    signal.error.code = response.incomplete_reason;
    if (response.incomplete_reason != "content_filter" && salvage_cut(response, now)) return;
    attempt_failed(signal, now);
  } else if (response.status != "completed") {
    signal.phase = FailurePhase::event;
    signal.error = response.error.value_or(ProviderError{"", "", "the response ended as " + response.status, ""});
    attempt_.recovered ? abandon_recovered(classify(signal, env_.settings, now.wall).message, now)
                       : attempt_failed(signal, now);
  } else if (!response.refusal.empty()) {
    signal.phase = FailurePhase::refusal;
    signal.error.message = response.refusal;
    attempt_failed(signal, now);
  } else {
    judge_text(response, now);
  }
}

void CallMachine::judge_text(const ModelResponse& response, Now now) {
  if (trim(response.text).empty()) {
    Judgement empty;
    empty.feedback = kEmptyFeedback;
    empty.error = "the model answered with an empty text";
    reject(response, empty, now);
    return;
  }
  const bool last = !can_repair(now) && !can_move(MoveReason::failure);
  Judgement judgement = judge_(response.text, kept_, last);
  if (judgement.accepted) {
    accept(response, std::move(judgement), now);
  } else {
    reject(response, judgement, now);
  }
}

void CallMachine::accept(const ModelResponse& response, Judgement judgement, Now now) {
  const auto duration = std::chrono::duration_cast<ClientSettings::Ms>(now.steady - attempt_.started_at);
  Feedback feedback{.clean = true};
  if (response.usage) {
    // An answer that was fetched says nothing about how long it took.
    if (!attempt_.recovered) env_.knowledge.answered(spec_.schema_name, response.usage->output_tokens, duration);
    feedback.used_tokens = response.usage->total();
  }
  end_attempt("completed", std::nullopt, false, true, now);
  finish_ticket(feedback);
  finish(outcome_of(response, std::move(judgement)));
}

bool CallMachine::can_repair(Now now) const {
  return progress_.repairs < env_.settings.repair_rounds_max && progress_.attempts < env_.settings.attempts_max &&
         time_left(now).count() > 0;
}

bool CallMachine::can_move(MoveReason reason) const {
  return progress_.attempts < env_.settings.attempts_max && progress_.models < env_.settings.models_max &&
         candidates_.peek(reason, model_) != nullptr;
}

/// The text does not hold: another round, another model, or the end.
void CallMachine::reject(const ModelResponse& response, const Judgement& judgement, Now now) {
  if (judgement.partial) keep_partial(response, judgement);
  if (can_repair(now)) {
    repair(response, judgement, now);
    return;
  }
  Error error(ErrorCode::SchemaRepairExhausted,
              env_.redact(fmt::format("the answer does not hold after {} repair rounds: {}", repairs_total_, judgement.error)));
  const bool move = can_move(MoveReason::failure);
  end_attempt("failed", Error(ErrorCode::ValidationFailed, env_.redact(judgement.error)), move, true, now);
  finish_ticket(Feedback{.clean = true});
  act(Decision{move ? Decision::Step::next_model : Decision::Step::give_up, AttemptReason::fallback, {}}, std::move(error),
      MoveReason::failure, now);
}

void CallMachine::keep_partial(const ModelResponse& response, const Judgement& judgement) {
  kept_before_ = std::exchange(kept_, judgement.kept);
  partial_text_ = response.text;
  partial_message_ = said(response, response.text.size());
}

/// One more round: what the model said, and what is wrong with it. By id where the provider keeps the conversation.
void CallMachine::repair(const ModelResponse& response, const Judgement& judgement, Now now) {
  const bool by_id = attempt_.store && model_->caps.stateful && wire_ == Wire::responses && !response.id.empty() &&
                     response.status == "completed";
  end_attempt("failed", Error(ErrorCode::ValidationFailed, env_.redact(judgement.error)), true, true, now);
  finish_ticket(Feedback{.clean = true});
  if (!response.text.empty()) conversation_.push_back(said(response, env_.settings.repair_output_bytes_max));
  const std::string feedback = judgement.feedback.empty() ? default_feedback(judgement) : judgement.feedback;
  parent_id_ = by_id ? response.id : std::string();
  known_ = by_id ? conversation_.size() : 0;
  conversation_.push_back(Message{Message::Role::user, {cut_code_points(feedback, env_.settings.feedback_chars_max)}});
  input_tokens_ = estimate_input_tokens(conversation_, spec_.schema);
  ++progress_.repairs;
  ++repairs_total_;
  enqueue(AttemptReason::repair, now);
}

/// A list that was cut keeps its whole elements, and only the rest is asked for, once the budget cannot grow any more.
bool CallMachine::salvage_cut(const ModelResponse& response, Now now) {
  const bool can_grow = !spec_.fixed_budget && !progress_.budget_raised && budget_ < model_->max_output_tokens;
  if (spec_.schema.is_null() || can_grow || trim(response.text).empty()) return false;
  const Judgement judgement = judge_(response.text, kept_, false);
  const bool gained = judgement.partial && judgement.kept.size() > kept_.size();
  if (!gained) return false;
  keep_partial(response, judgement);
  if (!can_repair(now)) return false;
  repair(response, judgement, now);
  return true;
}

void CallMachine::attempt_failed(const FailureSignal& told, Now now) {
  FailureSignal signal = told;
  signal.had_parent_id = attempt_.by_parent;
  Classification failure = classify(signal, env_.settings, now.wall);
  failure.message = env_.redact(failure.message);
  const MoveReason move = move_reason(failure);
  if (failure.kind == FailureClass::fatal_provider) closed_provider_ = provider_key(*model_);
  const Adaptations& adaptations = env_.knowledge.adaptations(model_->id);
  Possibilities possible;
  if (failure.kind == FailureClass::adapt) {
    possible.adapted = adapt(signal.error, env_.knowledge.adaptations(model_->id));
    effort_ = adapt_effort(effort_, effort_values_of(*model_, adaptations));
  }
  possible.budget_can_grow = !spec_.fixed_budget && budget_ < model_->max_output_tokens &&
                             input_tokens_ + budget_ < static_cast<std::int64_t>(model_->context_window);
  possible.effort_can_sink = lower_effort(effort_, effort_values_of(*model_, adaptations)).has_value();
  possible.other_model = candidates_.peek(move, model_) != nullptr;
  possible.take_retry_budget = [&] { return env_.knowledge.take_retry(spec_.plan_id); };
  possible.time_left = time_left(now);
  const Decision decision = decide(failure, signal.phase, possible, env_.settings, progress_, env_.random);

  Feedback feedback;
  feedback.clean = answered(signal.phase);
  feedback.congested = failure.congested;
  feedback.endpoint_failed = failure.endpoint_failed;
  if (failure.kind == FailureClass::fatal_provider) feedback.provider_tripped = failure.code;
  if (failure.rate_limited) feedback.pause = failure.delay ? *failure.delay : decision.delay;
  const bool give_up = decision.step == Decision::Step::give_up;
  end_attempt(failure.possibly_billed ? "abandoned" : "failed", Error(failure.code, failure.message), !give_up,
              failure.possibly_billed || answered(signal.phase), now);
  finish_ticket(feedback);
  act(decision, Error(failure.code, failure.message), move, now);
}

void CallMachine::act(const Decision& decision, Error error, MoveReason move, Now now) {
  switch (decision.step) {
    case Decision::Step::give_up:
      fail_call(std::move(error), now);
      return;
    case Decision::Step::next_model:
      switch_model(move, now);
      break;
    case Decision::Step::raise_budget: {
      const auto room = static_cast<std::int64_t>(model_->context_window) - input_tokens_;
      const std::int64_t cap = std::min<std::int64_t>(model_->max_output_tokens, std::max<std::int64_t>(room, budget_));
      budget_ = static_cast<int>(std::min<std::int64_t>(2LL * budget_, cap));
      break;
    }
    case Decision::Step::lower_effort:
      effort_ = lower_effort(effort_, effort_values_of(*model_, env_.knowledge.adaptations(model_->id))).value_or(effort_);
      break;
    case Decision::Step::resend:
      if (decision.reason == AttemptReason::rebuild) {
        env_.knowledge.lose_parent(parent_id_);
        parent_id_.clear();
        known_ = 0;
      } else if (decision.reason != AttemptReason::adapt) {
        ++retries_total_;
      }
      break;
  }
  next_reason_ = decision.reason;
  if (decision.delay.count() > 0) {
    wait(Next::request, decision.delay, now);
  } else {
    enqueue(decision.reason, now);
  }
}

}  // namespace planexe::llm
