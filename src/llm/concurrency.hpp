#pragma once

#include "llm/settings.hpp"
#include "llm/token_bucket.hpp"

namespace planexe::llm {

/// How many calls an endpoint takes at once, found by trying: one more after as many clean completions as the limit is,
/// half after a sign of congestion, but not more often than every settings.halve_interval.
class AdaptiveConcurrency {
 public:
  AdaptiveConcurrency(int start, int ceiling, const ClientSettings& settings);

  void completed();
  void congested(SteadyTime now);
  [[nodiscard]] int limit() const { return limit_; }

 private:
  int limit_;
  int ceiling_;
  int clean_ = 0;
  std::chrono::milliseconds halve_interval_;
  SteadyTime halved_at_{};
  bool halved_ = false;
};

}  // namespace planexe::llm
