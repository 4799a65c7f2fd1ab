#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

class StoreContractConversation : public StoreContract {
 protected:
  static ConversationRow conversation() {
    ConversationRow row;
    row.id = "conv_1";
    row.model_key = "model-a";
    row.status = "running";
    row.draft_intake = json::object{{"domain", "bicycles"}};
    row.last_error = json::object{{"code", "PROVIDER_ERROR"}};
    row.created_at = at(1);
    row.updated_at = at(2);
    return row;
  }
  static TurnRow turn(int number) {
    TurnRow row;
    row.conversation_id = "conv_1";
    row.turn = number;
    row.role = number % 2 == 1 ? "user" : "assistant";
    row.text = "words";
    row.reasoning = "why";
    row.status = "completed";
    row.error = json::object{{"code", "X"}};
    row.usage = json::object{{"input_tokens", 5}};
    row.interaction_id = 12;
    row.created_at = at(3);
    row.completed_at = at(4);
    return row;
  }
};

TEST_P(StoreContractConversation, ConversationsAndTurnsKeepEveryField) {
  put(store(), transaction("", {PutConversation{conversation()}, PutTurn{turn(2)}, PutTurn{turn(1)}}));
  reopen();
  EXPECT_EQ(must(store().conversation("conv_1")), conversation());
  EXPECT_EQ(value_of(store().turns("conv_1")), (std::vector<TurnRow>{turn(1), turn(2)}));
  EXPECT_FALSE(value_of(store().conversation("conv_2")));
  EXPECT_TRUE(value_of(store().turns("conv_2")).empty());
  EXPECT_EQ(store()
                .commit(transaction("", {PutTurn{[] {
                                      auto row = turn(1);
                                      row.conversation_id = "conv_2";
                                      return row;
                                    }()}}))
                .status,
            CommitStatus::conflict);
}

TEST_P(StoreContractConversation, PlansOutliveTheirConversationAndTheOtherWayRound) {
  create(store(), "p1");
  auto row = conversation();
  row.plan_id = "p1";
  put(store(), transaction("", {PutConversation{row}}));
  put(store(), transaction("p1", {DeletePlan{}}));
  EXPECT_EQ(must(store().conversation("conv_1")).plan_id, "");
}

TEST_P(StoreContractConversation, PlanAndModelAreSetByThemselves) {
  create(store(), "p1");
  put(store(), transaction("", {PutConversation{conversation()}}));
  put(store(), transaction("", {SetConversation{"conv_1", "p1", "model-b"}}));
  auto wanted = conversation();
  wanted.plan_id = "p1";
  EXPECT_EQ(must(store().conversation("conv_1")), wanted) << "the model of a running turn stays";
  auto row = conversation();
  row.status = "idle";
  row.model_key = "model-c";
  put(store(), transaction("", {PutConversation{row}}));
  EXPECT_EQ(must(store().conversation("conv_1")).plan_id, "p1");
  EXPECT_EQ(must(store().conversation("conv_1")).model_key, "model-a");
  put(store(), transaction("", {SetConversation{"conv_1", std::nullopt, "model-b"}}));
  EXPECT_EQ(must(store().conversation("conv_1")).plan_id, "p1");
  EXPECT_EQ(must(store().conversation("conv_1")).model_key, "model-b");
  EXPECT_EQ(store().commit(transaction("", {SetConversation{"conv_2", "p1", std::nullopt}})).status, CommitStatus::conflict);
}

TEST_P(StoreContractConversation, APlanThatCannotBeLinkedIsNotMade) {
  const auto refused = store().commit(
      transaction("p1", {CreatePlan{small_plan("p1"), {}, {}}, SetConversation{"conv_2", "p1", std::nullopt}}));
  EXPECT_EQ(refused.status, CommitStatus::conflict);
  EXPECT_EQ(refused.error->code, ErrorCode::ConversationNotFound);
  EXPECT_FALSE(value_of(store().plan("p1")));
}

