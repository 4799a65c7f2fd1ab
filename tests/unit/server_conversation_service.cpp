#include "server_conversation_fixture.hpp"

namespace planexe::server::test {
namespace {

TEST_F(ConversationServiceTest, ConversationsAreMadeAndFound) {
  const auto made = wait(service->create(json::object{{"model_key", "model-a"}})).value();
  EXPECT_EQ(made.at("created"), true);
  const std::string id(made.at("conversation_id").as_string());
  EXPECT_EQ(id.size(), 41U);
  const auto again = wait(service->create(json::object{{"model_key", "model-a"}, {"conversation_id", id}})).value();
  EXPECT_EQ(again.at("created"), false);
  EXPECT_EQ(wait(service->view(id)).value().at("turns"), json::array());
  EXPECT_TRUE(model.specs.empty()) << "no model is asked";
}

TEST_F(ConversationServiceTest, WhatCannotBeIsRefused) {
  EXPECT_EQ(code_of(wait(service->create(json::object{{"model_key", "model-x"}}))), "MODEL_UNAVAILABLE");
  EXPECT_EQ(code_of(wait(service->create(json::object{{"model_key", "model-b"}}))), "MODEL_UNAVAILABLE");
  EXPECT_EQ(code_of(wait(service->create(json::object{{"model_key", "auto"}}))), "MODEL_UNAVAILABLE");
  EXPECT_EQ(code_of(wait(service->create(json::object{{"model_key", "model-a"}, {"conversation_id", "conv_x"}}))), "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(code_of(wait(service->view("conv_x"))), "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(code_of(wait(service->prepare("conv_x", turn("Hello")))), "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, turn("Hello", "model-b")))), "MODEL_UNAVAILABLE");
  auto other = turn("Hello");
  other.as_object()["schema_model"] = "os.system";
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, other))), "SCHEMA_MODEL_INVALID");
  no_provider = true;
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, turn("Hello")))), "PROVIDER_NOT_CONFIGURED");
  settings.streaming_enabled = false;
  EXPECT_EQ(code_of(wait(service->view(kConversation))), "STREAMING_DISABLED");
}

TEST_F(ConversationServiceTest, ATurnIsStreamedAndStored) {
  const auto token = prepare();
  EXPECT_EQ(db.turns().size(), 2U) << "the message is stored";
  EXPECT_EQ(db.row().status, "idle");
  EXPECT_TRUE(model.specs.empty()) << "the model is asked when the stream opens";
  const auto live = service->open(kConversation, token, "model-a").value();
  PlayedStream stream;
  EXPECT_TRUE(wait(read(live, stream)));
  EXPECT_EQ(sorted(stream.names()), sorted(kGoodTurn));
  EXPECT_EQ(stream.names().back(), "final");
  EXPECT_EQ(stream.received.find("id: 1\nevent: response.created\n"), 0U);
  settle(live);
  const auto view = wait(service->view(kConversation)).value();
  EXPECT_EQ(view.at("status"), "idle");
  EXPECT_EQ(view.at("turns").as_array().back().at("text"), json::value(model.reply));
  EXPECT_EQ(view.at("draft_intake").at("project_title"), "Bicycle shop");
  EXPECT_EQ(view.at("missing_fields"), json::array());
}

