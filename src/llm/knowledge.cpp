#include "llm/knowledge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace planexe::llm {

void Knowledge::lose_parent(const std::string& response_id) {
  if (response_id.empty() || !lost_.insert(response_id).second) return;
  lost_order_.push_back(response_id);
  if (lost_order_.size() <= settings_.memory_entries_max) return;
  lost_.erase(lost_order_.front());
  lost_order_.pop_front();
}

void Knowledge::answered(const std::string& kind, std::int64_t output_tokens, std::chrono::milliseconds duration) {
  if (!kinds_.contains(kind) && kinds_.size() >= settings_.memory_entries_max) return;
  Kind& known = kinds_[kind];
  known.output_tokens.push_back(output_tokens);
  if (known.output_tokens.size() > settings_.percentile_samples_max) known.output_tokens.pop_front();
  const double ms = static_cast<double>(duration.count());
  ++known.answers;
  // An exponential mean follows a change of model within some ten answers.
  const double weight = std::max(0.1, 1.0 / static_cast<double>(known.answers));
  known.duration_ms += (ms - known.duration_ms) * weight;
}

std::optional<std::int64_t> Knowledge::output_percentile_95(std::string_view kind) const {
  const auto at = kinds_.find(kind);
  if (at == kinds_.end() || at->second.output_tokens.empty()) return std::nullopt;
  std::vector<std::int64_t> sorted(at->second.output_tokens.begin(), at->second.output_tokens.end());
  const auto rank = static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(sorted.size()))) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(rank), sorted.end());
  return sorted[rank];
}

std::optional<std::chrono::milliseconds> Knowledge::mean_duration(std::string_view kind) const {
  const auto at = kinds_.find(kind);
  if (at == kinds_.end() || at->second.answers == 0) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(at->second.duration_ms));
}

int Knowledge::output_budget(const std::string& plan_id, const std::string& kind, int first) {
  auto& budgets = plan_of(plan_id).budgets;
  if (const auto fixed = budgets.find(kind); fixed != budgets.end()) return fixed->second;
  int budget = first;
  if (const auto percentile = output_percentile_95(kind)) {
    const double wanted = static_cast<double>(*percentile) * settings_.output_budget_factor;
    budget = static_cast<int>(std::min(wanted, static_cast<double>(std::numeric_limits<int>::max() / 4)));
    budget = std::max(budget, settings_.output_budget_min);
  }
  if (budgets.size() < settings_.memory_entries_max) budgets.emplace(kind, budget);
  return budget;
}

std::int64_t Knowledge::output_reservation(std::string_view kind, int budget) const {
  const auto at = kinds_.find(kind);
  if (at == kinds_.end() || at->second.output_tokens.size() < settings_.percentile_samples_min) return budget;
  const double expected = static_cast<double>(*output_percentile_95(kind)) * settings_.reservation_factor;
  return std::min<std::int64_t>(budget, static_cast<std::int64_t>(std::ceil(expected)));
}

void Knowledge::call_started(const std::string& plan_id) { ++plan_of(plan_id).calls; }

bool Knowledge::take_retry(const std::string& plan_id) {
  Plan& plan = plan_of(plan_id);
  const auto share = static_cast<std::int64_t>(settings_.retry_share * static_cast<double>(plan.calls));
  const std::int64_t budget = std::max<std::int64_t>(share, settings_.retries_min);
  if (plan.retries >= budget) return false;
  ++plan.retries;
  return true;
}

Knowledge::Plan& Knowledge::plan_of(const std::string& plan_id) {
  const auto at = plans_.find(plan_id);
  if (at != plans_.end()) return at->second;
  plan_order_.push_back(plan_id);
  if (plan_order_.size() > settings_.memory_entries_max) {
    plans_.erase(plan_order_.front());
    plan_order_.pop_front();
  }
  return plans_[plan_id];
}

}  // namespace planexe::llm
