#include "server/interaction_view.hpp"
#include "server/task_view.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::real_recipe;
using test::ServerPlan;

json::object tasks_of(ServerPlan& plan) { return task_list(plan.plan(), plan.board(), real_recipe()); }

json::object task_of(ServerPlan& plan, std::string_view key) {
  const auto list = tasks_of(plan);
  for (const auto& task : list.at("tasks").as_array())
    if (task.at("task_key") == json::value(key)) return task.as_object();
  ADD_FAILURE() << key;
  return {};
}

TEST(ServerTaskView, AllTasksStandInCatalogueOrder) {
  ServerPlan plan;
  const auto list = tasks_of(plan);
  EXPECT_FITS(list, "TaskList");
  const auto& tasks = list.at("tasks").as_array();
  ASSERT_EQ(tasks.size(), real_recipe().tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_EQ(tasks[i].at("task_key"), json::value(real_recipe().tasks[i].key));
    EXPECT_EQ(tasks[i].at("title"), json::value(real_recipe().tasks[i].title));
    EXPECT_EQ(tasks[i].at("depends_on").as_array().size(), real_recipe().tasks[i].edges.size());
    EXPECT_FALSE(tasks[i].at("retryable").as_bool()) << "a waiting plan takes no retry";
  }
  EXPECT_EQ(list.at("counts").at("pending"), tasks.size());
  EXPECT_EQ(list.at("counts").at("failed"), 0);
}

TEST(ServerTaskView, EdgesNameBothEndsInOrder) {
  ServerPlan plan;
  const auto list = tasks_of(plan);
  const auto& edges = list.at("edges").as_array();
  ASSERT_FALSE(edges.empty());
  std::size_t expected = 0;
  for (const auto& task : real_recipe().tasks) expected += task.edges.size();
  EXPECT_EQ(edges.size(), expected);
  EXPECT_EQ(edges.back().at("to"), json::value(real_recipe().tasks.back().key));
}

TEST(ServerTaskView, AFinishedPlanShowsItsFilesAndTakesRetries) {
  ServerPlan plan;
  plan.complete();
  EXPECT_FITS(tasks_of(plan), "TaskList");
  EXPECT_FALSE(task_of(plan, "setup").at("retryable").as_bool());
  EXPECT_FALSE(task_of(plan, "start_time").at("retryable").as_bool());
  const auto swot = task_of(plan, "swot_analysis");
  EXPECT_TRUE(swot.at("retryable").as_bool());
  for (const auto& output : swot.at("outputs").as_array()) EXPECT_TRUE(output.at("available").as_bool());

  // No intake form was given, so the plan has no file of it.
  const auto given = task_of(plan, "setup").at("outputs").as_array();
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given[0].at("filename"), "001-2-plan.txt");

  // Numbered files are there with their numbers, never with the pattern.
  const auto experts = task_of(plan, "expert_review");
  const auto& outputs = experts.at("outputs").as_array();
  EXPECT_TRUE(std::ranges::any_of(
      outputs, [](const auto& o) { return o.at("filename") == "016-1-1-expert_criticism_raw.json"; }));
  EXPECT_TRUE(std::ranges::none_of(
      outputs, [](const auto& o) { return o.at("filename").as_string().find('{') != json::string::npos; }));
}

TEST(ServerTaskView, StatesUnitsAndErrorsAreShown) {
  ServerPlan plan;
  plan.put_output("014-2-swot_analysis.md", "text");
  plan.set_task("swot_analysis", [](auto& row) {
    row.state = "failed";
    row.state_reason = "why";
    row.attempt = 2;
    row.error_code = "PROVIDER_ERROR";
    row.error_message = "It broke.";
    row.started_at = ServerPlan::kNow;
    row.duration_ms = 5;
    row.units_total = 4;
    row.units_done = 3;
    row.units_failed = 1;
  });
  plan.write(
      {store::MarkStale{"swot_analysis"}, store::PutTaskAttempt{"swot_analysis", 0, 0, "blocked", {}, {}, "", ""},
       store::PutTaskAttempt{"swot_analysis", 0, 1, "failed", ServerPlan::kNow, ServerPlan::kNow, "TASK_FAILED", "no"},
       store::PutTaskAttempt{"swot_analysis", 1, 2, "failed", ServerPlan::kNow, {}, "", ""}});
  EXPECT_FITS(tasks_of(plan), "TaskList");
  const auto task = task_of(plan, "swot_analysis");
  EXPECT_EQ(task.at("error").at("code"), "PROVIDER_UNAVAILABLE");
  EXPECT_EQ(task.at("error").at("message"), "It broke.");
  EXPECT_EQ(task.at("units"), (json::value{{"total", 4}, {"done", 3}, {"failed", 1}}));
  EXPECT_EQ(task.at("duration_ms"), 5);
  ASSERT_EQ(task.at("attempts").as_array().size(), 2u);
  EXPECT_EQ(task.at("attempts").as_array()[0].at("error").at("message"), "no");
  bool stale = false;
  for (const auto& output : task.at("outputs").as_array()) stale = stale || output.at("stale").as_bool();
  EXPECT_TRUE(stale);
  EXPECT_TRUE(task_of(plan, "premortem").at("duration_ms").is_null());
}