TEST_F(ConversationServiceTest, ATurnGoesOnWithoutItsClientAndIsReadAgain) {
  model.hold = true;
  const auto token = prepare();
  const auto live = service->open(kConversation, token, std::nullopt).value();
  PlayedStream first;
  first.leave_after = "output_text.delta";
  EXPECT_TRUE(wait(read(live, first)));
  EXPECT_EQ(wait(service->view(kConversation)).value().at("status"), "running");
  EXPECT_EQ(wait(service->view(kConversation)).value().at("turns").as_array().back().at("text"), "How ");
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, turn("Me too")))), "CONVERSATION_BUSY");
  EXPECT_EQ(code_of(wait(service->finalize(kConversation))), "CONVERSATION_BUSY");
  EXPECT_EQ(code_of(wait(service->follow_up(kConversation, turn("Me too")))), "CONVERSATION_BUSY");
  model.go_on();
  settle(live);
  const auto again = service->open(kConversation, token, std::nullopt).value();
  EXPECT_EQ(again, live);
  PlayedStream second;
  EXPECT_TRUE(wait(read(again, second, 2)));
  EXPECT_EQ(first.names().size() + second.names().size(), kGoodTurn.size());
  EXPECT_EQ(second.received.find("id: 3\n"), 0U) << second.received;
  EXPECT_NE(second.received.find("\"aggregated\":\"" + model.reply + "\""), std::string::npos);
  EXPECT_EQ(model.specs.size(), 2U) << "the model was asked once";
}

TEST_F(ConversationServiceTest, AfterTenMinutesTheEventsAreGone) {
  const auto token = prepare();
  settle(service->open(kConversation, token, std::nullopt).value());
  clock.advance(9min);
  EXPECT_NE(service->open(kConversation, token, std::nullopt).value(), nullptr);
  clock.advance(2min);
  EXPECT_EQ(service->open(kConversation, token, std::nullopt).value(), nullptr);
}

TEST_F(ConversationServiceTest, WrongTokensAreNamed) {
  const auto token = prepare();
  const auto code = [&](const std::string& id, const std::string& one, std::optional<std::string_view> key = std::nullopt) {
    const auto live = service->open(id, one, key);
    return live ? std::string("ok") : std::string(to_string(live.error().code));
  };
  EXPECT_EQ(code(kConversation, "t_0"), "SESSION_NOT_FOUND");
  EXPECT_EQ(code("conv_other", token), "SESSION_MISMATCH");
  EXPECT_EQ(code(kConversation, token, "model-b"), "SESSION_MISMATCH");
  clock.advance(60s);
  EXPECT_EQ(code(kConversation, token), "SESSION_EXPIRED");
  EXPECT_TRUE(model.specs.empty());
}

TEST_F(ConversationServiceTest, AFailedTurnIsStoredAndCanBeTriedAgain) {
  model.failure = ErrorCode::ProviderUnavailable;
  const auto failed = service->open(kConversation, prepare(), std::nullopt).value();
  PlayedStream stream;
  EXPECT_TRUE(wait(read(failed, stream)));
  EXPECT_EQ(stream.names().back(), "response.error");
  settle(failed);
  EXPECT_EQ(wait(service->view(kConversation)).value().at("last_error").at("code"), "PROVIDER_UNAVAILABLE");
  model.failure.reset();
  const auto good = service->open(kConversation, prepare(), std::nullopt).value();
  settle(good);
  const auto view = wait(service->view(kConversation)).value();
  EXPECT_TRUE(view.at("last_error").is_null());
  EXPECT_EQ(view.at("turns").as_array().size(), 5U);
}

TEST_F(ConversationServiceTest, AFollowupIsOneWholeTurn) {
  const auto result = wait(service->follow_up(kConversation, turn("80 000 EUR"))).value();
  EXPECT_EQ(result.at("aggregated_text"), json::value(model.reply));
  EXPECT_EQ(result.at("enriched_intake").at("project_title"), "Bicycle shop");
  EXPECT_TRUE(std::string_view(result.at("enriched_prompt").as_string()).starts_with("Open a bicycle repair shop in Lyon\n\n- Ziel"));
  EXPECT_TRUE(std::string_view(result.at("response_id").as_string()).starts_with("resp_"));
  model.failure = ErrorCode::ModelRefused;
  EXPECT_EQ(code_of(wait(service->follow_up(kConversation, turn("More")))), "PROVIDER_ERROR");
  model.failure = ErrorCode::Timeout;
  EXPECT_EQ(code_of(wait(service->follow_up(kConversation, turn("More")))), "PROVIDER_TIMEOUT");
  model.failure.reset();
  EXPECT_EQ(code_of(wait(service->follow_up(kConversation, turn("More")))), "ok");
}

