#include "llm/breaker.hpp"

#include <algorithm>

namespace planexe::llm {

namespace {
/// More outcomes in a window do not change the share noticeably.
constexpr std::size_t kOutcomesMax = 1'000;
}

Breaker::State Breaker::state(SteadyTime now) const {
  if (!open_) return State::closed;
  return now < open_until_ ? State::open : State::half_open;
}

bool Breaker::admits(SteadyTime now) const {
  switch (state(now)) {
    case State::closed: return true;
    case State::open: return false;
    case State::half_open: return !probing_;
  }
  return false;
}

void Breaker::started(SteadyTime now) {
  if (state(now) == State::half_open) probing_ = true;
}

void Breaker::succeeded(SteadyTime now) {
  failures_in_row_ = 0;
  // An answer that was on its way when the breaker opened says little; the probe decides.
  if (open_ && !probing_) return;
  if (open_) outcomes_.clear();
  open_ = false;
  probing_ = false;
  open_for_ = std::chrono::milliseconds(0);
  outcomes_.push_back({now, false});
  forget_old(now);
}

bool Breaker::failed(SteadyTime now) {
  if (open_) {
    // Only the probe's failure matters; others were sent before the breaker opened.
    if (!probing_) return false;
    open(now, std::min(open_for_ * 2, open_max_));
    return true;
  }
  ++failures_in_row_;
  outcomes_.push_back({now, true});
  forget_old(now);
  const auto failures = std::count_if(outcomes_.begin(), outcomes_.end(), [](const Outcome& o) { return o.failed; });
  const bool share = static_cast<int>(outcomes_.size()) >= attempts_min_ &&
                     static_cast<double>(failures) >= failure_share_ * static_cast<double>(outcomes_.size());
  if (failures_in_row_ < failures_in_row_max_ && !share) return false;
  open(now, open_first_);
  return true;
}

void Breaker::trip(SteadyTime now) { open(now, open_max_); }

void Breaker::open(SteadyTime now, std::chrono::milliseconds duration) {
  open_ = true;
  probing_ = false;
  open_for_ = duration;
  open_until_ = now + duration;
  failures_in_row_ = 0;
  outcomes_.clear();
}

void Breaker::forget_old(SteadyTime now) {
  while (!outcomes_.empty() && (outcomes_.size() > kOutcomesMax || now - outcomes_.front().at > window_)) {
    outcomes_.pop_front();
  }
}

}  // namespace planexe::llm