TEST(ServerTaskView, ATaskThatTheRecipeLacksIsShownByItsKey) {
  ServerPlan plan;
  store::TaskRow row;
  row.task_key = "weather_windows";
  row.position = 99;
  row.phase = "scheduling";
  plan.write({store::PutTask{row}});
  EXPECT_FITS(tasks_of(plan), "TaskList");
  EXPECT_EQ(task_of(plan, "weather_windows").at("title"), "Weather windows");
}

class ServerInteractionView : public testing::Test {
 protected:
  static store::InteractionRow call() {
    store::InteractionRow row;
    row.id = 4711;
    row.plan_id = row.owner_id = ServerPlan::kId;
    row.stage = "swot_analysis";
    row.call_key = "swot_analysis/main/1";
    row.attempt_reason = "first";
    row.llm_model = "gpt";
    row.provider = "openai";
    row.status = "completed";
    row.started_at = ServerPlan::kNow;
    row.completed_at = ServerPlan::kNow + std::chrono::milliseconds(1500);
    row.response_text = "{}";
    row.input_tokens = 10;
    row.output_tokens = 5;
    row.cost_micros = 7;
    row.usage_source = "provider";
    row.first_token_ms = 3;
    row.request_hash = "abc";
    return row;
  }
  static json::object entry(const store::InteractionRow& row) {
    return interaction_entry({row, "Do it."}, real_recipe());
  }
};

TEST_F(ServerInteractionView, ACallIsShownWithFiguresAndTexts) {
  EXPECT_FITS(entry(call()), "Interaction");
  EXPECT_EQ(entry(call()).at("duration_seconds"), 1.5);
  EXPECT_EQ(entry(call()).at("total_tokens"), 15);
  const auto detail = interaction_detail(call(), "Do it.", "All of it.\n\nDo it.", real_recipe());
  EXPECT_FITS(detail, "InteractionDetail");
  EXPECT_EQ(detail.at("prompt_text"), "All of it.\n\nDo it.");
  EXPECT_EQ(detail.at("prompt_preview"), "Do it.");
  EXPECT_EQ(detail.at("request").at("request_hash"), "abc");
  EXPECT_TRUE(detail.at("reasoning_text").is_null());
}

TEST_F(ServerInteractionView, ACallThatHasJustBegunHasNulls) {
  store::InteractionRow row;
  row.id = 1;
  row.stage = "swot_analysis";
  EXPECT_FITS(entry(row), "Interaction");
  for (const auto* name :
       {"duration_seconds", "first_token_ms", "usage_source", "cost_micros", "response_preview", "provider"})
    EXPECT_TRUE(entry(row).at(name).is_null()) << name;
  const auto detail = interaction_detail(row, "", "", real_recipe());
  EXPECT_FITS(detail, "InteractionDetail");
  EXPECT_TRUE(detail.at("usage").is_null());
  EXPECT_TRUE(detail.at("request").is_null());
}

TEST_F(ServerInteractionView, RecordsOfOlderVersionsBecomeWhatTheContractKnows) {
  auto row = call();
  row.attempt = 0;
  row.attempt_reason = "because";
  row.usage_source = "guess";
  row.error_code = "not a code";
  row.call_key.clear();
  for (const auto& [stage, key] : std::map<std::string, std::string>{{"vital_few_levers", "focus_on_vital_few_levers"},
                                                                     {"SWOT Analysis", "swot_analysis"},
                                                                     {"7 things", "task_7_things"},
                                                                     {"", "task_"}}) {
    row.stage = stage;
    EXPECT_FITS(entry(row), "Interaction");
    EXPECT_EQ(entry(row).at("task_key"), json::value(key));
    EXPECT_EQ(entry(row).at("stage"), json::value(key));
  }
}

TEST_F(ServerInteractionView, PreviewsAreCutAndKeysAreMasked) {
  auto row = call();
  row.response_text = std::string(1000, 'x');
  row.error_message = "refused sk-abcdefghijklmnopqrstuvwxyz";
  const auto shown = interaction_entry({row, std::string(900, 'y')}, real_recipe());
  EXPECT_FITS(shown, "Interaction");
  EXPECT_EQ(shown.at("response_preview").as_string().size(), 400u);
  EXPECT_EQ(shown.at("prompt_preview").as_string().size(), 400u);
  EXPECT_EQ(shown.at("error_message").as_string().find("abcdef"), json::string::npos);
}

}  // namespace
}  // namespace planexe::server
