#pragma once

#include <gtest/gtest.h>

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

/// Conversations and analyses as the handlers see them: a real database, an event loop, a model that the test plays.
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
  /// Begins what goes on for a while; `answer` is set at its end.
  void begin(ConversationService::Reply work, std::optional<Result<json::object>>& answer) {
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr, Result<json::object> given) { answer = std::move(given); });
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
inline const Names kGoodTurn{"response.created", "response.output_text.delta", "response.output_text.delta", "response.output_json.delta",
                      "response.completed", "final"};

inline Names sorted(Names names) {
  std::ranges::sort(names);
  return names;
}

}  // namespace planexe::server::test
