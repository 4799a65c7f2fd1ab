// Conversations and analyses as the handlers see them: a real database, an event loop, a model that the test plays.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <deque>

#include "server/client_stream.hpp"
#include "server/conversation/analysis_service.hpp"
#include "server/conversation/conversation_service.hpp"
#include "server/conversation/follow.hpp"
#include "server_conversation_support.hpp"

namespace planexe::server::test {
namespace {

namespace asio = boost::asio;

/// Answers every call at once, or when the test says so.
class PlayedModel final : public llm::ModelClient {
 public:
  explicit PlayedModel(asio::any_io_executor loop) : loop_(std::move(loop)) {}

  llm::CallId start(llm::CallSpec spec, llm::Judge judge, std::shared_ptr<llm::CallHost> host) override {
    const auto id = ++last_;
    calls_[id] = {std::move(spec), std::move(judge), std::move(host)};
    specs.push_back(calls_[id].spec);
    asio::post(loop_, [this, id] { announce(id); });
    return id;
  }
  void cancel(llm::CallId id) override {
    asio::post(loop_, [this, id] { end(id, std::nullopt, Error(ErrorCode::Cancelled, "stopped")); });
  }
  [[nodiscard]] std::size_t active() const override { return calls_.size(); }
  void shut_down() override {}

  /// Calls that were let go and wait for the test.
  void go_on() {
    hold = false;
    for (const auto id : std::exchange(waiting_, {})) answer(id);
  }

  std::vector<llm::CallSpec> specs;
  std::string reply = "How much money is there?";
  std::optional<ErrorCode> failure;
  std::optional<ErrorCode> form_failure;
  bool hold = false;
  [[nodiscard]] bool waits() const { return !waiting_.empty(); }

 private:
  struct Call {
    llm::CallSpec spec;
    llm::Judge judge;
    std::shared_ptr<llm::CallHost> host;
  };

  void announce(llm::CallId id) {
    if (!calls_.contains(id)) return;
    llm::AttemptStart start;
    start.model = "model-a";
    start.provider = "played";
    calls_[id].host->attempt_ready(start, [this, id](bool go, ErrorCode refusal) {
      asio::post(loop_, [this, id, go, refusal] {
        if (!go) return end(id, std::nullopt, Error(refusal, "refused"), false);
        if (!calls_.contains(id)) return;
        calls_[id].host->response_id(1, "resp_" + std::to_string(id));
        if (calls_[id].spec.schema.is_null()) calls_[id].host->text_delta(1, reply.substr(0, 4));
        if (hold) waiting_.push_back(id);
        else answer(id);
      });
    });
  }
  void answer(llm::CallId id) {
    if (!calls_.contains(id)) return;
    const bool form = !calls_[id].spec.schema.is_null();
    if (const auto code = form ? form_failure : failure) return end(id, std::nullopt, Error(*code, "failed"));
    if (!form) calls_[id].host->text_delta(1, reply.substr(4));
    end(id, form ? form_answer() : reply, std::nullopt);
  }
  void end(llm::CallId id, std::optional<std::string> text, std::optional<Error> error, bool sent = true) {
    const auto it = calls_.find(id);
    if (it == calls_.end()) return;
    const auto call = std::move(it->second);
    calls_.erase(it);
    if (sent) {
      llm::AttemptRecord record;
      record.status = text ? "completed" : "failed";
      record.model = "model-a";
      record.provider = "played";
      record.text = text.value_or("");
      record.response_id = "resp_" + std::to_string(id);
      record.error = error;
      call.host->attempt_ended(record);
    }
    llm::CallOutcome outcome;
    outcome.ok = text.has_value();
    outcome.error = std::move(error);
    outcome.model = "model-a";
    outcome.provider = "played";
    outcome.stored = true;
    outcome.response_id = "resp_" + std::to_string(id);
    if (text) outcome.value = call.judge(*text, {}, true).value;
    call.host->finished(std::move(outcome));
  }

