#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

class StoreContractLedger : public StoreContract {
 protected:
  void SetUp() override {
    StoreContract::SetUp();
    create(store(), "p1");
    put(store(), transaction("p1", {PutBlocks{{block("context"), block("task")}}}));
  }
  InteractionRow pending(int attempt = 1, const std::string& stage = "review_plan") {
    auto row = full_interaction(value_of(store().reserve_interaction_ids(1)), "p1");
    InteractionRow fresh;
    fresh.id = row.id;
    fresh.plan_id = "p1";
    fresh.owner_id = "p1";
    fresh.stage = stage;
    fresh.call_key = stage + "/ask";
    fresh.attempt = attempt;
    fresh.attempt_reason = attempt == 1 ? "first" : "retry";
    fresh.llm_model = "model-a";
    fresh.prompt_blocks = {block("context").sha256};
    return fresh;
  }
};

TEST_P(StoreContractLedger, InteractionsKeepEveryFieldAndTheirPrompt) {
  const auto row = full_interaction(value_of(store().reserve_interaction_ids(1)), "p1");
  put(store(), transaction("p1", {PutInteraction{row}}));
  reopen();
  EXPECT_EQ(must(store().interaction(row.id)), row);
  EXPECT_EQ(value_of(store().prompt_text(row)), "context\n\ntask\n\ncontext");
  EXPECT_FALSE(value_of(store().interaction(row.id + 1)));
  EXPECT_EQ(count("SELECT COUNT(*) FROM llm_interactions_full WHERE prompt_text LIKE 'context%task%context'"), 1);
  EXPECT_EQ(count("SELECT duration_seconds FROM llm_interactions"), 12);
  EXPECT_EQ(count("SELECT total_tokens FROM llm_interactions"), 12'700);
}

TEST_P(StoreContractLedger, TextsAreStoredOnce) {
  put(store(), transaction("p1", {PutBlocks{{block("context"), block("context"), block("new")}}}));
  EXPECT_EQ(count("SELECT COUNT(*) FROM text_blocks"), 3);
}

TEST_P(StoreContractLedger, APromptOfUnknownTextsIsRefused) {
  auto row = pending();
  row.prompt_blocks.push_back("feed");
  EXPECT_EQ(store().commit(transaction("p1", {PutInteraction{row}})).status, CommitStatus::failed);
  EXPECT_FALSE(value_of(store().interaction(row.id)));
}

TEST_P(StoreContractLedger, AnAttemptGoesFromPendingToItsEndAndNeverBack) {
  auto row = pending();
  put(store(), transaction("p1", {PutInteraction{row}}));
  put(store(), transaction("p1", {SetResponseId{row.id, "resp_9", 4}}));
  auto read = must(store().interaction(row.id));
  EXPECT_EQ(read.status, "running");
  EXPECT_EQ(read.response_id, "resp_9");
  EXPECT_EQ(read.last_event_sequence, 4);

  row = read;
  row.status = "completed";
  row.response_text = "answer";
  row.input_tokens = 100;
  row.output_tokens = 10;
  row.cost_micros = 7;
  put(store(), transaction("p1", {UpdateInteraction{row}}));
  EXPECT_EQ(must(store().interaction(row.id)), row);

  // Late messages of the same call.
  put(store(), transaction("p1", {SetResponseId{row.id, "resp_9", 3}}));
  EXPECT_EQ(must(store().interaction(row.id)), row);
  auto late = row;
  late.status = "running";
  late.response_text = "";
  put(store(), transaction("p1", {UpdateInteraction{late}}));
  EXPECT_EQ(must(store().interaction(row.id)), row);
}

TEST_P(StoreContractLedger, UpdatesKeepIdentityAndPrompt) {
  auto row = pending();
  put(store(), transaction("p1", {PutInteraction{row}}));
  auto changed = row;
  changed.status = "failed";
  changed.stage = "other";
  changed.call_key = "other";
  changed.attempt = 9;
  changed.prompt_blocks = {block("task").sha256};
  put(store(), transaction("p1", {UpdateInteraction{changed}}));
  row.status = "failed";
  EXPECT_EQ(must(store().interaction(row.id)), row);
}

TEST_P(StoreContractLedger, RepeatingAnInsertChangesNothing) {
  auto row = pending();
  put(store(), transaction("p1", {PutInteraction{row}}));
  put(store(), transaction("p1", {PutInteraction{row}}));
  EXPECT_EQ(value_of(store().usage("p1")).calls, 1);
  EXPECT_EQ(count("SELECT total_llm_calls FROM plan_metrics WHERE plan_id = 'p1'"), 1);
  auto other = row;
  other.attempt = 5;
  EXPECT_EQ(store().commit(transaction("p1", {PutInteraction{other}})).status, CommitStatus::conflict);
  // Another id for the same attempt would be a second ledger row for one call.
  auto twin = row;
  twin.id = value_of(store().reserve_interaction_ids(1));
  EXPECT_EQ(store().commit(transaction("p1", {PutInteraction{twin}})).status, CommitStatus::failed);
}

TEST_P(StoreContractLedger, InteractionsOfOtherPlansAreOutOfReach) {
  create(store(), "p2");
  const auto row = pending();
  put(store(), transaction("p1", {PutInteraction{row}}));
  EXPECT_EQ(store().commit(transaction("p2", {UpdateInteraction{row}})).status, CommitStatus::conflict);
  EXPECT_EQ(store().commit(transaction("p2", {SetResponseId{row.id, "x", 1}})).status, CommitStatus::conflict);
  auto foreign = pending();
  EXPECT_EQ(store().commit(transaction("p2", {PutInteraction{foreign}})).status, CommitStatus::failed);
  EXPECT_EQ(must(store().interaction(row.id)).status, "pending");
}

TEST_P(StoreContractLedger, SumsFollowTheLedgerAtEveryStep) {
  std::int64_t tokens = 0;
  std::int64_t cost = 0;
  for (int i = 1; i <= 4; ++i) {
    auto row = pending(i, i < 4 ? "a" : "b");
    if (i == 3) row.attempt_reason = "repair";
    put(store(), transaction("p1", {PutInteraction{row}}));
    row.status = i == 1 ? "failed" : "completed";
    row.input_tokens = 1000 * i;
    row.cached_input_tokens = 10 * i;
    row.output_tokens = i;
    row.reasoning_tokens = 2 * i;
    if (i != 2) row.cost_micros = 5 * i;
    if (i == 4) row.usage_source = "estimate";
    put(store(), transaction("p1", {UpdateInteraction{row}}));
    // The same end again must not be counted again.
    put(store(), transaction("p1", {UpdateInteraction{row}}));
    tokens += 1001 * i;
    cost += i != 2 ? 5 * i : 0;
    EXPECT_EQ(count("SELECT total_tokens_used FROM plan_metrics WHERE plan_id = 'p1'"), tokens);
    EXPECT_EQ(count("SELECT total_cost_micros FROM plan_metrics WHERE plan_id = 'p1'"), cost);
  }
  const auto all = value_of(store().usage("p1"));
  EXPECT_EQ(all.calls, 4);
  EXPECT_EQ(all.retries, 2);
  EXPECT_EQ(all.repairs, 1);
  EXPECT_EQ(all.input_tokens, 10'000);
  EXPECT_EQ(all.cached_input_tokens, 100);
  EXPECT_EQ(all.output_tokens, 10);
  EXPECT_EQ(all.reasoning_tokens, 20);
  EXPECT_EQ(all.cost_micros, 40);
  EXPECT_EQ(all.unpriced, 1);
  EXPECT_EQ(all.estimated, 1);
  EXPECT_EQ(value_of(store().usage("p1", "b")).calls, 1);
  EXPECT_EQ(value_of(store().usage("p2")).calls, 0);
  EXPECT_EQ(count("SELECT retries * 10 + repairs FROM plan_metrics WHERE plan_id = 'p1'"), 21);
  EXPECT_TRUE(value_of(store().check()).empty());
}

TEST_P(StoreContractLedger, PagesOfInteractionsAreStableUnderInserts) {
  std::vector<std::int64_t> expected;
  for (int i = 1; i <= 7; ++i) {
    auto row = pending(i);
    expected.push_back(row.id);
    put(store(), transaction("p1", {PutInteraction{row}}));
  }
  std::vector<std::int64_t> seen;
  InteractionQuery query{.plan_id = "p1", .limit = 3};
  for (int page = 0; page < 10; ++page) {
    const auto rows = value_of(store().interactions(query));
    for (const auto& row : rows.rows) seen.push_back(row.id);
    if (page == 0) {
      auto row = pending(100);
      expected.push_back(row.id);
      put(store(), transaction("p1", {PutInteraction{row}}));
    }
    if (rows.next_cursor.empty()) break;
    query.cursor = rows.next_cursor;
  }
  EXPECT_EQ(seen, expected);
  EXPECT_TRUE(value_of(store().interactions({.plan_id = "p1", .task_key = "none"})).rows.empty());
  EXPECT_EQ(value_of(store().interactions({.plan_id = "p1", .status = "pending"})).rows.size(), 8u);
  EXPECT_TRUE(value_of(store().interactions({.plan_id = "p1", .status = "failed"})).rows.empty());
}

TEST_P(StoreContractLedger, ReservedIdsAreNeverGivenTwice) {
  const auto first = value_of(store().reserve_interaction_ids(10));
  const auto second = value_of(store().reserve_interaction_ids(1));
  EXPECT_EQ(second, first + 10);
  reopen();
  EXPECT_EQ(value_of(store().reserve_interaction_ids(1)), second + 1);
  EXPECT_FALSE(store().reserve_interaction_ids(0));
  EXPECT_FALSE(store().reserve_interaction_ids(1'000'000));
}

TEST_P(StoreContractLedger, InteractionsWithoutAPlanBelongToTheirOwner) {
  InteractionRow row = full_interaction(value_of(store().reserve_interaction_ids(1)), "");
  row.owner_kind = "conversation";
  row.owner_id = "conv_1";
  put(store(), transaction("", {PutBlocks{{block("context"), block("task")}}, PutInteraction{row}}));
  row.status = "failed";
  put(store(), transaction("", {UpdateInteraction{row}}));
  EXPECT_EQ(must(store().interaction(row.id)), row);
  row.id += 1'000;
  row.owner_id = "";
  EXPECT_EQ(store().commit(transaction("", {PutInteraction{row}})).status, CommitStatus::failed);
}

TEST_P(StoreContractLedger, TextsThatAreNoTextAreRefused) {
  EXPECT_EQ(store().commit(transaction("p1", {PutBlocks{{block(std::string("a\0b", 3))}}})).status,
            CommitStatus::failed);
  EXPECT_EQ(store().commit(transaction("p1", {PutBlocks{{block("\xff")}}})).status, CommitStatus::failed);
}

INSTANTIATE_TEST_SUITE_P(Ledger, StoreContractLedger, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
