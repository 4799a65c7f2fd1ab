#include "server/event_metrics.hpp"

namespace planexe::server {
namespace {

/// More plans than can be under way; one whose end never came must not stay for ever.
constexpr std::size_t kPlansMax = 65'536;

bool has_ended(std::string_view state) {
  return state == "completed" || state == "failed" || state == "skipped" || state == "blocked" || state == "cancelled";
}

}  // namespace

void EventMetrics::observe(const std::string& plan_id, const std::vector<engine::Event>& events) {
  for (const auto& event : events) {
    if (event.type == "status") observe_status(plan_id, event.payload);
    if (event.type == "task") observe_task(event.payload);
  }
}

void EventMetrics::observe_status(const std::string& plan_id, const json::object& payload) {
  const auto status = get_string(payload, "status");
  if (!status) return;
  if (plans_.size() >= kPlansMax) plans_.erase(plans_.begin());
  auto& last = plans_[plan_id];
  // Progress comes as a status, too.
  if (last != *status) metrics_.plan_entered(*status);
  last = *status;
  if (has_ended(*status)) plans_.erase(plan_id);
}

void EventMetrics::observe_task(const json::object& payload) {
  const auto key = get_string(payload, "task_key");
  const auto state = get_string(payload, "state");
  if (!key || !state || !has_ended(*state)) return;
  metrics_.task_ended(*key, *state, std::chrono::milliseconds(get_int(payload, "duration_ms").value_or(0)));
}

void ModelMetrics::attempt_started(const llm::AttemptStart& start) {
  metrics_.llm_waited(start.provider, start.model, std::chrono::milliseconds(start.queue_ms));
}

void ModelMetrics::attempt_ended(const llm::AttemptRecord& record) {
  metrics_.llm_attempt_ended({.provider = record.provider,
                              .model = record.model,
                              .status = record.status,
                              .reason = llm::to_string(record.reason),
                              .input_tokens = record.usage.input_tokens,
                              .cached_input_tokens = record.usage.cached_input_tokens,
                              .output_tokens = record.usage.output_tokens,
                              .reasoning_tokens = record.usage.reasoning_tokens,
                              .cost_micros = record.cost_micros.value_or(0),
                              .time = std::chrono::milliseconds(record.duration_ms)});
}

void ModelMetrics::observe(Metrics& metrics, const llm::ModelClient& client) {
  using From = llm::Breaker::State;
  using To = Metrics::BreakerState;
  for (const auto& endpoint : client.endpoints()) {
    const auto state = endpoint.breaker == From::open ? To::open : endpoint.breaker == From::half_open ? To::half_open : To::closed;
    metrics.breaker(endpoint.provider, endpoint.model, state);
  }
}

}  // namespace planexe::server
