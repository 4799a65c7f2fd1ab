#include "server/event_metrics.hpp"

namespace planexe::server {
namespace {

/// More calls and plans than can be under way; a start whose end never came must not stay for ever.
constexpr std::size_t kCallsMax = 65'536, kPlansMax = 65'536;

bool has_ended(std::string_view state) {
  return state == "completed" || state == "failed" || state == "skipped" || state == "blocked" || state == "cancelled";
}

}  // namespace

void EventMetrics::observe(const std::string& plan_id, const std::vector<engine::Event>& events) {
  for (const auto& event : events) {
    if (event.type == "status") observe_status(plan_id, event.payload);
    if (event.type == "task") observe_task(event.payload);
    if (event.type == "llm_stream") observe_call(event);
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

void EventMetrics::observe_call(const engine::Event& event) {
  const auto kind = get_string(event.payload, "event").value_or("");
  const auto* data = get_object(event.payload, "data");
  if (data == nullptr || kind.ends_with("_delta")) return;
  if (kind == "start") {
    if (calls_.size() >= kCallsMax) calls_.erase(calls_.begin());
    Call call;
    call.provider = get_string(*data, "provider").value_or("");
    call.model = get_string(*data, "model").value_or("");
    call.reason = get_string(*data, "attempt_reason").value_or("");
    calls_.insert_or_assign(event.interaction_id, std::move(call));
    return;
  }
  const auto found = calls_.find(event.interaction_id);
  if (found == calls_.end()) return;
  if (const auto* usage = get_object(*data, "usage"); kind == "final" && usage != nullptr) found->second.usage = *usage;
  if (kind != "end") return;
  const auto call = std::move(found->second);
  calls_.erase(found);
  const auto tokens = [&](std::string_view name) { return get_int(call.usage, name).value_or(0); };
  metrics_.llm_attempt_ended({.provider = call.provider,
                              .model = call.model,
                              .status = get_string(*data, "status").value_or(""),
                              .reason = call.reason,
                              .input_tokens = tokens("input_tokens"),
                              .cached_input_tokens = tokens("cached_input_tokens"),
                              .output_tokens = tokens("output_tokens"),
                              .reasoning_tokens = tokens("reasoning_tokens"),
                              .cost_micros = get_int(*data, "cost_micros").value_or(0),
                              .time = std::chrono::milliseconds(get_int(*data, "duration_ms").value_or(0))});
}

}  // namespace planexe::server
