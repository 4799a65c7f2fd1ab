#include "llm/concurrency.hpp"

#include <algorithm>

namespace planexe::llm {

AdaptiveConcurrency::AdaptiveConcurrency(int start, int ceiling, const ClientSettings& settings)
    : limit_(std::clamp(start, 1, std::max(ceiling, 1))), ceiling_(std::max(ceiling, 1)),
      halve_interval_(settings.halve_interval) {}

void AdaptiveConcurrency::completed() {
  if (limit_ >= ceiling_) {
    clean_ = 0;
    return;
  }
  if (++clean_ < limit_) return;
  clean_ = 0;
  ++limit_;
}

void AdaptiveConcurrency::congested(SteadyTime now) {
  clean_ = 0;
  if (halved_ && now - halved_at_ < halve_interval_) return;
  halved_ = true;
  halved_at_ = now;
  limit_ = std::max(1, limit_ / 2);
}

}  // namespace planexe::llm
