// The machine of one turn: order of events, failures, repeats, restarts, deletion; ledger and rows in a real database.
#include "server/conversation/conversation_store.hpp"
#include "server/conversation/turn_run.hpp"
#include "server_conversation_support.hpp"

namespace planexe::server::test {
namespace {

using Names = std::vector<std::string>;

class TurnTest : public ::testing::Test {
 protected:
  void make(bool with_reply = true) {
    auto dialogue = read_dialogue(*db.store, kConversation).value();
    TurnSetup setup;
    setup.token = "t_1";
    setup.conversation = dialogue.conversation;
    setup.first_prompt = first_prompt(dialogue);
    setup.answer.conversation_id = kConversation;
    setup.answer.turn = next_turn(dialogue);
    setup.answer.created_at = db.start;
    first_id = reserve_turn_ids(*db.store).value();
    const auto plan = [&](llm::CallSpec spec, llm::Judge judge, std::int64_t id) {
      CallLedger ledger({"conversation", kConversation, "intake", {{"client", json::object{{"k", "v"}}}}}, spec, id);
      return PlannedCall{std::move(spec), std::move(judge), std::move(ledger)};
    };
    if (!with_reply) setup.witness = dialogue.turns.back();
    if (with_reply) setup.reply = plan(reply_call(dialogue, {}, ServerSettings{}, setup.answer.turn), reply_judge(), first_id);
    form_id = first_id + limits::kAttemptsPerCall;
    setup.form = plan(form_call(dialogue, {}, "intake/form/" + std::to_string(form_id)), form_judge(), form_id);
    run = std::make_unique<TurnRun>(std::move(setup));
    bench = std::make_unique<RunBench>(*run, *db.store, db.start);
  }
  void begin() {
    make();
    bench->start();
    bench->ready(CallPart::reply);
    bench->ready(CallPart::form);
    bench->response(CallPart::reply, "resp_1");
  }
  store::InteractionRow interaction(std::int64_t id) { return db.store->interaction(id).value().value(); }

