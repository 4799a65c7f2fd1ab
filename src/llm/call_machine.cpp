#include "llm/call_machine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "llm/cost.hpp"
#include "llm/transcript.hpp"

namespace planexe::llm {

namespace {

using Ms = ClientSettings::Ms;

Ms since(SteadyTime start, SteadyTime now) { return std::chrono::duration_cast<Ms>(now - start); }

/// What a call without a judge wants: any text, or any JSON value.
Judgement judge_plainly(const json::value& schema, std::string_view text) {
  Judgement judgement;
  if (schema.is_null()) {
    judgement.accepted = true;
    judgement.value = text;
    return judgement;
  }
  Result<json::value> parsed = parse_json(text);
  judgement.accepted = parsed.has_value();
  if (parsed) {
    judgement.value = std::move(*parsed);
  } else {
    judgement.error = parsed.error().message;
    judgement.feedback = "Your answer is not valid JSON. Answer again with one JSON value and nothing else.";
  }
  return judgement;
}

}  // namespace

CallMachine::CallMachine(TicketId id, CallSpec spec, Judge judge, CallEnvironment& environment)
    : id_(id), spec_(std::move(spec)), judge_(std::move(judge)), env_(environment),
      candidates_(environment.catalogue, spec_.model, facts()) {
  if (!judge_) {
    judge_ = [schema = spec_.schema](std::string_view text, const json::array&, bool) { return judge_plainly(schema, text); };
  }
}

Candidates::Facts CallMachine::facts() {
  return {.configured = [this](const ModelEntry& model) { return !env_.configured || env_.configured(model); },
          .fits = [this](const ModelEntry& model) { return fits(model); },
          // The moment of the last event is exact enough: breakers stay open for seconds.
          .available = [this](const ModelEntry& model) {
            return env_.limits.available(model, asked_at_) && provider_key(model) != closed_provider_;
          }};
}

bool CallMachine::fits(const ModelEntry& model) const {
  return input_tokens_ + output_budget(model) <= model.context_window;
}

int CallMachine::output_budget(const ModelEntry& model) const {
  if (spec_.fixed_budget) return std::min(spec_.max_output_tokens, model.max_output_tokens);
  const int budget = env_.knowledge.output_budget(spec_.plan_id, spec_.schema_name, spec_.max_output_tokens);
  return std::min(budget, model.max_output_tokens);
}

Actions CallMachine::start(Now now) {
  PLANEXE_ASSERT(phase_ == Phase::idle);
  asked_at_ = now.steady;
  env_.knowledge.call_started(spec_.plan_id);
  conversation_ = conversation_of(spec_);
  question_end_ = conversation_.size();
  input_tokens_ = estimate_input_tokens(conversation_, spec_.schema);
  next_attempt_ = spec_.first_attempt;
  if (spec_.recovery) {
    next_attempt_ = std::max(next_attempt_, spec_.recovery->attempt + 1);
    start_recovery(now);
  } else {
    take_first_model(now);
  }
  return take_actions();
}

void CallMachine::start_recovery(Now now) {
  const Recovery& recovery = *spec_.recovery;
  attempt_.number = recovery.attempt;
  attempt_.reason = AttemptReason::recovery;
  attempt_.recovered = true;
  attempt_.background = recovery.background;
  attempt_.store = env_.store_responses;
  attempt_.started_at = now.steady;
  attempt_.started_wall = now.wall;
  const ModelEntry* model = env_.catalogue.find(recovery.model);
  if (model != nullptr && model->is_text()) {
    candidates_.mark_used(*model);
    progress_.models = 1;
    use_model(*model, now);
  }
  const bool can_fetch = model_ != nullptr && wire_ == Wire::responses && model->caps.stateful &&
                         !recovery.response_id.empty() && (!env_.configured || env_.configured(*model));
  if (!can_fetch) {
    abandon_recovered("the process ended while the answer was awaited, and there is nothing to fetch", now);
    return;
  }
  attempt_.response_id_told = true;
  attempt_.doing = Next::fetch;
  first_sent_at_ = now.steady;
  attempt_.accumulator = make_accumulator(wire_, env_.settings, model->caps.sequence_numbers);
  send(fetch_request(recovery.response_id), now);
}

void CallMachine::take_first_model(Now now) {
  const ModelEntry* model = candidates_.pick(MoveReason::first, nullptr);
  if (model == nullptr) {
    fail_call(candidates_.why_none(), now);
    return;
  }
  progress_.models = 1;
  use_model(*model, now);
  enqueue(spec_.recovery ? AttemptReason::recovery : AttemptReason::first, now);
}

void CallMachine::use_model(const ModelEntry& model, Now now) {
  model_ = &model;
  wire_ = choose_wire(model, !spec_.schema.is_null());
  effort_ = adapt_effort(spec_.effort, effort_values_of(model, env_.knowledge.adaptations(model.id)));
  budget_ = output_budget(model);
  parent_id_.clear();
  known_ = 0;
  if (conversation_.size() == question_end_ && may_use_parent(now)) {
    parent_id_ = spec_.parent->response_id;
    known_ = spec_.parent->transcript.size();
  }
}

/// The next model starts afresh, except that a partial list is not thrown away.
void CallMachine::switch_model(MoveReason reason, Now now) {
  const ModelEntry* model = candidates_.pick(reason, model_);
  PLANEXE_ASSERT(model != nullptr);
  if (kept_.empty()) {
    conversation_.resize(question_end_);
    input_tokens_ = estimate_input_tokens(conversation_, spec_.schema);
  }
  progress_.next_model();
  use_model(*model, now);
}

bool CallMachine::may_use_parent(Now now) const {
  if (!spec_.parent || !env_.store_responses || wire_ != Wire::responses || !model_->caps.stateful) return false;
  const Parent& parent = *spec_.parent;
  const bool same = parent.stored && !parent.response_id.empty() && parent.provider == model_->provider &&
                    parent.model == model_->id;
  const bool young = parent.completed_at && now.wall - *parent.completed_at < env_.settings.parent_age_max;
  return same && young && !env_.knowledge.is_lost(parent.response_id);
}

void CallMachine::enqueue(AttemptReason reason, Now now) {
  next_reason_ = reason;
  if (move_if_closed(now)) return;
  attempt_ = Attempt{};
  attempt_.queued_at = now.steady;
  phase_ = Phase::queued;
  phase_since_ = now.steady;
  if (!env_.limits.available(*model_, now.steady)) blocked_since_ = now.steady;
  const std::int64_t output = env_.knowledge.output_reservation(spec_.schema_name, budget_);
  give(action::Enqueue{model_, Ticket{id_, spec_.plan_id, spec_.priority, spec_.cache_group, input_tokens_ + output}});
}

/// True when the call went elsewhere, or ended, because the endpoint takes no requests now.
bool CallMachine::move_if_closed(Now now) {
  asked_at_ = now.steady;
  if (env_.limits.available(*model_, now.steady)) return false;
  if (can_move(MoveReason::failure)) {
    switch_model(MoveReason::failure, now);
    enqueue(progress_.attempts == 0 ? next_reason_ : AttemptReason::fallback, now);
    return true;
  }
  const auto closed = env_.limits.provider_closed(*model_, now.steady);
  if (!closed) return false;
  fail_call(Error(*closed, fmt::format("provider {} takes no requests after an earlier refusal", model_->provider)), now);
  return true;
}

Actions CallMachine::queue_full(Now now) {
  fail_call(Error(ErrorCode::ProviderUnavailable, "too many calls wait for models already"), now);
  return take_actions();
}

Actions CallMachine::admitted(Now now) {
  PLANEXE_ASSERT(phase_ == Phase::queued);
  has_ticket_ = true;
  blocked_since_.reset();
  asked_at_ = now.steady;
  attempt_.queue_ms = since(attempt_.queued_at, now.steady).count();
  announce(now);
  return take_actions();
}

bool CallMachine::wants_background() const {
  const Capabilities& caps = model_->caps;
  const bool able = wire_ == Wire::responses && caps.stateful && caps.store && env_.store_responses && spec_.store;
  if (!able || caps.background == "never" || env_.knowledge.adaptations(model_->id).drops("background")) return false;
  if (caps.background == "always") return true;
  const auto expected = env_.knowledge.mean_duration(spec_.schema_name);
  return expected && *expected > env_.settings.background_threshold;
}

RequestInput CallMachine::request_input() const {
  return RequestInput{.spec = spec_,
                      .model = *model_,
                      .adaptations = env_.knowledge.adaptations(model_->id),
                      .wire = wire_,
                      .messages = conversation_,
                      .known = known_,
                      .parent_id = parent_id_,
                      .effort = effort_,
                      .max_output_tokens = budget_,
                      .background = attempt_.background,
                      .store = attempt_.store,
                      .attempt = attempt_.number};
}

void CallMachine::announce(Now now) {
  attempt_.number = next_attempt_++;
  attempt_.reason = next_reason_;
  attempt_.background = wants_background();
  attempt_.store = wire_ == Wire::responses && model_->caps.store && env_.store_responses && spec_.store;
  attempt_.by_parent = !parent_id_.empty();
  ++progress_.attempts;
  const RequestInput input = request_input();
  attempt_.request = build_request(input);
  attempt_.request_hash = llm::request_hash(input);
  AttemptStart start;
  start.attempt = attempt_.number;
  start.reason = attempt_.reason;
  start.model = model_->id;
  start.provider = model_->provider;
  start.provider_model = model_->model;
  start.request_hash = attempt_.request_hash;
  start.background = attempt_.background;
  if (const auto price = price_of(*model_, env_.prices, now.wall)) {
    start.cost_bound_micros = cost_bound_micros(input_upper_bound(conversation_, spec_.schema), budget_, *price);
  }
  start.extra_messages.assign(conversation_.begin() + static_cast<std::ptrdiff_t>(question_end_), conversation_.end());
  start.queue_ms = attempt_.queue_ms;
  phase_ = Phase::announced;
  phase_since_ = now.steady;
  give(action::Announce{std::move(start)});
}

Actions CallMachine::gate(bool go, ErrorCode refusal, Now now) {
  if (phase_ != Phase::announced) return {};
  if (!go) {
    finish_ticket(Feedback{.neutral = true});
    CallOutcome outcome;
    outcome.error = Error(refusal, "the request was not sent");
    finish(std::move(outcome));
    return take_actions();
  }
  attempt_.started_at = now.steady;
  attempt_.started_wall = now.wall;
  if (!first_sent_at_) first_sent_at_ = now.steady;
  attempt_.accumulator = make_accumulator(wire_, env_.settings, model_->caps.sequence_numbers);
  send(attempt_.request, now);
  return take_actions();
}

void CallMachine::send(const Request& request, Now now) {
  if (&request != &attempt_.request) attempt_.request = request;
  attempt_.exchange =
      std::make_unique<Exchange>(env_.settings, *attempt_.accumulator, attempt_.request.streaming, now.steady);
  phase_ = Phase::exchanging;
  phase_since_ = now.steady;
  give(action::Send{model_, attempt_.request});
}

void CallMachine::wait(Next next, Ms delay, Now now) {
  next_ = next;
  phase_ = Phase::waiting;
  phase_since_ = now.steady;
  wake_at_ = now.steady + delay;
}

void CallMachine::after_wait(Now now) {
  if (next_ == Next::request) {
    enqueue(next_reason_, now);
    return;
  }
  attempt_.doing = next_;
  const std::string& id = attempt_.recovered ? spec_.recovery->response_id : attempt_.accumulator->response_id();
  if (next_ == Next::fetch) {
    send(fetch_request(id), now);
    return;
  }
  const std::int64_t after = attempt_.accumulator->last_sequence();
  const Request request = continue_request(id, after);
  // Without numbers nothing tells old events from new ones: the text is read again from its beginning.
  if (after < 0) attempt_.accumulator = make_accumulator(wire_, env_.settings, model_->caps.sequence_numbers);
  send(request, now);
}

Ms CallMachine::time_left(Now now) const {
  if (!first_sent_at_) return env_.settings.call_timeout;
  return env_.settings.call_timeout - since(*first_sent_at_, now.steady);
}

Actions CallMachine::breaker_opened(Now now) {
  if (phase_ != Phase::queued) return {};
  asked_at_ = now.steady;
  if (env_.limits.available(*model_, now.steady)) return {};
  const bool leaves = can_move(MoveReason::failure) || env_.limits.provider_closed(*model_, now.steady).has_value();
  if (!leaves) {
    if (!blocked_since_) blocked_since_ = now.steady;
    return {};
  }
  give(action::LeaveQueue{});
  phase_ = Phase::idle;
  move_if_closed(now);
  return take_actions();
}

std::optional<SteadyTime> CallMachine::deadline() const {
  const ClientSettings& settings = env_.settings;
  std::optional<SteadyTime> call;
  if (first_sent_at_) call = *first_sent_at_ + settings.call_timeout;
  const auto earlier = [&](SteadyTime at) { return call ? std::min(*call, at) : at; };
  switch (phase_) {
    case Phase::idle:
    case Phase::finished: return std::nullopt;
    case Phase::queued: {
      const SteadyTime at = phase_since_ + settings.queue_timeout;
      return earlier(blocked_since_ ? std::min(at, *blocked_since_ + settings.call_timeout) : at);
    }
    case Phase::announced: return phase_since_ + settings.announce_timeout;
    case Phase::waiting: {
      const bool in_attempt = next_ != Next::request;
      const SteadyTime at = in_attempt ? std::min(wake_at_, attempt_.started_at + settings.attempt_timeout) : wake_at_;
      return earlier(at);
    }
    case Phase::exchanging: {
      SteadyTime at = std::min(attempt_.exchange->deadline(), attempt_.started_at + settings.attempt_timeout);
      const bool pending = !pending_text_.empty() || !pending_reasoning_.empty();
      if (pending) at = std::min(at, flushed_at_ + settings.delta_interval);
      return earlier(at);
    }
  }
  return std::nullopt;
}

Actions CallMachine::timer(Now now) {
  asked_at_ = now.steady;
  const auto due = deadline();
  if (!due || now.steady < *due) return {};
  if (phase_ == Phase::announced) {
    fail_call(Error(ErrorCode::Internal, "the ledger row of the request was not committed in time"), now);
  } else if (phase_ == Phase::exchanging || (phase_ == Phase::waiting && next_ != Next::request)) {
    on_exchange_timer(now);
  } else if (first_sent_at_ && time_left(now).count() <= 0) {
    fail_call(Error(ErrorCode::ProviderUnavailable, "the call got no answer within its time, retries included"), now);
  } else if (phase_ == Phase::queued) {
    queue_timer(now);
  } else {
    after_wait(now);
  }
  return take_actions();
}

/// A dead endpoint is not waited for as long as a busy one.
void CallMachine::queue_timer(Now now) {
  if (blocked_since_ && env_.limits.healthy(*model_, now.steady)) blocked_since_.reset();
  if (blocked_since_ && now.steady >= *blocked_since_ + env_.settings.call_timeout) {
    fail_call(Error(ErrorCode::ProviderUnavailable, fmt::format("the endpoint of model {} has been failing for too long", model_->id)), now);
  } else if (now.steady >= phase_since_ + env_.settings.queue_timeout) {
    fail_call(Error(ErrorCode::ProviderUnavailable, "the call waited too long for a place at the model's endpoint"), now);
  }
}

void CallMachine::paused(Now now) {
  if (phase_ == Phase::exchanging) attempt_.exchange->on_paused(now.steady);
}

}  // namespace planexe::llm