TEST_P(StoreContractConversation, DeletingAConversationTakesItsTurnsAndCalls) {
  auto call = full_interaction(value_of(store().reserve_interaction_ids(1)), "");
  call.owner_kind = "conversation";
  call.owner_id = "conv_1";
  put(store(), transaction("", {PutConversation{conversation()}, PutTurn{turn(1)},
                                PutBlocks{{block("context"), block("task")}}, PutInteraction{call}}));
  put(store(), transaction("", {DeleteConversation{"conv_1"}}));
  EXPECT_FALSE(value_of(store().conversation("conv_1")));
  EXPECT_TRUE(value_of(store().turns("conv_1")).empty());
  EXPECT_FALSE(value_of(store().interaction(call.id)));
  EXPECT_EQ(count("SELECT COUNT(*) FROM text_blocks"), 0);
  EXPECT_EQ(store().commit(transaction("", {DeleteConversation{"conv_1"}})).status, CommitStatus::conflict);
}

TEST_P(StoreContractConversation, CallsThatWereLeftBehindAreAbandoned) {
  create(store(), "p1");
  const auto first = value_of(store().reserve_interaction_ids(4));
  std::vector<Write> writes{PutBlocks{{block("context"), block("task")}}};
  const auto call = [&](int number, const char* owner, const char* status, TimePoint started) {
    auto row = full_interaction(first + number, "");
    row.owner_kind = owner;
    row.owner_id = "conv_" + std::to_string(number);
    row.status = status;
    row.started_at = started;
    row.completed_at.reset();
    writes.push_back(PutInteraction{row});
  };
  call(0, "conversation", "running", at(1));
  call(1, "analysis", "running", at(1));
  call(2, "analysis", "running", at(9));
  call(3, "analysis", "completed", at(1));
  put(store(), transaction("", std::move(writes)));
  auto of_plan = full_interaction(value_of(store().reserve_interaction_ids(1)), "p1");
  of_plan.status = "running";
  of_plan.started_at = at(1);
  put(store(), transaction("p1", {PutInteraction{of_plan}}));
  put(store(), transaction("", {AbandonCalls{at(5), "left behind"}}));
  const auto status = [&](std::int64_t id) { return must(store().interaction(id)).status; };
  EXPECT_EQ(status(first), "abandoned");
  EXPECT_EQ(status(first + 1), "abandoned");
  EXPECT_EQ(must(store().interaction(first + 1)).error_message, "left behind");
  EXPECT_TRUE(must(store().interaction(first + 1)).completed_at);
  EXPECT_EQ(status(first + 2), "running") << "begun later";
  EXPECT_EQ(status(first + 3), "completed");
  EXPECT_EQ(status(of_plan.id), "running") << "plans look after theirs themselves";
}

TEST_P(StoreContractConversation, AnIdempotencyKeyBelongsToOneRequest) {
  const auto later = at(1'000'000'000);
  const IdempotencyRow row{"ann", "key", "body", "p1", "{\"plan_id\":\"p1\"}", later};
  put(store(), transaction("p1", {CreatePlan{small_plan("p1"), {}, {}}, PutIdempotencyKey{row}}));
  EXPECT_EQ(must(store().idempotency_key("ann", "key")), row);
  EXPECT_FALSE(value_of(store().idempotency_key("bob", "key")));
  put(store(), transaction("", {PutIdempotencyKey{row}}));
  auto other = row;
  other.body_hash = "other";
  const auto refused =
      store().commit(transaction("p2", {CreatePlan{small_plan("p2"), {}, {}}, PutIdempotencyKey{other}}));
  EXPECT_EQ(refused.status, CommitStatus::conflict);
  EXPECT_EQ(refused.error->code, ErrorCode::IdempotencyKeyReused);
  EXPECT_FALSE(value_of(store().plan("p2")));
}

TEST_P(StoreContractConversation, AnExpiredIdempotencyKeyMayBeUsedAgain) {
  IdempotencyRow row{"ann", "key", "body", "p1", "{}", TimePoint(1s)};
  put(store(), transaction("", {PutIdempotencyKey{row}}));
  row.body_hash = "other";
  row.expires_at = at(1'000'000'000);
  put(store(), transaction("", {PutIdempotencyKey{row}}));
  EXPECT_EQ(must(store().idempotency_key("ann", "key")), row);
}

INSTANTIATE_TEST_SUITE_P(Conversations, StoreContractConversation, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