TEST_F(ConversationServiceTest, LaterTurnsNameTheirParent) {
  EXPECT_TRUE(wait(service->follow_up(kConversation, turn("80 000 EUR"))));
  model.specs.clear();
  EXPECT_TRUE(wait(service->follow_up(kConversation, turn("One year"))));
  const auto it = std::ranges::find_if(model.specs, [](const auto& spec) { return spec.schema.is_null(); });
  ASSERT_NE(it, model.specs.end());
  ASSERT_TRUE(it->parent);
  EXPECT_TRUE(it->parent->stored);
  EXPECT_TRUE(it->parent->response_id.starts_with("resp_"));
  EXPECT_EQ(it->parent->provider, "played");
}

TEST_F(ConversationServiceTest, FinalizeAsksOnlyWhenTheDraftIsOld) {
  EXPECT_EQ(wait(service->finalize(kConversation)).value().at("enriched_intake").at("scale"), "local");
  EXPECT_EQ(model.specs.size(), 1U);
  EXPECT_EQ(wait(service->finalize(kConversation)).value().at("json_chunks").as_array().size(), 1U);
  EXPECT_EQ(model.specs.size(), 1U) << "the draft is current";
  prepare("And a café");
  model.form_failure = ErrorCode::ProviderUnavailable;
  EXPECT_EQ(code_of(wait(service->finalize(kConversation))), "PROVIDER_ERROR");
  EXPECT_EQ(code_of(wait(service->finalize(kConversation))), "PROVIDER_ERROR") << "each one has ledger rows of its own";
  model.form_failure.reset();
  EXPECT_EQ(code_of(wait(service->finalize(kConversation))), "ok");
}

TEST_F(ConversationServiceTest, DeletionStopsARunningTurn) {
  model.hold = true;
  const auto token = prepare();
  const auto live = service->open(kConversation, token, std::nullopt).value();
  until([&] { return model.waits(); });
  EXPECT_TRUE(wait(service->remove(kConversation)));
  settle(live);
  EXPECT_EQ(live->log().name(live->log().last_id()), "response.error");
  EXPECT_FALSE(db.store->conversation(kConversation).value());
  EXPECT_EQ(wait(service->remove(kConversation)).error().code, ErrorCode::ConversationNotFound);
  EXPECT_EQ(service->open(kConversation, token, std::nullopt).error().code, ErrorCode::SessionNotFound);
  EXPECT_EQ(model.active(), 0U);
}

TEST_F(ConversationServiceTest, ARestartMakesItIdle) {
  model.hold = true;
  const auto live = service->open(kConversation, prepare(), std::nullopt).value();
  until([&] { return model.waits(); });
  restart();
  const auto view = wait(service->view(kConversation)).value();
  EXPECT_EQ(view.at("status"), "idle");
  EXPECT_EQ(view.at("last_error").at("code"), "SHUTTING_DOWN");
  EXPECT_EQ(view.at("turns").as_array().back().at("status"), "failed");
}

TEST_F(ConversationServiceTest, TheEndOfTheServerEndsARunningTurn) {
  model.hold = true;
  const auto token = prepare();
  const auto live = service->open(kConversation, token, std::nullopt).value();
  until([&] { return model.waits(); });
  EXPECT_EQ(service->running(), 1U);
  PlayedStream stream;
  service->stop();
  EXPECT_TRUE(wait(read(live, stream)));
  EXPECT_EQ(stream.names(), (Names{"response.created", "response.output_text.delta", "response.error"}));
  EXPECT_NE(stream.received.find("\"code\":\"SHUTTING_DOWN\""), std::string::npos);
  EXPECT_EQ(service->running(), 0U);
  EXPECT_EQ(model.active(), 0U) << "the calls are cancelled";
  EXPECT_EQ(db.row().status, "idle");
  EXPECT_EQ(db.row().last_error.at("code"), "SHUTTING_DOWN");
  const auto turn = db.turns().back();
  EXPECT_EQ(turn.status, "failed");
  EXPECT_EQ(turn.error.at("code"), "SHUTTING_DOWN");
  EXPECT_EQ(turn.text, "How ") << "what had come is kept";
}