  ConversationStore db;
  std::unique_ptr<TurnRun> run;
  std::unique_ptr<RunBench> bench;
  std::int64_t first_id = 0, form_id = 0;
};

TEST_F(TurnTest, AGoodTurnIsToldInOrderAndStored) {
  begin();
  EXPECT_TRUE(bench->was_let_go(CallPart::reply));
  EXPECT_EQ(db.row().status, "running");
  EXPECT_EQ(interaction(first_id).status, "running");
  bench->reasoning("Think");
  bench->pass(100ms);
  bench->text("How much ");
  bench->pass(100ms);
  bench->text("time?");
  bench->answered(CallPart::reply, "How much time?", "resp_1");
  EXPECT_FALSE(run->over()) << "the form is still being filled in";
  bench->answered(CallPart::form, form_answer(), "resp_2");
  EXPECT_EQ(bench->names(), (Names{"response.created", "response.reasoning_summary_text.delta", "response.output_text.delta",
                                   "response.output_text.delta", "response.output_json.delta", "response.completed", "final"}));
  for (std::int64_t id = 1; id <= 7; ++id) {
    EXPECT_EQ(bench->data(id).at("conversation_id"), kConversation);
    EXPECT_EQ(bench->data(id).at("model_key"), "model-a");
    EXPECT_EQ(bench->data(id).at("session_id"), "t_1");
  }
  EXPECT_EQ(bench->data(1).at("response_id"), "resp_1");
  EXPECT_EQ(bench->data(5).at("delta").at("project_title"), "Bicycle shop");
  const auto summary = bench->last().at("summary");
  EXPECT_EQ(summary.at("text"), "How much time?");
  EXPECT_EQ(summary.at("reasoning"), "thought");
  EXPECT_EQ(summary.at("usage").at("input_tokens"), 200);
  EXPECT_EQ(summary.at("json").as_array().back().at("original_prompt"), "Open a bicycle repair shop in Lyon");
  EXPECT_EQ(bench->last().at("response"), json::parse(R"({"id":"resp_1","model":"model-a","status":"completed"})"));
  EXPECT_EQ(bench->overs, 1);

  const auto turns = db.turns();
  ASSERT_EQ(turns.size(), 2U);
  EXPECT_EQ(turns[1].role, "assistant");
  EXPECT_EQ(turns[1].status, "completed");
  EXPECT_EQ(turns[1].text, "How much time?");
  EXPECT_EQ(turns[1].interaction_id, first_id);
  EXPECT_EQ(db.row().status, "idle");
  EXPECT_EQ(IntakeDraft::from_json(db.row().draft_intake)->turn, 2);
  const auto ledger = interaction(first_id);
  EXPECT_EQ(ledger.status, "completed");
  EXPECT_EQ(ledger.owner_kind, "conversation");
  EXPECT_EQ(ledger.owner_id, kConversation);
  EXPECT_TRUE(ledger.plan_id.empty());
  EXPECT_EQ(ledger.response_metadata.at("stored"), true);
  EXPECT_EQ(ledger.prompt_metadata.at("client").at("k"), "v");
  EXPECT_EQ(interaction(form_id).status, "completed");
}

TEST_F(TurnTest, NothingIsSentBeforeItsLedgerRowIsStored) {
  make();
  bench->start();
  bench->hold = true;
  bench->ready(CallPart::reply);
  EXPECT_TRUE(bench->let_go.empty());
  bench->release();
  EXPECT_TRUE(bench->was_let_go(CallPart::reply));
}

TEST_F(TurnTest, TheEndIsToldAfterItsCommit) {
  begin();
  bench->answered(CallPart::form, form_answer(), "resp_2");
  bench->hold = true;
  bench->answered(CallPart::reply, "Hello.", "resp_1");
  EXPECT_EQ(bench->names().back(), "response.output_json.delta");
  EXPECT_FALSE(run->over());
  bench->release();
  EXPECT_EQ(bench->names().back(), "final");
}

TEST_F(TurnTest, TheEndWaitsForTheBeginningToBeStored) {
  make();
  bench->hold = true;
  bench->start();
  bench->ended_with(CallPart::reply, ErrorCode::ProviderAuth);
  bench->ended_with(CallPart::form, ErrorCode::ProviderAuth);
  bench->release();
  EXPECT_EQ(bench->committed, (Names{"turn_start", "turn_end"}));
  EXPECT_EQ(db.row().status, "idle");
}

TEST_F(TurnTest, NothingIsSentBeforeTheTurnIsStored) {
  make();
  bench->hold = true;
  bench->start();
  bench->ready(CallPart::reply);
  bench->ready(CallPart::form);
  EXPECT_TRUE(bench->let_go.empty());
  bench->release();
  EXPECT_EQ(bench->committed, (Names{"turn_start", "turn_attempt", "turn_attempt"}));
  EXPECT_TRUE(bench->was_let_go(CallPart::reply));
}

TEST_F(TurnTest, ATurnThatCannotBeStoredIsNotSent) {
  make();
  bench->failing = "turn_start";
  bench->hold = true;
  bench->start();
  bench->ready(CallPart::reply);
  bench->release();
  EXPECT_FALSE(bench->let_go.at({CallPart::reply, 1}).go);
  bench->ended_with(CallPart::reply, ErrorCode::Cancelled);
  bench->ended_with(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "DATABASE_UNAVAILABLE");
}

TEST_F(TurnTest, AtMostTenDeltasPerSecondAndNoneIsLost) {
  begin();
  for (int i = 0; i < 300; ++i) {
    bench->text("word ");
    bench->pass(10ms);
    bench->wake();
  }
  const auto names = bench->names();
  const auto deltas = std::count(names.begin(), names.end(), "response.output_text.delta");
  EXPECT_LE(deltas, 31);
  EXPECT_GE(deltas, 25);
  bench->answered(CallPart::reply, "all", "resp_1");
  EXPECT_EQ(run->log().text(TextKind::text).size(), 300U * 5);
}

TEST_F(TurnTest, AFailedReplyIsOneErrorAndIsStored) {
  begin();
  bench->text("Half an ");
  bench->failed(CallPart::reply, ErrorCode::ProviderUnavailable);
  EXPECT_EQ(bench->cancelled, std::vector<CallPart>{CallPart::form});
  EXPECT_FALSE(run->over()) << "the ledger of the form is closed first";
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->names(), (Names{"response.created", "response.output_text.delta", "response.error"}));
  EXPECT_EQ(bench->last().at("code"), "PROVIDER_UNAVAILABLE");
  EXPECT_EQ(bench->last().at("retryable"), true);
  EXPECT_EQ(to_json(bench->last()).find("secret"), std::string::npos) << "words of a provider do not reach clients";
  EXPECT_EQ(db.row().status, "idle");
  EXPECT_EQ(db.row().last_error.at("code"), "PROVIDER_UNAVAILABLE");
  const auto turn = db.turns().back();
  EXPECT_EQ(turn.status, "failed");
  EXPECT_EQ(turn.text, "Half an ");
  EXPECT_EQ(turn.error.at("code"), "PROVIDER_UNAVAILABLE");
  EXPECT_EQ(interaction(first_id).status, "failed");
}

TEST_F(TurnTest, AFailedTurnCanBeFollowedByAnother) {
  begin();
  bench->failed(CallPart::reply, ErrorCode::ProviderUnavailable);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  db.say(3, "user", "Open a bicycle repair shop in Lyon");
  begin();
  EXPECT_TRUE(db.row().last_error.is_null());
  ASSERT_EQ(bench->specs[CallPart::reply].messages.size(), 2U) << "the repeated message counts once";
  bench->answered(CallPart::reply, "Fine.", "resp_9");
  bench->answered(CallPart::form, form_answer(), "resp_10");
  EXPECT_EQ(bench->names().back(), "final");
  EXPECT_EQ(db.turns().size(), 4U);
}

TEST_F(TurnTest, ARefusalIsNamed) {
  begin();
  bench->failed(CallPart::reply, ErrorCode::ModelRefused);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "MODEL_REFUSED");
  EXPECT_EQ(bench->last().at("retryable"), false);
}

