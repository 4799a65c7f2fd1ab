#include "server/progress/snapshot_view.hpp"

#include "base/time.hpp"

namespace planexe::server {
namespace {

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

}  // namespace

json::array snapshot_tasks(const std::vector<store::TaskRow>& tasks) {
  json::array list;
  for (const auto& task : tasks) {
    json::value error(nullptr);
    if (!task.error_code.empty()) error = json::object{{"code", task.error_code}, {"message", task.error_message}};
    json::value units(nullptr);
    if (task.units_total > 0) units = json::object{{"total", task.units_total}, {"done", task.units_done}, {"failed", task.units_failed}};
    list.push_back(json::object{{"task_key", task.task_key},
                                {"phase", task.phase},
                                {"state", task.state},
                                {"state_reason", text_or_null(task.state_reason)},
                                {"attempt", task.attempt},
                                {"units", std::move(units)},
                                {"started_at", task.started_at ? json::value(format_iso(*task.started_at)) : json::value(nullptr)},
                                {"duration_ms", task.finished_at ? json::value(task.duration_ms) : json::value(nullptr)},
                                {"error", std::move(error)}});
  }
  return list;
}

json::object snapshot_status(const store::PlanRow& plan, const json::object& response) {
  const auto* progress = response.if_contains("progress");
  return {{"status", plan.status},
          {"message", plan.error_message.empty() ? plan.progress_message : plan.error_message},
          {"progress_percentage", plan.progress_percentage},
          {"progress", progress == nullptr ? json::value(nullptr) : *progress},
          {"error_code", text_or_null(plan.error_code)}};
}

}  // namespace planexe::server