TEST_F(ConversationServiceTest, TheEndOfTheServerRefusesWhatIsNew) {
  const auto token = prepare();
  service->stop();
  EXPECT_EQ(service->open(kConversation, token, std::nullopt).error().code, ErrorCode::ShuttingDown);
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, turn("More")))), "SHUTTING_DOWN");
  EXPECT_EQ(code_of(wait(service->follow_up(kConversation, turn("More")))), "SHUTTING_DOWN");
  EXPECT_EQ(code_of(wait(service->finalize(kConversation))), "SHUTTING_DOWN");
  analyses->stop();
  EXPECT_EQ(code_of(analyses->prepare(json::parse(R"({"task_id":"risk","model_key":"model-a","prompt":"Q"})"))), "SHUTTING_DOWN");
  EXPECT_TRUE(model.specs.empty());
}

TEST_F(ConversationServiceTest, TheEndOfTheServerEndsATurnThatHasNotBegun) {
  const auto live = service->open(kConversation, prepare(), std::nullopt).value();
  service->stop();  // while the dialogue is read
  EXPECT_EQ(service->running(), 1U);
  settle(live);
  EXPECT_EQ(service->running(), 0U);
  EXPECT_EQ(live->log().name(live->log().last_id()), "response.error");
  EXPECT_EQ(db.turns().back().error.at("code"), "SHUTTING_DOWN");
  EXPECT_EQ(model.active(), 0U);
}

TEST_F(ConversationServiceTest, TheEndOfTheServerAnswersAFollowup) {
  model.hold = true;
  std::optional<Result<json::object>> answer;
  begin(service->follow_up(kConversation, turn("More")), answer);
  until([&] { return model.waits(); });
  service->stop();
  until([&] { return answer.has_value(); });
  EXPECT_EQ(code_of(*answer), "SHUTTING_DOWN");
}

TEST_F(ConversationServiceTest, TheEndOfTheServerEndsAnAnalysis) {
  model.hold = true;
  const auto session = analyses->prepare(json::parse(R"({"task_id":"risk","model_key":"model-a","prompt":"Q"})")).value();
  const auto live = analyses->open("risk", "model-a", std::string(session.at("session_id").as_string())).value();
  until([&] { return model.waits(); });
  EXPECT_EQ(analyses->running(), 1U);
  analyses->stop();
  settle(live);
  EXPECT_EQ(analyses->running(), 0U);
  EXPECT_EQ(live->log().name(live->log().last_id()), "stream.error");
  EXPECT_NE(live->log().data(live->log().last_id()).find("SHUTTING_DOWN"), std::string_view::npos);
  EXPECT_EQ(model.active(), 0U);
}

TEST_F(ConversationServiceTest, ARunWithoutItsServiceEndsQuietly) {
  model.hold = true;
  const auto live = service->open(kConversation, prepare(), std::nullopt).value();
  until([&] { return model.waits(); });
  const std::weak_ptr<ConversationService> gone = service;
  service.reset();
  EXPECT_TRUE(gone.expired()) << "nothing keeps a service that nobody uses";
  model.go_on();
  settle(live);
  EXPECT_EQ(db.turns().back().status, "completed") << "who still holds the run sees its end stored";
}

