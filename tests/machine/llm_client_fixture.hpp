#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "llm/client.hpp"
#include "llm_server.hpp"

namespace planexe::llm::test {

/// Keeps everything a client tells its host.
struct RecordingHost : CallHost {
  std::vector<AttemptStart> starts;
  std::vector<AttemptRecord> records;
  std::vector<std::pair<int, std::string>> response_ids;
  std::string text, reasoning;
  std::map<int, std::string> text_by_attempt;
  std::vector<std::chrono::steady_clock::time_point> delta_times;
  std::optional<CallOutcome> outcome;
  std::chrono::steady_clock::time_point finished_at;
  int finished_count = 0;
  std::function<void(const AttemptStart&, std::function<void(bool, ErrorCode)>)> gate;
  std::function<bool()> takes_deltas;

  void attempt_ready(const AttemptStart& start, std::function<void(bool, ErrorCode)> go) override {
    starts.push_back(start);
    if (gate) {
      gate(start, std::move(go));
    } else {
      go(true, ErrorCode::Internal);
    }
  }
  void response_id(int attempt, const std::string& id) override { response_ids.emplace_back(attempt, id); }
  void text_delta(int attempt, std::string_view delta) override {
    text += delta;
    text_by_attempt[attempt] += delta;
    delta_times.push_back(std::chrono::steady_clock::now());
  }
  void reasoning_delta(int, std::string_view delta) override { reasoning += delta; }
  void attempt_ended(const AttemptRecord& record) override { records.push_back(record); }
  void finished(CallOutcome result) override {
    outcome = std::move(result);
    finished_at = std::chrono::steady_clock::now();
    ++finished_count;
  }
  bool wants_deltas() override { return !takes_deltas || takes_deltas(); }
};

inline json::value test_schema() {
  return json::parse(R"({"type":"object","properties":{"risk":{"type":"string","description":"One risk"}},
                         "required":["risk"],"additionalProperties":false})");
}

/// Accepts an object whose "risk" is a text that is not "bad".
inline Judge risk_judge() {
  return [](std::string_view text, const json::array&, bool) {
    Judgement judgement;
    const auto parsed = parse_json(text);
    const auto risk = parsed ? get_string(*parsed, "risk") : std::nullopt;
    if (risk && *risk != "bad") {
      judgement.accepted = true;
      judgement.value = *parsed;
    } else {
      judgement.error = "/risk: a text is wanted";
      judgement.feedback = "Fix these: /risk: a text is wanted";
    }
    return judgement;
  };
}

/// A client against scripted servers, with short timers.
class ClientTest : public testing::Test {
 protected:
  ClientTest() : random_(7) {
    settings_.backoff_base = std::chrono::milliseconds(5);
    settings_.backoff_max = std::chrono::milliseconds(20);
    settings_.backoff_rate_limited_max = std::chrono::milliseconds(40);
    settings_.server_delay_extra_max = std::chrono::milliseconds(2);
    settings_.poll_first = std::chrono::milliseconds(10);
    settings_.poll_max = std::chrono::milliseconds(20);
    settings_.breaker_open_first = std::chrono::milliseconds(60);
    settings_.breaker_open_max = std::chrono::milliseconds(400);
    settings_.drain_timeout = std::chrono::milliseconds(200);
    settings_.delta_interval = std::chrono::milliseconds(1);
  }

  ~ClientTest() override { client_.reset(); }

  ScriptedServer& serve(ScriptedServer::Script script) {
    servers_.push_back(std::make_unique<ScriptedServer>(context_, std::move(script)));
    return *servers_.back();
  }

  /// An entry like OpenAI's on a scripted server.
  ModelEntry& add_model(const std::string& id, const std::string& base_url) {
    Catalogue made = rehearsal_catalogue(base_url);
    ModelEntry entry = made.models.front();
    entry.id = id;
    entry.model = id;
    entry.priority = static_cast<int>(catalogue_.models.size());
    entry.provider = "rehearsal";
    entry.api_key_env = "TEST_KEY";
    entry.price = Price{1'000'000, 100'000, -1, 2'000'000, "test"};
    catalogue_.models.push_back(entry);
    return catalogue_.models.back();
  }

  ModelClient& client() {
    if (!client_) {
      ClientOptions options;
      options.catalogue = catalogue_;
      options.prices = PriceTable::embedded();
      options.settings = settings_;
      options.store_responses = store_;
      options.max_concurrent = max_concurrent_;
      options.ca_file = ca_file_;
      options.secret = [this](const std::string& name) {
        const auto at = secrets_.find(name);
        return at == secrets_.end() ? std::string() : at->second;
      };
      if (!payload_log_.empty()) {
        options.log_payloads = true;
        options.payload_log_path = payload_log_;
      }
      auto made = make_model_client(context_.get_executor(), std::move(options), clock_, random_);
      EXPECT_TRUE(made.has_value());
      client_ = std::move(*made);
    }
    return *client_;
  }

  static CallSpec spec(const std::string& key = "plan/one/main") {
    CallSpec spec;
    spec.plan_id = "plan-1";
    spec.task_key = "one";
    spec.call_key = key;
    spec.schema_name = "one_main";
    spec.schema = test_schema();
    spec.messages = {Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::user, {"Plan block", "Name one risk"}}};
    spec.effort = "low";
    spec.cache_key = "p9";
    return spec;
  }

  std::shared_ptr<RecordingHost> start(CallSpec call, Judge judge = risk_judge()) {
    auto host = std::make_shared<RecordingHost>();
    last_id_ = client().start(std::move(call), std::move(judge), host);
    return host;
  }

  /// Runs the loop until the condition holds; fails the test when it does not within the time.
  void run_until(const std::function<bool()>& condition, int ms = 5'000) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    context_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) context_.run_one_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(condition()) << "not within " << ms << " ms";
  }

  void run_for(int ms) { 
    context_.restart();
    context_.run_for(std::chrono::milliseconds(ms));
  }

  std::shared_ptr<RecordingHost> ask(CallSpec call = spec(), Judge judge = risk_judge(), int ms = 5'000) {
    auto host = start(std::move(call), std::move(judge));
    run_until([&] { return host->outcome.has_value(); }, ms);
    return host;
  }

  asio::io_context context_;
  std::vector<std::unique_ptr<ScriptedServer>> servers_;
  ClientSettings settings_;
  Catalogue catalogue_;
  SystemClock clock_;
  Random random_;
  std::map<std::string, std::string> secrets_{{"TEST_KEY", "sk-test-0123456789abcdef"}};
  bool store_ = true;
  int max_concurrent_ = 64;
  std::string ca_file_, payload_log_;
  CallId last_id_ = 0;
  std::unique_ptr<ModelClient> client_;
};

}  // namespace planexe::llm::test
