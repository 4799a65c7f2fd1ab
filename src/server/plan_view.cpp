#include "server/plan_view.hpp"

#include <algorithm>
#include <array>

#include "server/view_values.hpp"

namespace planexe::server {
namespace {

constexpr double kMicrosPerDollar = 1'000'000.0;
constexpr int kOpenPercentMax = 99;

/// Plans of older versions may have none, or one that has no name in the contract.
std::string_view effort_of(const store::PlanRow& plan) {
  constexpr std::array<std::string_view, 4> kEfforts{"minimal", "low", "medium", "high"};
  const auto known = std::ranges::find(kEfforts, plan.reasoning_effort);
  return known == kEfforts.end() ? "medium" : *known;
}

json::object progress_object(const store::PlanSums& sums) {
  return {{"completed", sums.completed},    {"running", sums.running}, {"failed", sums.failed},
          {"blocked", sums.blocked},        {"skipped", sums.skipped}, {"total", sums.total},
          {"weight_done", sums.weight_done}};
}

json::object usage_object(const store::UsageTotals& usage) {
  auto object = view::token_fields(usage);
  object["llm_calls"] = usage.calls;
  object["cost_micros"] = view::cost_or_null(usage);
  object["estimated"] = usage.estimated > 0;
  object["unpriced_calls"] = usage.unpriced;
  return object;
}

void add_times(const store::PlanRow& plan, json::object& object) {
  object["created_at"] = format_iso(plan.created_at);
  object["started_at"] = view::time_or_null(plan.started_at);
  object["completed_at"] = view::time_or_null(plan.completed_at);
  object["updated_at"] =
      plan.updated_at == TimePoint{} ? json::value(nullptr) : json::value(format_iso(plan.updated_at));
  object["cancel_requested_at"] = view::time_or_null(plan.cancel_requested_at);
}

json::object plan_object(const store::PlanRow& plan, const store::PlanSums& sums, std::optional<int> queue_position) {
  json::object object{{"plan_id", plan.plan_id}, {"status", plan.status}, {"prompt", plan.prompt}};
  add_times(plan, object);
  object["llm_model"] = view::text_or_null(plan.llm_model.empty() ? sums.first_model : plan.llm_model);
  object["speed_vs_detail"] = plan.speed_vs_detail;
  object["reasoning_effort"] = effort_of(plan);
  // A plan that is to run again keeps its last figure until the run has counted anew; 100 is said of completed ones
  // only.
  object["progress_percentage"] =
      plan.status == "completed" ? plan.progress_percentage : std::min(plan.progress_percentage, kOpenPercentMax);
  object["progress_message"] = plan.progress_message;
  object["error_message"] = view::text_or_null(plan.error_message);
  object["error_code"] = view::failure_code(plan.error_code);
  object["failed_task_key"] = view::text_or_null(plan.failed_task_key);
  object["output_dir"] = plan.plan_id;
  object["enriched_intake"] = plan.enriched_intake.is_object() ? plan.enriched_intake : json::value(nullptr);
  object["title"] = view::text_or_null(plan.title);
  object["progress"] = progress_object(sums);
  object["usage"] = usage_object(sums.usage);
  object["rehearsal"] = plan.rehearsal;
  object["eta_seconds"] = plan.eta_seconds ? json::value(*plan.eta_seconds) : json::value(nullptr);
  object["run_attempt"] = plan.run_attempt;
  object["queue_position"] = queue_position ? json::value(*queue_position) : json::value(nullptr);
  object["has_report"] = sums.has_file;
  object["conversation_id"] = view::text_or_null(plan.conversation_id);
  object["last_seq"] = sums.last_seq;
  object["max_cost_usd"] = plan.max_cost_micros
                               ? json::value(static_cast<double>(*plan.max_cost_micros) / kMicrosPerDollar)
                               : json::value(nullptr);
  return object;
}

}  // namespace

Result<json::object> plan_response(store::Store& store, const store::PlanRow& plan, std::optional<int> queue_position) {
  PLANEXE_TRY_ASSIGN(const auto sums, store.plan_sums({plan.plan_id}, std::string(view::kReportFile)));
  const auto found = sums.find(plan.plan_id);
  return plan_object(plan, found == sums.end() ? store::PlanSums{} : found->second, queue_position);
}

json::object new_plan_response(const store::Transaction& transaction, std::optional<int> queue_position) {
  store::PlanSums sums;
  store::PlanRow plan;
  for (const auto& write : transaction.writes) {
    if (const auto* create = std::get_if<store::CreatePlan>(&write)) {
      plan = create->plan;
      sums.total = static_cast<int>(create->tasks.size());
    }
    if (const auto* events = std::get_if<store::AppendEvents>(&write))
      for (const auto& event : events->events) sums.last_seq = std::max(sums.last_seq, event.seq);
  }
  return plan_object(plan, sums, queue_position);
}

Result<json::array> plan_responses(store::Store& store, const std::vector<store::PlanRow>& plans) {
  std::vector<std::string> ids;
  ids.reserve(plans.size());
  for (const auto& plan : plans) ids.push_back(plan.plan_id);
  PLANEXE_TRY_ASSIGN(const auto sums, store.plan_sums(ids, std::string(view::kReportFile)));
  json::array list;
  list.reserve(plans.size());
  for (const auto& plan : plans) {
    // A plan that was deleted since its row was read has no sums any more.
    const auto found = sums.find(plan.plan_id);
    list.push_back(plan_object(plan, found == sums.end() ? store::PlanSums{} : found->second, std::nullopt));
  }
  return list;
}

}  // namespace planexe::server
