#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "llm/adaptation.hpp"
#include "llm/settings.hpp"

namespace planexe::llm {

/// What the process has learned from earlier calls: parameters that models refused, parents that providers lost, sizes
/// and durations of answers, and how many retries each plan has used. Bounded; pure; one thread.
class Knowledge {
 public:
  explicit Knowledge(const ClientSettings& settings) : settings_(settings) {}

  Adaptations& adaptations(const std::string& model_id) { return adaptations_[model_id]; }

  void lose_parent(const std::string& response_id);
  [[nodiscard]] bool is_lost(const std::string& response_id) const { return lost_.contains(response_id); }

  /// A call kind is the same question for different data: the schema name.
  void answered(const std::string& kind, std::int64_t output_tokens, std::chrono::milliseconds duration);
  [[nodiscard]] std::optional<std::int64_t> output_percentile_95(std::string_view kind) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> mean_duration(std::string_view kind) const;

  /// max_output_tokens of a call kind (llm.md 3.6): 4 times the 95th percentile, at least 4096; `first` before anything
  /// is known. Fixed for a plan when the plan first asks, so that its requests do not depend on who finishes first.
  int output_budget(const std::string& plan_id, const std::string& kind, int first);

  /// Output tokens to reserve: the budget, or 1.2 times the 95th percentile once there are 20 samples.
  [[nodiscard]] std::int64_t output_reservation(std::string_view kind, int budget) const;

  void call_started(const std::string& plan_id);
  /// Counts a retry against the plan's retry budget; false when it is spent.
  bool take_retry(const std::string& plan_id);

 private:
  struct Kind {
    std::deque<std::int64_t> output_tokens;
    double duration_ms = 0;
    std::int64_t answers = 0;
  };
  struct Plan {
    std::int64_t calls = 0, retries = 0;
    std::map<std::string, int, std::less<>> budgets;
  };

  Plan& plan_of(const std::string& plan_id);

  const ClientSettings& settings_;
  std::map<std::string, Adaptations, std::less<>> adaptations_;
  std::set<std::string, std::less<>> lost_;
  std::deque<std::string> lost_order_;
  std::map<std::string, Kind, std::less<>> kinds_;
  std::map<std::string, Plan, std::less<>> plans_;
  std::deque<std::string> plan_order_;
};

}  // namespace planexe::llm
