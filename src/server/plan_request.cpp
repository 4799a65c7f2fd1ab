#include "server/plan_request.hpp"

#include <algorithm>
#include <cmath>

#include "engine/intake_form.hpp"

namespace planexe::server {
namespace {

void read_intake(const json::value& body, TimePoint now, PlanRequest& out) {
  const auto* given = get_object(body, "enriched_intake");
  if (given == nullptr) return;
  json::value form = *given;
  for (auto& problem : engine::intake_problems(form, engine::IntakeDemand::complete)) {
    json::array loc{"body", "enriched_intake"};
    loc.insert(loc.end(), problem.loc.begin(), problem.loc.end());
    out.errors.push_back({std::move(problem.type), std::move(loc), std::move(problem.msg), {}});
  }
  if (!out.errors.empty()) return;
  engine::fill_intake_defaults(form.get_object(), now);
  out.request.intake = std::move(form);
}

}  // namespace

std::int64_t micros_of(double dollars) { return std::max<std::int64_t>(1, std::llround(dollars * 1e6)); }

PlanRequest plan_request_of(const Services& services, const Request& request) {
  const auto& settings = *services.settings;
  const auto text = [&](std::string_view name) { return std::string(get_string(request.json, name).value_or("")); };
  PlanRequest out;
  auto& plan = out.request;
  plan.prompt = text("prompt");
  plan.title = text("title");
  plan.model = text("llm_model");
  if (plan.model == "auto") plan.model.clear();
  plan.speed = text("speed_vs_detail");
  if (plan.speed.empty()) plan.speed = settings.fast_by_default ? "fast" : "all";
  plan.effort = text("reasoning_effort");
  if (plan.effort.empty()) plan.effort = settings.effort_default;
  plan.conversation_id = text("conversation_id");
  plan.user_id = request.identity;
  plan.redline_mode = settings.redline_mode;
  if (const auto usd = get_double(request.json, "max_cost_usd")) plan.max_cost_micros = micros_of(*usd);
  plan.rehearsal = settings.rehearsal;
  read_intake(request.json, services.clock->now(), out);
  if (!out.errors.empty()) return out;
  // What the schema cannot say, such as text that is no prompt after trimming.
  if (auto checked = engine::check_request(plan); !checked)
    out.errors.push_back({"value_error", {"body"}, checked.error().message, {}});
  return out;
}

}  // namespace planexe::server
