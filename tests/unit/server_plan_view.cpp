#include "server/plan_view.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;

json::object response_of(ServerPlan& plan, std::optional<int> queue_position = std::nullopt) {
  auto response = plan_response(plan.store(), plan.plan(), queue_position);
  EXPECT_TRUE(response) << to_string(response.error());
  return response ? *std::move(response) : json::object();
}

TEST(ServerPlanView, AFreshPlanIsCompleteByTheContract) {
  ServerPlan plan;
  const auto response = response_of(plan, 3);
  EXPECT_FITS(response, "PlanResponse");
  EXPECT_EQ(response.at("status"), "pending");
  EXPECT_EQ(response.at("queue_position"), 3);
  EXPECT_EQ(response.at("output_dir"), ServerPlan::kId);
  EXPECT_EQ(response.at("last_seq"), 1);
  for (const auto* name : {"title", "llm_model", "error_code", "error_message", "started_at", "eta_seconds",
                           "max_cost_usd", "enriched_intake", "conversation_id"})
    EXPECT_TRUE(response.at(name).is_null()) << name;
  EXPECT_EQ(response.at("progress").at("total"), test::real_recipe().tasks.size());
  EXPECT_EQ(response.at("usage").at("cost_micros"), 0);
}

TEST(ServerPlanView, AFinishedPlanHasItsReportAndAllItsWeight) {
  ServerPlan plan;
  plan.complete();
  const auto response = response_of(plan);
  EXPECT_FITS(response, "PlanResponse");
  EXPECT_TRUE(response.at("has_report").as_bool());
  double weight = 0;
  for (const auto& task : *plan.store().tasks(ServerPlan::kId)) weight += std::max(1, task.weight);
  EXPECT_DOUBLE_EQ(response.at("progress").at("weight_done").as_double(), weight);
  EXPECT_EQ(response.at("progress_percentage"), 100);
}

TEST(ServerPlanView, OnlyACompletedPlanIsAtAHundred) {
  ServerPlan plan;
  plan.change_plan([](auto& row) { row.progress_percentage = 100; });
  EXPECT_EQ(response_of(plan).at("progress_percentage"), 99);
}

TEST(ServerPlanView, CodesOfTheInsideBecomeThoseOfTheContract) {
  for (const auto& [stored, shown] : std::map<std::string, std::string>{{"PROMPT_REFUSED", "PROMPT_REFUSED"},
                                                                        {"PROVIDER_TIMEOUT", "PROVIDER_UNAVAILABLE"},
                                                                        {"RECIPE_INVALID", "TASK_FAILED"},
                                                                        {"what ever", "TASK_FAILED"}}) {
    ServerPlan plan;
    plan.change_plan([&](auto& row) {
      row.status = "failed";
      row.error_code = stored;
    });
    EXPECT_EQ(response_of(plan).at("error_code"), json::value(shown));
  }
}

TEST(ServerPlanView, EffortsThatTheContractLacksAreTheDefault) {
  for (const auto& [stored, shown] :
       std::map<std::string, std::string>{{"high", "high"}, {"", "medium"}, {"xhigh", "medium"}}) {
    ServerPlan plan;
    plan.change_plan([&](auto& row) { row.reasoning_effort = stored; });
    EXPECT_EQ(response_of(plan).at("reasoning_effort"), json::value(shown));
  }
}

TEST(ServerPlanView, MoneyIsInDollarsAndUnknownPricesAreNull) {
  ServerPlan plan;
  plan.change_plan([](auto& row) { row.max_cost_micros = 2'500'000; });
  store::InteractionRow call;
  call.id = *plan.store().reserve_interaction_ids(1);
  call.stage = "swot_analysis";
  call.call_key = "swot_analysis/main/1";
  call.llm_model = "model-x";
  call.input_tokens = 100;
  call.output_tokens = 7;
  call.usage_source = "estimate";
  plan.write({store::PutInteraction{call}});
  const auto response = response_of(plan);
  EXPECT_FITS(response, "PlanResponse");
  EXPECT_EQ(response.at("max_cost_usd"), 2.5);
  EXPECT_EQ(response.at("llm_model"), "model-x");
  const auto& usage = response.at("usage").as_object();
  EXPECT_TRUE(usage.at("cost_micros").is_null());
  EXPECT_EQ(usage.at("unpriced_calls"), 1);
  EXPECT_EQ(usage.at("total_tokens"), 107);
  EXPECT_TRUE(usage.at("estimated").as_bool());
}

TEST(ServerPlanView, AListKeepsItsOrderAndShowsPlansThatWereDeletedMeanwhile) {
  ServerPlan plan;
  auto gone = plan.plan();
  gone.plan_id.back() = '0';
  const auto list = plan_responses(plan.store(), {gone, plan.plan()});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->at(0).at("plan_id"), json::value(gone.plan_id));
  EXPECT_EQ(list->at(1).at("plan_id"), ServerPlan::kId);
  for (const auto& entry : *list) EXPECT_FITS(entry, "PlanResponse");
  EXPECT_TRUE(plan_responses(plan.store(), {})->empty());
}

}  // namespace
}  // namespace planexe::server