TEST_F(TurnTest, AnAnswerThatNeverCameIsATimeout) {
  begin();
  bench->failed(CallPart::reply, ErrorCode::ProviderUnavailable, 1, 61'000);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "PROVIDER_TIMEOUT");
}

TEST_F(TurnTest, AFormThatFailsCostsOnlyTheDraft) {
  begin();
  bench->failed(CallPart::form, ErrorCode::SchemaRepairExhausted);
  bench->answered(CallPart::reply, "Hello.", "resp_1");
  EXPECT_EQ(bench->names(), (Names{"response.created", "response.completed", "final"}));
  EXPECT_TRUE(bench->last().at("summary").at("json").as_array().empty());
  EXPECT_TRUE(db.row().draft_intake.is_null());
}

TEST_F(TurnTest, AFormThatTakesTooLongIsNotWaitedFor) {
  begin();
  bench->answered(CallPart::reply, "Hello.", "resp_1");
  EXPECT_TRUE(bench->cancelled.empty());
  bench->pass(limits::kFormWait);
  bench->wake();
  EXPECT_EQ(bench->cancelled, std::vector<CallPart>{CallPart::form});
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->names().back(), "final");
}

TEST_F(TurnTest, ABadFormIsSentBackAndRepaired) {
  begin();
  const auto& judge = bench->judges[CallPart::form];
  const auto bad = judge(R"({"project_title": 5})", {}, false);
  EXPECT_FALSE(bad.accepted);
  EXPECT_NE(bad.feedback.find("project_title"), std::string::npos) << bad.feedback;
  bench->attempt_ended(CallPart::form, 1, "{}", "resp_2", Error(ErrorCode::SchemaRepairExhausted, "bad"), true);
  EXPECT_EQ(interaction(form_id).status, "failed");
  bench->ready(CallPart::form, 2, llm::AttemptReason::repair);
  bench->answered(CallPart::form, form_answer(), "resp_3", 2);
  bench->answered(CallPart::reply, "Hello.", "resp_1");
  EXPECT_EQ(bench->names().back(), "final");
  EXPECT_EQ(interaction(form_id + 1).attempt_reason, "repair");
  EXPECT_EQ(bench->last().at("summary").at("usage").at("input_tokens"), 300) << "the attempt that failed was paid for, too";
}

TEST_F(TurnTest, ABrokenAnswerBeginsAnewWithASecondCreated) {
  begin();
  bench->text("Lost text");
  bench->attempt_ended(CallPart::reply, 1, "Lost text", "resp_1", Error(ErrorCode::ProviderUnavailable, "broken"), true);
  bench->ready(CallPart::reply, 2, llm::AttemptReason::restart);
  bench->response(CallPart::reply, "resp_5", 2);
  bench->pass(200ms);
  bench->text("New text", 2);
  bench->answered(CallPart::reply, "New text", "resp_5", 2);
  bench->answered(CallPart::form, form_answer(), "resp_2");
  EXPECT_EQ(bench->names(), (Names{"response.created", "response.output_text.delta", "response.created", "response.output_text.delta",
                                   "response.output_json.delta", "response.completed", "final"}));
  EXPECT_NE(run->log().render(4, true).find("\"aggregated\":\"New text\""), std::string::npos);
  EXPECT_NE(run->log().render(2, true).find("\"aggregated\":\"Lost text\""), std::string::npos) << "a replay tells it as it was";
  EXPECT_EQ(interaction(first_id + 1).response_id, "resp_5");
}

TEST_F(TurnTest, AProviderWithoutResponseIdsIsFine) {
  make();
  bench->start();
  bench->ready(CallPart::reply);
  bench->ready(CallPart::form);
  bench->text("Hello.");
  bench->answered(CallPart::reply, "Hello.", "");
  bench->answered(CallPart::form, form_answer(), "");
  EXPECT_EQ(bench->names().front(), "response.created");
  EXPECT_TRUE(bench->data(1).at("response_id").is_null());
  EXPECT_TRUE(bench->last().at("summary").at("response_id").is_null());
}

