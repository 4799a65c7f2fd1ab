// Ledger rows and the outcome of a call.
#include <algorithm>

#include "base/text.hpp"
#include "llm/call_machine.hpp"
#include "llm/cost.hpp"
#include "llm/transcript.hpp"

namespace planexe::llm {

namespace {

void count(json::object& counters, std::string_view name, int value) {
  if (value > 0) counters[name] = value;
}

}  // namespace

ModelResponse CallMachine::heard() const {
  if (!attempt_.accumulator) return {};
  const auto& result = attempt_.accumulator->result();
  return result ? *result : attempt_.accumulator->partial();
}

void CallMachine::end_attempt(std::string_view status, std::optional<Error> error, bool will_retry, bool possibly_billed,
                              Now now) {
  const ModelResponse response = heard();
  AttemptRecord record;
  record.attempt = attempt_.number;
  record.reason = attempt_.reason;
  record.status = status;
  record.model = model_ != nullptr ? model_->id : spec_.recovery ? spec_.recovery->model : "";
  if (model_ != nullptr) {
    record.provider = model_->provider;
    record.provider_model = response.model.empty() ? model_->model : response.model;
  }
  record.response_id = response.id;
  if (record.response_id.empty() && attempt_.recovered) record.response_id = spec_.recovery->response_id;
  record.provider_request_id = env_.redact(to_valid_utf8(attempt_.provider_request_id));
  record.request_hash = attempt_.request_hash;
  record.service_tier = response.service_tier;
  record.text = to_valid_utf8(response.text);
  record.reasoning = to_valid_utf8(response.reasoning);
  record.refusal = env_.redact(to_valid_utf8(response.refusal));
  record.queue_ms = attempt_.queue_ms;
  record.first_byte_ms = attempt_.first_byte_ms;
  record.first_token_ms = attempt_.first_token_ms;
  record.duration_ms = std::chrono::duration_cast<ClientSettings::Ms>(now.steady - attempt_.started_at).count();
  record.http_status = attempt_.http_status;
  record.error = std::move(error);
  record.will_retry = will_retry;
  record.background = attempt_.background;
  if (attempt_.accumulator) {
    record.last_event_sequence = attempt_.accumulator->last_sequence();
    const StreamCounters& counters = attempt_.accumulator->counters();
    count(record.counters, "unknown_events", counters.unknown_events);
    count(record.counters, "duplicate_events", counters.duplicate_events);
    count(record.counters, "sequence_gaps", counters.sequence_gaps);
    count(record.counters, "text_mismatches", counters.text_mismatches);
    count(record.counters, "continuations", attempt_.continuations);
    count(record.counters, "resent", attempt_.resent ? 1 : 0);
  }
  fill_usage(record, response, possibly_billed, now);
  give(action::EndAttempt{std::move(record)});
}

/// Usage as the provider says, else an upper bound by characters where the provider may charge.
void CallMachine::fill_usage(AttemptRecord& record, const ModelResponse& response, bool possibly_billed, Now now) const {
  if (response.usage) {
    record.usage = *response.usage;
  } else if (possibly_billed) {
    record.usage.estimated = true;
    record.usage.input_tokens = input_upper_bound(conversation_, spec_.schema);
    record.usage.output_tokens = token_upper_bound(response.text) + token_upper_bound(response.reasoning) +
                                 token_upper_bound(response.refusal);
    // Nothing was heard of it, but it may have been answered.
    if (attempt_.recovered && record.usage.output_tokens == 0) {
      record.usage.output_tokens = env_.knowledge.output_percentile_95(spec_.schema_name).value_or(0);
    }
  }
  if (model_ == nullptr) return;
  const auto price = price_of(*model_, env_.prices, now.wall);
  if (!price) return;
  record.cost_micros = cost_micros(record.usage, *price, env_.prices.tier_factor(model_->provider, response.service_tier));
  record.price_version = price->version;
}

void CallMachine::finish_ticket(const Feedback& feedback) {
  if (!std::exchange(has_ticket_, false)) return;
  give(action::FinishTicket{feedback});
}

/// What the model said, as a message of the conversation. `bytes_max` cuts what is only sent back to be repaired.
Message CallMachine::said(const ModelResponse& response, std::size_t bytes_max) const {
  Message message;
  message.role = Message::Role::assistant;
  std::string text = to_valid_utf8(response.text);
  if (text.size() > bytes_max) {
    text = std::string(cut_code_points(std::string_view(text).substr(0, bytes_max), bytes_max));
    // The cut may have gone through a character.
    text = to_valid_utf8(text);
  }
  message.parts.push_back(std::move(text));
  message.origin = model_->id;
  message.phase = response.phase;
  message.reasoning_items = response.reasoning_items;
  return message;
}

CallOutcome CallMachine::outcome_of(const ModelResponse& response, Judgement judgement) {
  CallOutcome outcome;
  outcome.ok = true;
  outcome.value = std::move(judgement.value);
  outcome.degraded = judgement.degraded;
  outcome.model = model_->id;
  outcome.provider = model_->provider;
  outcome.stored = attempt_.store && model_->caps.stateful && !response.id.empty();
  outcome.response_id = response.id;
  conversation_.push_back(said(response, response.text.size()));
  outcome.transcript = conversation_;
  return outcome;
}

/// The call cannot go on, but a partial list came: the judge says whether the task permits it.
bool CallMachine::accept_partial() {
  if (partial_text_.empty()) return false;
  Judgement judgement = judge_(partial_text_, kept_before_, true);
  if (!judgement.accepted) return false;
  CallOutcome outcome;
  outcome.ok = true;
  outcome.value = std::move(judgement.value);
  outcome.degraded = judgement.degraded;
  outcome.model = model_->id;
  outcome.provider = model_->provider;
  conversation_.resize(question_end_);
  conversation_.push_back(partial_message_);
  outcome.transcript = conversation_;
  finish(std::move(outcome));
  return true;
}

void CallMachine::fail_call(Error error, Now) {
  if (phase_ == Phase::queued) give(action::LeaveQueue{});
  finish_ticket(Feedback{.neutral = true});
  if (accept_partial()) return;
  CallOutcome outcome;
  if (model_ != nullptr) {
    outcome.model = model_->id;
    outcome.provider = model_->provider;
  }
  outcome.error = std::move(error);
  finish(std::move(outcome));
}

void CallMachine::finish(CallOutcome outcome) {
  PLANEXE_ASSERT(phase_ != Phase::finished);
  PLANEXE_ASSERT(!has_ticket_);
  outcome.attempts = progress_.attempts;
  outcome.repairs = repairs_total_;
  outcome.retries = retries_total_;
  phase_ = Phase::finished;
  give(action::Finish{std::move(outcome)});
}

}  // namespace planexe::llm
