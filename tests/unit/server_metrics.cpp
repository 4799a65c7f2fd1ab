#include <gtest/gtest.h>

#include "server/event_metrics.hpp"
#include "server/health_probe.hpp"
#include "server/metrics.hpp"

namespace planexe::server {
namespace {

using namespace std::chrono_literals;

void expect_line(const Metrics& metrics, const std::string& line) {
  EXPECT_NE(metrics.text().find("\n" + line + "\n"), std::string::npos) << line << "\nis not in\n" << metrics.text();
}

TEST(ServerMetrics, RequestsByRouteMethodAndStatus) {
  Metrics metrics;
  metrics.request_finished("/api/plans/{id}", "GET", 200, 3ms);
  metrics.request_finished("/api/plans/{id}", "GET", 200, 3ms);
  metrics.request_finished("/api/plans/{id}", "GET", 404, 3ms);
  expect_line(metrics, R"(planexe_http_requests_total{method="GET",route="/api/plans/{id}",status="200"} 2)");
  expect_line(metrics, R"(planexe_http_requests_total{method="GET",route="/api/plans/{id}",status="404"} 1)");
  expect_line(metrics,
              R"(planexe_http_request_seconds_bucket{method="GET",route="/api/plans/{id}",status="200",le="0.001"} 0)");
  expect_line(metrics,
              R"(planexe_http_request_seconds_bucket{method="GET",route="/api/plans/{id}",status="200",le="0.005"} 2)");
}

TEST(ServerMetrics, LabelsAreBounded) {
  Metrics metrics;
  for (int i = 0; i < 1000; ++i) metrics.task_ended("task_" + std::to_string(i), "completed", 1s);
  metrics.task_ended("task_5", "failed", 1s);
  metrics.task_ended(std::string(500, 'x'), "completed", 1s);
  metrics.task_ended("\xff", "completed", 1s);
  expect_line(metrics, R"(planexe_tasks_total{state="completed",task="other"} 802)");
  expect_line(metrics, R"(planexe_tasks_total{state="failed",task="task_5"} 1)");
}

TEST(ServerMetrics, PlansByStateAndQueue) {
  Metrics metrics;
  metrics.set_plans("completed", 7);
  metrics.plan_entered("running");
  metrics.queue(3, 12);
  expect_line(metrics, R"(planexe_plans{state="completed"} 7)");
  expect_line(metrics, R"(planexe_plan_transitions_total{state="running"} 1)");
  expect_line(metrics, R"(planexe_queue_plans{state="waiting"} 12)");
  EXPECT_EQ(metrics.queue_now().running, 3);
  EXPECT_EQ(metrics.queue_now().waiting, 12);
}

TEST(ServerMetrics, StreamsAndLimits) {
  Metrics metrics;
  metrics.stream_opened("socket");
  metrics.stream_opened("socket");
  metrics.stream_closed("socket");
  metrics.messages_dropped("socket", 40);
  metrics.request_limited("create_plan");
  metrics.breaker("openai", "m", Metrics::BreakerState::open);
  metrics.database_up(true);
  metrics.llm_waited("openai", "m", 2s);
  expect_line(metrics, R"(planexe_streams{kind="socket"} 1)");
  expect_line(metrics, R"(planexe_stream_messages_dropped_total{kind="socket"} 40)");
  expect_line(metrics, R"(planexe_http_rate_limited_total{class="create_plan"} 1)");
  expect_line(metrics, R"(planexe_llm_breaker_state{model="m",provider="openai"} 2)");
  expect_line(metrics, "planexe_database_up 1");
  expect_line(metrics, R"(planexe_llm_limit_wait_seconds_count{model="m",provider="openai"} 1)");
}

engine::Event event(std::string type, json::object payload, std::int64_t interaction = 0) {
  engine::Event made;
  made.type = std::move(type);
  made.payload = std::move(payload);
  made.interaction_id = interaction;
  return made;
}

TEST(ServerMetrics, EventsOfAPlanBecomeMetrics) {
  Metrics metrics;
  EventMetrics watcher(metrics);
  watcher.observe("p1", {event("status", {{"status", "running"}}), event("status", {{"status", "running"}}),
                         event("task", {{"task_key", "swot"}, {"state", "running"}, {"duration_ms", 0}}),
                         event("task", {{"task_key", "swot"}, {"state", "completed"}, {"duration_ms", 2000}}),
                         event("status", {{"status", "completed"}})});
  expect_line(metrics, R"(planexe_plan_transitions_total{state="running"} 1)");
  expect_line(metrics, R"(planexe_plan_transitions_total{state="completed"} 1)");
  expect_line(metrics, R"(planexe_tasks_total{state="completed",task="swot"} 1)");
  EXPECT_EQ(metrics.text().find("p1"), std::string::npos);
}

TEST(ServerMetrics, RequestsOfTheModelClientBecomeMetrics) {
  Metrics metrics;
  ModelMetrics watcher(metrics);
  llm::AttemptStart start;
  start.provider = "openai";
  start.model = "m";
  start.queue_ms = 2500;
  watcher.attempt_started(start);
  llm::AttemptRecord record;
  record.provider = "openai";
  record.model = "m";
  record.status = "completed";
  record.reason = llm::AttemptReason::repair;
  record.usage.input_tokens = 100;
  record.usage.cached_input_tokens = 40;
  record.cost_micros = 2'500'000;
  record.duration_ms = 1500;
  watcher.attempt_ended(record);
  expect_line(metrics, R"(planexe_llm_limit_wait_seconds_sum{model="m",provider="openai"} 2.5)");
  expect_line(metrics, R"(planexe_llm_attempts_total{model="m",provider="openai",status="completed"} 1)");
  expect_line(metrics, R"(planexe_llm_retries_total{model="m",provider="openai",reason="repair"} 1)");
  expect_line(metrics, R"(planexe_llm_tokens_total{kind="cached_input",model="m",provider="openai"} 40)");
  expect_line(metrics, R"(planexe_llm_cost_dollars_total{model="m",provider="openai"} 2.5)");
}

TEST(ServerMetrics, InventedMethodsAreOneLabel) {
  Metrics metrics;
  for (int i = 0; i < 100; ++i) metrics.request_finished("none", "X" + std::to_string(i), 405, 1ms);
  metrics.request_finished("none", "DELETE", 404, 1ms);
  expect_line(metrics, R"(planexe_http_requests_total{method="other",route="none",status="405"} 100)");
  expect_line(metrics, R"(planexe_http_requests_total{method="DELETE",route="none",status="404"} 1)");
}

TEST(ServerHealth, AProbeThatTakesTooLongHasFailed) {
  HealthState state;
  const HealthState::Time start = HealthState::Time{} + 1h;
  EXPECT_FALSE(state.latency(start));
  state.begin(start);
  state.end(start + 5ms, true);
  EXPECT_EQ(state.latency(start + 5ms)->count(), 5);
  state.begin(start + 1s);
  EXPECT_TRUE(state.latency(start + 3s)) << "the last result counts while the next probe is under way";
  EXPECT_FALSE(state.latency(start + 3001ms));
  state.end(start + 4s, true);
  EXPECT_FALSE(state.latency(start + 4s));
  state.begin(start + 5s);
  state.end(start + 5001ms, true);
  EXPECT_TRUE(state.latency(start + 6s));
  state.begin(start + 7s);
  state.end(start + 7001ms, false);
  EXPECT_FALSE(state.latency(start + 8s));
}

HealthFacts facts() {
  HealthFacts made;
  made.latency = HealthState::Millis(0.41234);
  made.api_version = "1.0.0";
  made.backend = "sqlite";
  made.schema_version = 3;
  made.available_models = 2;
  made.max_running = 64;
  made.max_waiting = 10;
  made.uptime = 90s;
  return made;
}

std::string status_of(const HealthFacts& facts) {
  return std::string(get_string(parse_json(health_response(facts, "r").body).value(), "status").value());
}

TEST(ServerHealth, Verdicts) {
  EXPECT_EQ(status_of(facts()), "healthy");
  auto without_models = facts();
  without_models.available_models = 0;
  EXPECT_EQ(status_of(without_models), "degraded");
  auto full = facts();
  full.waiting = 10;
  EXPECT_EQ(status_of(full), "degraded");
  const auto good = health_response(facts(), "r");
  EXPECT_EQ(good.status, 200);
  EXPECT_NE(good.body.find(R"("database":{"status":"ok","backend":"sqlite","latency_ms":0.41,"schema_version":3})"),
            std::string::npos)
      << good.body;
}

TEST(ServerHealth, WithoutADatabaseTheAnswerIsAnError) {
  auto broken = facts();
  broken.latency.reset();
  const auto response = health_response(broken, "request-1");
  EXPECT_EQ(response.status, 503);
  const auto body = parse_json(response.body).value();
  EXPECT_EQ(get_string(body, "status"), "unhealthy");
  EXPECT_EQ(get_string(body, "code"), "DATABASE_UNAVAILABLE");
  EXPECT_EQ(get_string(body, "request_id"), "request-1");
  EXPECT_EQ(get_int(body, "retry_after_seconds"), 5);
  EXPECT_TRUE(find(body, "database")->as_object().at("latency_ms").is_null());
  EXPECT_TRUE(find(body, "database")->as_object().at("schema_version").is_null());
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers.front().first, "Retry-After");
}

}  // namespace
}  // namespace planexe::server