TEST_F(ConversationServiceTest, TheModelChangesBetweenTurnsOnly) {
  no_provider = false;
  llm::ModelEntry entry;
  entry.id = "model-c";
  catalogue.models.push_back(entry);
  const json::object wish{{"model_key", "model-c"}, {"conversation_id", kConversation}};
  model.hold = true;
  const auto live = service->open(kConversation, prepare(), std::nullopt).value();
  until([&] { return model.waits(); });
  EXPECT_EQ(wait(service->create(wish)).value().at("model_key"), "model-a") << "the running turn keeps its model";
  model.go_on();
  settle(live);
  EXPECT_EQ(db.row().model_key, "model-a");
  EXPECT_EQ(db.row().status, "idle");
  EXPECT_FALSE(db.row().draft_intake.is_null());
  EXPECT_EQ(wait(service->create(wish)).value().at("model_key"), "model-c");
  EXPECT_EQ(db.row().model_key, "model-c");
  EXPECT_FALSE(db.row().draft_intake.is_null()) << "nothing else changes";
  // The end of a form that was asked for before takes nothing back.
  prepare("More");
  model.hold = true;
  std::optional<Result<json::object>> answer;
  begin(service->finalize(kConversation), answer);
  until([&] { return model.waits(); });
  db.commit({store::SetConversation{kConversation, std::nullopt, "model-a"}});
  model.go_on();
  until([&] { return answer.has_value(); });
  EXPECT_EQ(db.row().model_key, "model-a");
}

TEST_F(ConversationServiceTest, WithAnotherProcessOnlyAnOldTurnIsTakenForLost) {
  services.exclusive = false;
  auto row = db.row();
  row.status = "running";
  row.updated_at = clock.now();
  db.commit({store::PutConversation{row}});
  EXPECT_EQ(wait(service->view(kConversation)).value().at("status"), "running");
  EXPECT_EQ(code_of(wait(service->prepare(kConversation, turn("Hello")))), "CONVERSATION_BUSY");
  clock.advance(1h);
  EXPECT_EQ(wait(service->view(kConversation)).value().at("status"), "idle");
}

TEST_F(ConversationServiceTest, APlanMadeMeanwhileIsKept) {
  model.hold = true;
  const auto live = service->open(kConversation, prepare(), std::nullopt).value();
  until([&] { return model.waits(); });
  store::PlanRow plan;
  plan.plan_id = "PlanExe_1";
  plan.prompt = "x";
  plan.created_at = plan.updated_at = db.start;
  ASSERT_TRUE(db.store->commit(store::Transaction{"PlanExe_1", std::nullopt, {store::CreatePlan{plan, {}, {}}}, "t"}).ok());
  db.commit({store::SetConversation{kConversation, "PlanExe_1", std::nullopt}});
  model.go_on();
  settle(live);
  EXPECT_EQ(db.row().plan_id, "PlanExe_1");
  EXPECT_EQ(db.row().status, "idle");
}

TEST_F(ConversationServiceTest, AnalysesArePreparedStreamedAndContinued) {
  const json::value body = json::parse(R"({"task_id":"risk","model_key":"model-a","prompt":"Name risks."})");
  const auto session = analyses->prepare(body).value();
  EXPECT_EQ(session.at("session_id"), session.at("sessionId"));
  EXPECT_EQ(session.at("ttl_seconds"), 45);
  const std::string id(session.at("session_id").as_string());
  EXPECT_EQ(analyses->open("other", "model-a", id).error().code, ErrorCode::SessionMismatch);
  const auto live = analyses->open("risk", "model-a", id).value();
  PlayedStream stream;
  EXPECT_TRUE(wait(read(live, stream)));
  EXPECT_EQ(stream.names().front(), "stream.init");
  EXPECT_EQ(stream.names().back(), "stream.complete");
  settle(live);

  auto next = body;
  next.as_object()["previous_response_id"] = "resp_1";
  const std::string second(analyses->prepare(next).value().at("session_id").as_string());
  settle(analyses->open("risk", "model-a", second).value());
  ASSERT_TRUE(model.specs.back().parent);
  EXPECT_EQ(model.specs.back().parent->response_id, "resp_1");

  const std::string late(analyses->prepare(body).value().at("session_id").as_string());
  clock.advance(45s);
  EXPECT_EQ(analyses->open("risk", "model-a", late).error().code, ErrorCode::SessionExpired);
  clock.advance(11min);
  EXPECT_EQ(analyses->open("risk", "model-a", id).value(), nullptr);
}

}  // namespace
}  // namespace planexe::server::test
