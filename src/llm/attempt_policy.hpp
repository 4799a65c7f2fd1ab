#pragma once

#include <chrono>
#include <functional>

#include "base/random.hpp"
#include "llm/classify.hpp"
#include "llm/settings.hpp"
#include "llm/types.hpp"

namespace planexe::llm {

/// What a call has used up so far.
struct Progress {
  int attempts = 0;       ///< over all reasons and models
  int models = 0;         ///< tried so far, the current one included
  int policy_moves = 0;   ///< other models after a refusal or a filter
  // On the current model:
  int retries = 0;
  int restarts = 0;
  int repeats = 0;
  int repairs = 0;
  bool budget_raised = false;
  bool effort_lowered = false;
  bool rebuilt = false;

  void next_model() { *this = Progress{.attempts = attempts, .models = models + 1, .policy_moves = policy_moves}; }
};

/// What is possible at this moment, besides the counters.
struct Possibilities {
  bool adapted = false;            ///< the refused parameter can be left out or changed
  bool budget_can_grow = false;
  bool effort_can_sink = false;
  bool other_model = false;        ///< a candidate for this failure exists
  std::function<bool()> take_retry_budget;  ///< asked once a retry is wanted; false: the plan has none left
  std::chrono::milliseconds time_left{0};  ///< until the call's deadline
};

/// What to do after a failed attempt.
struct Decision {
  enum class Step { resend, raise_budget, lower_effort, next_model, give_up };
  Step step = Step::give_up;
  AttemptReason reason = AttemptReason::retry;
  std::chrono::milliseconds delay{0};
};

/// The one retry loop's decision (llm.md 3.1, 3.2, 3.4, 3.6). Counts into `progress` what it grants.
Decision decide(const Classification& failure, FailurePhase phase, const Possibilities& possible,
                const ClientSettings& settings, Progress& progress, Random& random);

}  // namespace planexe::llm