TEST_F(TurnTest, DeletionStopsTheCallsAndWritesNothingMore) {
  begin();
  bench->text("Hel");
  bench->discard();
  EXPECT_EQ(bench->cancelled.size(), 2U);
  EXPECT_EQ(bench->last().at("code"), "CANCELLED");
  EXPECT_TRUE(run->log().ended());
  const auto committed = bench->committed.size();
  db.commit({store::DeleteConversation{kConversation}});
  bench->failed(CallPart::reply, ErrorCode::Cancelled);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->committed.size(), committed);
  EXPECT_EQ(bench->overs, 1);
  EXPECT_FALSE(db.store->conversation(kConversation).value()) << "it is not written again";
}

TEST_F(TurnTest, ACancelledTurnIsStoredAsCancelled) {
  begin();
  bench->cancel();
  bench->failed(CallPart::reply, ErrorCode::Cancelled);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "CANCELLED");
  EXPECT_EQ(db.turns().back().status, "cancelled");
}

TEST_F(TurnTest, AServerThatStopsSaysSo) {
  begin();
  bench->failed(CallPart::reply, ErrorCode::Cancelled);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "SHUTTING_DOWN");
}

TEST_F(TurnTest, ADatabaseThatFailsIsTold) {
  make();
  bench->failing = "turn_attempt";
  bench->start();
  bench->ready(CallPart::reply);
  EXPECT_FALSE(bench->let_go.at({CallPart::reply, 1}).go);
  EXPECT_EQ(bench->let_go.at({CallPart::reply, 1}).refusal, ErrorCode::DatabaseUnavailable);
  bench->failing = "turn_end";
  bench->ended_with(CallPart::reply, ErrorCode::DatabaseUnavailable);
  bench->ended_with(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "DATABASE_UNAVAILABLE");
  EXPECT_TRUE(run->over());
}

TEST_F(TurnTest, AFormAloneHasNoRowOfItsOwn) {
  make(false);
  bench->start();
  bench->ready(CallPart::form);
  bench->answered(CallPart::form, form_answer(), "resp_2");
  EXPECT_TRUE(run->over());
  EXPECT_EQ(db.turns().size(), 1U);
  EXPECT_EQ(db.row().draft_intake.at("form").at("project_title"), "Bicycle shop");
  make(false);
  bench->start();
  bench->failed(CallPart::form, ErrorCode::SchemaRepairExhausted);
  EXPECT_EQ(run->end().failure->code, ErrorCode::SchemaRepairExhausted);
  EXPECT_EQ(db.row().draft_intake.at("form").at("project_title"), "Bicycle shop") << "the earlier draft stays";
}

TEST_F(TurnTest, WhatIsDeletedMeanwhileDoesNotComeBack) {
  for (const bool with_reply : {true, false}) {
    SCOPED_TRACE(with_reply);
    make(with_reply);
    bench->start();
    if (with_reply) bench->ready(CallPart::reply);
    bench->ready(CallPart::form);
    bench->hold = true;
    if (with_reply) bench->answered(CallPart::reply, "Hello.", "resp_1");
    bench->answered(CallPart::form, form_answer(), "resp_2");
    const auto row = db.row();
    const auto turn = db.turns().front();
    db.commit({store::DeleteConversation{kConversation}});
    bench->release();
    EXPECT_FALSE(db.store->conversation(kConversation).value());
    EXPECT_EQ(run->end().failure->code, ErrorCode::DatabaseUnavailable);
    db.commit({store::PutConversation{row}, store::PutTurn{turn}});
  }
}

TEST_F(TurnTest, AnEndlessAnswerIsStopped) {
  begin();
  for (int i = 0; i < 5 && bench->cancelled.empty(); ++i) {
    bench->text(std::string(limits::kAnswerBytesMax / 2, 'x'));
    bench->pass(200ms);
    bench->wake();
  }
  EXPECT_EQ(bench->cancelled.size(), 2U);
  bench->failed(CallPart::reply, ErrorCode::Cancelled);
  bench->failed(CallPart::form, ErrorCode::Cancelled);
  EXPECT_EQ(bench->last().at("code"), "OUTPUT_TRUNCATED");
}

TEST_F(TurnTest, AttemptsBeyondTheReservedIdsAreRefused) {
  make();
  bench->start();
  for (int attempt = 1; attempt <= limits::kAttemptsPerCall; ++attempt) {
    bench->ready(CallPart::reply, attempt);
    bench->attempt_ended(CallPart::reply, attempt, "", "", Error(ErrorCode::ProviderUnavailable, "x"), true);
  }
  bench->ready(CallPart::reply, limits::kAttemptsPerCall + 1);
  EXPECT_FALSE(bench->let_go.at({CallPart::reply, limits::kAttemptsPerCall + 1}).go);
}

}  // namespace
}  // namespace planexe::server::test
