#include <algorithm>
#include <string>

#include "engine/plan_run.hpp"

namespace planexe::engine {
namespace {

constexpr int kCallsBeforeEstimate = 3;

}  // namespace

void PlanRun::update_progress() {
  double done = 0;
  std::int64_t total = 0;
  int completed = 0;
  std::string running;
  for (const auto* task : order_) {
    const int weight = std::max(1, task->row.weight);
    total += weight;
    if (task->ended() && task->row.state != "cancelled" && task->row.state != "blocked") {
      done += weight;
      completed += task->succeeded() ? 1 : 0;
    } else if (task->row.state == "running") {
      if (!running.empty()) running += ", ";
      running += task->task->title;
      int settled = 0;
      for (const auto& step : task->steps)
        settled += static_cast<int>(std::count_if(step.units.begin(), step.units.end(), [](const auto& u) { return u.settled(); }));
      if (task->row.units_total > 1) done += weight * static_cast<double>(settled) / task->row.units_total;
    }
  }
  weight_done_ = done;
  int percent = total > 0 ? static_cast<int>(100.0 * done / static_cast<double>(total)) : 0;
  if (plan_.status != "completed") percent = std::min(percent, 99);
  // Corrected fan-out sizes never make a shown value fall within one run.
  plan_.progress_percentage = std::max(percent, progress_floor_);
  progress_floor_ = plan_.progress_percentage;
  plan_.progress_message = std::to_string(completed) + "/" + std::to_string(order_.size()) + " tasks completed" +
                           (running.empty() ? "" : "; running: " + running);
  plan_changed_ = true;
  update_eta();
}

void PlanRun::update_eta() {
  if (call_count_ < kCallsBeforeEstimate) {
    plan_.eta_seconds.reset();
    return;
  }
  int rounds = 0;
  for (const auto* task : order_)
    if (!task->ended()) rounds = std::max(rounds, task->path_length);
  plan_.eta_seconds = rounds * (call_ms_sum_ / call_count_) / 1000;
}

json::object PlanRun::progress_object() const {
  json::object counts{{"completed", 0}, {"running", 0}, {"failed", 0}, {"blocked", 0}, {"skipped", 0}};
  for (const auto* task : order_)
    if (auto* count = counts.if_contains(task->row.state)) count->as_int64() += 1;
  counts["total"] = order_.size();
  counts["weight_done"] = weight_done_;
  return counts;
}

json::object PlanRun::task_payload(const TaskRun& task, std::string_view previous) const {
  const auto& row = task.row;
  const bool no_price = task.usage.calls > 0 && task.usage.unpriced == task.usage.calls;
  const auto time = [](const std::optional<TimePoint>& at) { return at ? json::value(format_iso(*at)) : json::value(nullptr); };
  return {{"task_key", row.task_key},
          {"title", task.task->title},
          {"phase", row.phase},
          {"state", row.state},
          {"previous_state", previous},
          {"state_reason", row.state_reason.empty() ? json::value(nullptr) : json::value(row.state_reason)},
          {"attempt", row.attempt},
          {"units", row.units_total > 1 ? json::value(json::object{{"total", row.units_total}, {"done", row.units_done}, {"failed", row.units_failed}})
                                        : json::value(nullptr)},
          {"started_at", time(row.started_at)},
          {"finished_at", time(row.finished_at)},
          {"duration_ms", row.finished_at ? json::value(row.duration_ms) : json::value(nullptr)},
          {"input_tokens", task.usage.input_tokens},
          {"cached_input_tokens", task.usage.cached_input_tokens},
          {"output_tokens", task.usage.output_tokens},
          {"reasoning_tokens", task.usage.reasoning_tokens},
          {"cost_micros", no_price ? json::value(nullptr) : json::value(task.usage.cost_micros)},
          {"error", row.error_code.empty() ? json::value(nullptr)
                                           : json::value(json::object{{"code", row.error_code}, {"message", row.error_message}})},
          {"degraded", row.degraded},
          {"progress_percentage", plan_.progress_percentage}};
}

void PlanRun::task_event(const TaskRun& task, std::string_view previous) { events_.store("task", task_payload(task, previous), now_); }

void PlanRun::status_event(std::string message) {
  json::object payload{{"status", plan_.status},
                       {"message", std::move(message)},
                       {"progress_percentage", plan_.progress_percentage},
                       {"progress", progress_object()},
                       {"error_code", plan_.error_code.empty() ? json::value(nullptr) : json::value(plan_.error_code)}};
  events_.store("status", std::move(payload), now_);
}

void PlanRun::log_event(std::string level, std::string message, std::string task_key) {
  if (log_events_ >= config_.log_events_max) return;
  if (++log_events_ == config_.log_events_max) message = "The log is full; later lines are not stored.";
  events_.store("log", {{"message", std::move(message)}, {"level", std::move(level)}, {"task_key", task_key.empty() ? json::value(nullptr) : json::value(task_key)}}, now_);
}

store::Write PlanRun::wall_metrics() const {
  const auto wall = plan_.started_at ? (now_ - *plan_.started_at).count() : 0;
  return store::PutMetrics{{{"wall_ms", wall}}};
}

}  // namespace planexe::engine
