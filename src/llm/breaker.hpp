#pragma once

#include <deque>

#include "llm/settings.hpp"
#include "llm/token_bucket.hpp"

namespace planexe::llm {

/// Keeps requests away from an endpoint that fails. Closed: all pass. Open: none, for a time that doubles with every
/// failed probe. Half open: one probe decides.
class Breaker {
 public:
  explicit Breaker(const ClientSettings& settings)
      : failures_in_row_max_(settings.breaker_failures_in_row), attempts_min_(settings.breaker_attempts_min),
        failure_share_(settings.breaker_failure_share), window_(settings.breaker_window),
        open_first_(settings.breaker_open_first), open_max_(settings.breaker_open_max) {}

  enum class State { closed, open, half_open };

  [[nodiscard]] State state(SteadyTime now) const;

  /// True when a request may start now: closed, or half open without a probe on its way.
  [[nodiscard]] bool admits(SteadyTime now) const;

  /// A request that was admitted starts; in half open it is the probe.
  void started(SteadyTime now);

  /// The probe ended without a verdict (cancelled): the next request may be one.
  void probe_gone() { probing_ = false; }

  void succeeded(SteadyTime now);

  /// True when this failure opened the breaker.
  bool failed(SteadyTime now);

  /// Authentication and quota: opens at once for the longest time, since only people can mend it.
  void trip(SteadyTime now);

  /// When an open breaker lets a probe through; meaningless in other states.
  [[nodiscard]] SteadyTime opens_until() const { return open_until_; }

 private:
  void open(SteadyTime now, std::chrono::milliseconds duration);
  void forget_old(SteadyTime now);

  struct Outcome {
    SteadyTime at;
    bool failed;
  };

  int failures_in_row_max_;
  int attempts_min_;
  double failure_share_;
  std::chrono::milliseconds window_;
  std::chrono::milliseconds open_first_;
  std::chrono::milliseconds open_max_;

  bool open_ = false;
  bool probing_ = false;
  SteadyTime open_until_{};
  std::chrono::milliseconds open_for_{0};
  int failures_in_row_ = 0;
  std::deque<Outcome> outcomes_;
};

}  // namespace planexe::llm
