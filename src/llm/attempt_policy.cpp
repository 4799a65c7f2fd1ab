#include "llm/attempt_policy.hpp"

namespace planexe::llm {

namespace {

Decision resend(AttemptReason reason, std::chrono::milliseconds delay = std::chrono::milliseconds(0)) {
  return {Decision::Step::resend, reason, delay};
}

/// Another model, where there is one and the call may still try one.
Decision move_on(const Classification& failure, const Possibilities& possible, const ClientSettings& settings,
                 Progress& progress) {
  const bool policy = failure.code == ErrorCode::ModelRefused || failure.code == ErrorCode::ContentFiltered;
  if (!possible.other_model || progress.models >= settings.models_max) return {};
  // A second model that refuses as well shows that it is the question.
  if (policy && progress.policy_moves > 0) return {};
  if (policy) ++progress.policy_moves;
  return {Decision::Step::next_model, AttemptReason::fallback, {}};
}

bool take_retry(const Classification& failure, FailurePhase phase, const ClientSettings& settings, Progress& progress) {
  // What runs away once will most likely run away again.
  const bool runaway = phase == FailurePhase::repeated || phase == FailurePhase::too_long;
  if (runaway) return progress.repeats++ < settings.repeated_chunk_retries_max;
  if (failure.broken_stream) return progress.restarts++ < settings.stream_restarts_max;
  return progress.retries++ < settings.request_retries_max;
}

Decision retry(const Classification& failure, FailurePhase phase, const Possibilities& possible,
               const ClientSettings& settings, Progress& progress, Random& random) {
  const int done_before = progress.retries + progress.restarts + progress.repeats;
  if (!take_retry(failure, phase, settings, progress)) return move_on(failure, possible, settings, progress);
  const bool waits_too_long = failure.delay && *failure.delay > settings.server_delay_max;
  const auto delay = failure.delay ? with_extra(settings, *failure.delay, random)
                                   : backoff(settings, done_before, failure.rate_limited, random);
  if (waits_too_long || delay >= possible.time_left) return move_on(failure, possible, settings, progress);
  if (possible.take_retry_budget && !possible.take_retry_budget()) return move_on(failure, possible, settings, progress);
  const bool begun = phase >= FailurePhase::cut;
  return resend(begun ? AttemptReason::restart : AttemptReason::retry, delay);
}

Decision raise_budget(const Classification& failure, const Possibilities& possible, const ClientSettings& settings,
                      Progress& progress) {
  if (!progress.budget_raised && possible.budget_can_grow) {
    progress.budget_raised = true;
    return {Decision::Step::raise_budget, AttemptReason::budget, {}};
  }
  if (!possible.budget_can_grow && !progress.effort_lowered && possible.effort_can_sink) {
    progress.effort_lowered = true;
    return {Decision::Step::lower_effort, AttemptReason::budget, {}};
  }
  return move_on(failure, possible, settings, progress);
}

}  // namespace

Decision decide(const Classification& failure, FailurePhase phase, const Possibilities& possible,
                const ClientSettings& settings, Progress& progress, Random& random) {
  if (progress.attempts >= settings.attempts_max || possible.time_left.count() <= 0) return {};
  switch (failure.kind) {
    case FailureClass::retry:
    case FailureClass::retry_after: return retry(failure, phase, possible, settings, progress, random);
    case FailureClass::adapt:
      return possible.adapted ? resend(AttemptReason::adapt) : Decision{};
    case FailureClass::rebuild_chain:
      if (progress.rebuilt) return {};
      progress.rebuilt = true;
      return resend(AttemptReason::rebuild);
    case FailureClass::raise_budget: return raise_budget(failure, possible, settings, progress);
    case FailureClass::next_model:
    case FailureClass::fatal_provider: return move_on(failure, possible, settings, progress);
    case FailureClass::fatal_call: return {};
  }
  return {};
}

}  // namespace planexe::llm