  asio::any_io_executor loop_;
  std::map<llm::CallId, Call> calls_;
  std::vector<llm::CallId> waiting_;
  llm::CallId last_ = 0;
};

class PlayedStream final : public ClientStream {
 public:
  asio::awaitable<bool> begin_events(std::vector<std::pair<std::string, std::string>>) override { co_return !closed_; }
  asio::awaitable<bool> write(std::string bytes) override {
    if (closed_) co_return false;
    received += bytes;
    if (leave_after && received.find(*leave_after) != std::string::npos) leave();
    co_return true;
  }
  [[nodiscard]] bool closed() const override { return closed_; }
  void on_close(std::function<void()> wake) override { wake_ = std::move(wake); }
  void leave() {
    closed_ = true;
    if (wake_) wake_();
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> list;
    constexpr std::string_view kMark = "event: ";
    for (auto at = received.find(kMark); at != std::string::npos; at = received.find(kMark, at + 1))
      list.push_back(received.substr(at + kMark.size(), received.find('\n', at) - at - kMark.size()));
    return list;
  }

  std::string received;
  std::optional<std::string> leave_after;

 private:
  bool closed_ = false;
  std::function<void()> wake_;
};

class ConversationServiceTest : public ::testing::Test {
 protected:
  ConversationServiceTest() : model(loop.get_executor()), random(7) {
    llm::ModelEntry entry;
    entry.id = "model-a";
    catalogue.models.push_back(entry);
    entry.id = "model-b";
    catalogue.models.push_back(entry);
    services.loop = loop.get_executor();
    services.pool = &pool;
    services.store = db.store.get();
    services.client = &model;
    services.catalogue = &catalogue;
    services.why_unavailable = [this](const llm::ModelEntry& one) { return one.id == "model-b" || no_provider ? "no key" : ""; };
    services.clock = &clock;
    services.random = &random;
    services.settings = &settings;
    services.exclusive = true;
    restart();
  }
  ~ConversationServiceTest() override {
    pool.join();
    loop.poll();
  }

  void restart() {
    service = std::make_shared<ConversationService>(services);
    analyses = std::make_shared<AnalysisService>(services);
  }
  /// Turns the loop until the work is done.
  template <class T>
  T wait(asio::awaitable<T> work) {
    std::optional<T> result;
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr failure, T value) {
      if (failure) std::rethrow_exception(failure);
      result.emplace(std::move(value));
    });
    until([&] { return result.has_value(); });
    return std::move(*result);
  }
  void until(const std::function<bool()>& done) {
    while (!done())
      if (loop.run_one_for(10s) == 0) FAIL() << "nothing happens";
  }
  asio::awaitable<bool> read(std::shared_ptr<LiveRun> live, PlayedStream& stream, std::int64_t after = 0) {
    co_await follow(services, std::move(live), stream, after, true);
    co_return true;
  }
  static json::value turn(const std::string& text, const std::string& model_key = "model-a") {
    return json::object{{"model_key", model_key}, {"user_message", text}};
  }
  std::string prepare(const std::string& text = "80 000 EUR") {
    const auto session = wait(service->prepare(kConversation, turn(text)));
    EXPECT_TRUE(session) << to_string(session.error());
    return session ? std::string(session->at("token").as_string()) : "";
  }
  std::string code_of(const Result<json::object>& result) { return result ? "ok" : std::string(to_string(result.error().code)); }
  /// Lets what was begun come to its end.
  void settle(const std::shared_ptr<LiveRun>& live) { until([&] { return live->over(); }); }

  asio::io_context loop;
  asio::executor_work_guard<asio::io_context::executor_type> guard = asio::make_work_guard(loop);
  asio::thread_pool pool{2};
  ConversationStore db;
  PlayedModel model;
  llm::Catalogue catalogue;
  FixedClock clock{*parse_iso("2031-03-01T09:00:00Z"), FixedClock::Steady::follow};
  Random random;
  ServerSettings settings;
  bool no_provider = false;
  Services services;
  std::shared_ptr<ConversationService> service;
  std::shared_ptr<AnalysisService> analyses;
};

using Names = std::vector<std::string>;
const Names kGoodTurn{"response.created", "response.output_text.delta", "response.output_text.delta", "response.output_json.delta",
                      "response.completed", "final"};

Names sorted(Names names) {
  std::ranges::sort(names);
  return names;
}

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
  asio::co_spawn(loop, service->follow_up(kConversation, turn("More")), [&](std::exception_ptr, Result<json::object> given) { answer = std::move(given); });
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
  asio::co_spawn(loop, service->finalize(kConversation), [&](std::exception_ptr, Result<json::object> given) { answer = std::move(given); });
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
