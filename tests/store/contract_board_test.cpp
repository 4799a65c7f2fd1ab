#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

class StoreContractBoard : public StoreContract {
 protected:
  static TaskRow task(const std::string& key, const std::string& state, int weight, int units_total = 0) {
    TaskRow row;
    row.task_key = key;
    row.phase = "setup";
    row.state = state;
    row.weight = weight;
    row.units_total = units_total;
    return row;
  }
  ItemRow item(const std::string& task, const std::string& key, const std::string& state) {
    auto row = full_item(task, key);
    row.state = state;
    return row;
  }
  InteractionRow call(const std::string& plan, const std::string& stage, int number, const std::string& reason) {
    auto row = full_interaction(value_of(store().reserve_interaction_ids(1)), plan);
    row.stage = stage;
    row.call_key = stage + "/" + std::to_string(number);
    row.attempt_reason = reason;
    row.prompt_blocks = {block("context").sha256, block("do this task, please").sha256};
    return row;
  }
  void put_blocks(const std::string& plan) {
    put(store(), transaction(plan, {PutBlocks{{block("context"), block("do this task, please")}}}));
  }
};

TEST_P(StoreContractBoard, SumsOfSeveralPlansComeInOneRead) {
  put(store(), transaction("p1", {CreatePlan{small_plan("p1"),
                                             {task("a", "completed", 3), task("b", "running", 10, 4),
                                              task("c", "failed", 2), task("d", "blocked", 5), task("e", "skipped", 0),
                                              task("f", "pending", 1), task("g", "running", 7, 1)},
                                             {}},
                                  PutItem{item("b", "1", "done")}, PutItem{item("b", "2", "missing")},
                                  PutItem{item("b", "3", "running")}, PutContent{text_file("report.html", "x")},
                                  AppendEvents{{{5, "log", at(1), json::object{{"message", "m"}}, 0}}}}));
  create(store(), "p2");
  put_blocks("p1");
  auto first = call("p1", "a", 1, "first"), repair = call("p1", "a", 2, "repair");
  first.llm_model = "";
  repair.cost_micros.reset();
  repair.usage_source = "provider";
  put(store(), transaction("p1", {PutInteraction{first}, PutInteraction{repair}}));

  const auto sums = value_of(store().plan_sums({"p1", "p2", "unknown"}, "report.html"));
  ASSERT_EQ(sums.size(), 2u);
  const auto& one = sums.at("p1");
  EXPECT_EQ(one.completed, 1);
  EXPECT_EQ(one.running, 2);
  EXPECT_EQ(one.failed, 1);
  EXPECT_EQ(one.blocked, 1);
  EXPECT_EQ(one.skipped, 1);
  EXPECT_EQ(one.total, 7);
  EXPECT_DOUBLE_EQ(one.weight_done, 3 + 5 + 2 + 1);  // half of b; e counts at least 1
  EXPECT_EQ(one.usage.calls, 2);
  EXPECT_EQ(one.usage.repairs, 1);
  EXPECT_EQ(one.usage.input_tokens, 24'000);
  EXPECT_EQ(one.usage.cost_micros, 4321);
  EXPECT_EQ(one.usage.unpriced, 1);
  EXPECT_EQ(one.usage.estimated, 1);
  EXPECT_EQ(one.first_model, "model-a");
  EXPECT_EQ(one.last_seq, 5);
  EXPECT_TRUE(one.has_file);
  const auto& two = sums.at("p2");
  EXPECT_EQ(two.total, 0);
  EXPECT_EQ(two.usage.calls, 0);
  EXPECT_FALSE(two.has_file);
  EXPECT_TRUE(value_of(store().plan_sums({}, "report.html")).empty());
}

TEST_P(StoreContractBoard, MoreSettledItemsThanUnitsCountAsTheWholeTask) {
  put(store(), transaction("p1", {CreatePlan{small_plan("p1"), {task("b", "running", 10, 2)}, {}},
                                  PutItem{item("b", "1", "done")}, PutItem{item("b", "2", "done")},
                                  PutItem{item("b", "3", "skipped")}}));
  EXPECT_DOUBLE_EQ(value_of(store().plan_sums({"p1"}, "")).at("p1").weight_done, 10);
}

TEST_P(StoreContractBoard, TheBoardHasEverythingOfThePlansTasks) {
  const TaskAttempt failed{"a", 1, 1, "failed", at(1), at(2), "TASK_FAILED", "no"};
  const TaskAttempt again{"a", 1, 2, "running", at(3), {}, "", ""};
  put(store(), transaction("p1", {CreatePlan{small_plan("p1"), {full_task("a"), full_task("b")}, {{"a", "b", true}}},
                                  PutTaskAttempt{"a", 1, 2, "running", at(3), {}, "", ""},
                                  PutTaskAttempt{"a", 1, 1, "failed", at(1), at(2), "TASK_FAILED", "no"},
                                  PutContent{text_file("a.md", "one")},
                                  AppendEvents{{{3, "status", at(1), json::object{}, 0}}}}));
  create(store(), "p2");
  put_blocks("p1");
  put_blocks("p2");
  put(store(),
      transaction("p1", {PutInteraction{call("p1", "a", 1, "first")}, PutInteraction{call("p1", "a", 2, "retry")},
                         PutInteraction{call("p1", "b", 1, "first")}}));
  put(store(), transaction("p2", {PutInteraction{call("p2", "a", 1, "first")}}));

  const auto board = value_of(store().task_board("p1"));
  EXPECT_EQ(board.tasks, (std::vector<TaskRow>{full_task("a"), full_task("b")}));
  EXPECT_EQ(board.edges, (std::vector<EdgeRow>{{"a", "b", true}}));
  EXPECT_EQ(board.attempts, (std::vector<TaskAttempt>{failed, again}));
  ASSERT_EQ(board.contents.size(), 1u);
  EXPECT_EQ(board.contents[0].filename, "a.md");
  EXPECT_TRUE(board.contents[0].content.empty());
  EXPECT_EQ(board.last_seq, 3);
  ASSERT_EQ(board.usage.size(), 2u);
  EXPECT_EQ(board.usage.at("a").totals.calls, 2);
  EXPECT_EQ(board.usage.at("a").totals.retries, 1);
  EXPECT_EQ(board.usage.at("a").queue_ms, 10);
  EXPECT_EQ(board.usage.at("b").totals.calls, 1);
  EXPECT_TRUE(value_of(store().task_board("unknown")).tasks.empty());
}

TEST_P(StoreContractBoard, PreviewsOfCallsAreCutAndPaged) {
  create(store(), "p1");
  put_blocks("p1");
  auto row = call("p1", "a", 1, "first");
  row.response_text = "\xc3\xa4\xc3\xb6\xc3\xbc and more";
  auto other = call("p1", "b", 1, "first");
  other.response_text.clear();
  put(store(), transaction("p1", {PutInteraction{row}, PutInteraction{other}}));

  auto page = value_of(store().interaction_previews({.plan_id = "p1", .limit = 1}, 5));
  ASSERT_EQ(page.rows.size(), 1u);
  auto expected = row;
  expected.prompt_blocks.clear();
  expected.reasoning_text.clear();
  expected.response_text = "\xc3\xa4\xc3\xb6\xc3\xbc a";
  EXPECT_EQ(page.rows[0].row, expected);
  EXPECT_EQ(page.rows[0].prompt, "do th");
  ASSERT_FALSE(page.next_cursor.empty());
  page = value_of(store().interaction_previews({.plan_id = "p1", .limit = 1, .cursor = page.next_cursor}, 5));
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_EQ(page.rows[0].row.id, other.id);
  EXPECT_TRUE(page.next_cursor.empty());
  EXPECT_EQ(value_of(store().interaction_previews({.plan_id = "p1", .task_key = "b"}, 5)).rows.size(), 1u);
  EXPECT_EQ(value_of(store().interaction_previews({.plan_id = "p1", .id = other.id}, 5)).rows.size(), 1u);
  EXPECT_EQ(value_of(store().interaction_previews({.plan_id = "p2", .id = other.id}, 5)).rows.size(), 0u);
  EXPECT_EQ(value_of(store().interaction_previews({.plan_id = "p1", .status = "failed"}, 5)).rows.size(), 0u);
  const auto bad = store().interaction_previews({.plan_id = "p1", .cursor = "x"}, 5);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::CursorInvalid);
}

TEST_P(StoreContractBoard, LogLinesAreReadWithoutOtherEvents) {
  create(store(), "p1");
  put(store(), transaction("p1", {AppendEvents{{{1, "status", at(1), json::object{}, 0},
                                                {2, "log", at(2), json::object{{"message", "one"}}, 0},
                                                {4, "task", at(3), json::object{}, 0},
                                                {6, "log", at(4), json::object{{"message", "two"}}, 0}}}}));
  const auto all = value_of(store().log_events("p1", 0, 10));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].seq, 2);
  EXPECT_EQ(get_string(all[1].payload, "message"), "two");
  EXPECT_EQ(value_of(store().log_events("p1", 2, 10)).size(), 1u);
  EXPECT_EQ(value_of(store().log_events("p1", 0, 1)).size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Board, StoreContractBoard, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
