// The rehearsal server without sockets: routes, scripts, counters, usage, pace.
#include <gtest/gtest.h>

#include "rehearsal/random_fault.hpp"
#include "rehearsal/reply.hpp"
#include "rehearsal/service.hpp"

namespace planexe::rehearsal {
namespace {

using std::chrono::milliseconds;

class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(ServiceOptions options = {}) : service_(options, AnswerBook(std::make_shared<const recipe::Recipe>())) {}

  WirePlan handle(std::string method, std::string target, const json::value& body = nullptr, Headers headers = {}) {
    return service_.handle({std::move(method), std::move(target), body.is_null() ? "" : to_json(body), std::move(headers)}, {steady_, TimePoint{}});
  }
  /// Status, body and everything that is written.
  struct Seen {
    int status = 0;
    std::string bytes, body;
    milliseconds time{0};
  };
  static Seen play(const WirePlan& plan) {
    Seen seen;
    for (const auto& step : plan.steps) {
      seen.bytes += step.bytes;
      seen.time += step.duration;
    }
    if (seen.bytes.size() > 12) seen.status = std::atoi(seen.bytes.c_str() + 9);
    const auto end = seen.bytes.find("\r\n\r\n");
    if (end != std::string::npos) seen.body = seen.bytes.substr(end + 4);
    if (plan.at_end) plan.at_end(true);
    return seen;
  }
  Seen ask(json::object body = {{"model", "m"}, {"input", "Name one risk"}}) { return play(handle("POST", "/v1/responses", body)); }
  static json::object asking(std::string call, std::string attempt = "1") {
    return {{"model", "m"}, {"input", "x"}, {"metadata", json::object{{"call", call}, {"attempt", attempt}}}};
  }
  void script(const char* text) { ASSERT_TRUE(service_.scripts().add(json::parse(text)).has_value()); }

  SteadyTime steady_{std::chrono::hours(1)};
  Service service_;
};

TEST_F(ServiceTest, AnswersAndKeeps) {
  const auto seen = ask();
  EXPECT_EQ(seen.status, 200);
  const auto response = json::parse(seen.body);
  EXPECT_EQ(response.at("status"), "completed");
  const std::string id(response.at("id").as_string());
  EXPECT_EQ(json::parse(play(handle("GET", "/v1/responses/" + id)).body).at("output"), response.at("output"));
  EXPECT_EQ(play(handle("DELETE", "/v1/responses/" + id)).status, 200);
  EXPECT_EQ(play(handle("GET", "/v1/responses/" + id)).status, 404);
}

TEST_F(ServiceTest, NotStoredIsNotFound) {
  const auto response = json::parse(ask({{"model", "m"}, {"input", "x"}, {"store", false}}).body);
  EXPECT_EQ(play(handle("GET", "/v1/responses/" + std::string(response.at("id").as_string()))).status, 404);
}

TEST_F(ServiceTest, BadRequestsNameTheirParameter) {
  EXPECT_EQ(play(service_.handle({"POST", "/v1/responses", "{", {}}, {steady_, TimePoint{}})).status, 400);
  EXPECT_EQ(json::parse(ask({{"input", "x"}}).body).at("error").at("param"), "model");
  EXPECT_EQ(json::parse(ask({{"model", "m"}}).body).at("error").at("param"), "input");
  EXPECT_EQ(json::parse(ask({{"model", "m"}, {"input", 7}}).body).at("error").at("param"), "input");
  EXPECT_EQ(json::parse(ask({{"model", "m"}, {"input", "x"}, {"max_output_tokens", 3}}).body).at("error").at("param"), "max_output_tokens");
  EXPECT_EQ(json::parse(ask({{"model", "m"}, {"input", "x"}, {"previous_response_id", "resp_no"}}).body).at("error").at("code"), "previous_response_not_found");
  EXPECT_EQ(play(handle("GET", "/v1/nothing")).status, 404);
}

TEST_F(ServiceTest, CountsPerCall) {
  ask(asking("task/main/1"));
  ask(asking("task/main/1", "2"));
  const auto plan = handle("POST", "/v1/responses", asking("task/main/1", "3"));
  plan.at_end(false);
  const auto& count = service_.journal().calls().at("task/main/1");
  EXPECT_EQ(count.received, 3);
  EXPECT_EQ(count.completed, 2);
  EXPECT_EQ(count.attempts, 3);
  EXPECT_EQ(service_.journal().counters().at("running"), 0);
}

TEST_F(ServiceTest, ConcurrencyHighWaterMark) {
  std::vector<WirePlan> plans;
  for (int i = 0; i < 5; ++i) plans.push_back(handle("POST", "/v1/responses", asking("t/main/1")));
  for (auto& plan : plans) plan.at_end(true);
  ask();
  EXPECT_EQ(service_.journal().counters().at("running_max"), 5);
}

TEST_F(ServiceTest, AssertionsSeeWhatClientsMustNotDo) {
  handle("POST", "/v1/responses", json::object{{"model", "m"}, {"input", "key sk-0123456789"}}, {{"authorization", "Bearer sk-0123456789"}});
  EXPECT_EQ(service_.journal().assertion_failures(), 1);
  const auto parent = json::parse(ask().body);
  ask({{"model", "m"}, {"previous_response_id", parent.at("id")},
       {"input", json::array{json::object{{"role", "assistant"}, {"content", "before"}}, json::object{{"role", "user"}, {"content", "x"}}}}});
  EXPECT_EQ(service_.journal().assertion_failures(), 2);
  play(handle("POST", "/control/stop"));
  ask();
  EXPECT_EQ(service_.journal().assertion_failures(), 3);
  play(handle("POST", "/control/reset"));
  EXPECT_EQ(service_.journal().assertion_failures(), 0);
}

TEST_F(ServiceTest, KeysAreMaskedInTheKeptRequests) {
  handle("GET", "/v1/models", nullptr, {{"authorization", "Bearer sk-0123456789"}});
  const auto kept = play(handle("GET", "/control/requests")).body;
  EXPECT_EQ(kept.find("sk-0123456789"), std::string::npos);
  EXPECT_NE(kept.find("/v1/models"), std::string::npos);
}

TEST_F(ServiceTest, ScriptsMatchCountAndEnd) {
  script(R"({"match":{"task":"a"},"repeat":2,"steps":[{"status":500},{"status":503}]})");
  script(R"({"match":{"call":"b/main/1","nth":2},"steps":[{"status":429}]})");
  const auto status = [&](const char* call) { return ask(asking(call)).status; };
  EXPECT_EQ(status("c/main/1"), 200);
  EXPECT_EQ(status("a/main/1"), 500);
  EXPECT_EQ(status("a/other/1"), 503);
  EXPECT_EQ(status("a/main/1"), 500);
  EXPECT_EQ(status("a/main/1"), 503);
  EXPECT_EQ(status("a/main/1"), 200);
  EXPECT_EQ(status("b/main/1"), 200);
  EXPECT_EQ(status("b/main/1"), 429);
  EXPECT_EQ(status("b/main/1"), 200);
}

TEST_F(ServiceTest, ScriptsThatMakeNoSenseAreRefused) {
  for (const char* text : {"[]", "{}", R"({"steps":[]})", R"({"steps":[{"status":42}]})", R"({"steps":[{"stauts":500}]})", R"({"steps":[{"connection":"maybe"}]})",
                           R"({"steps":[{"answer":"odd"}]})", R"({"steps":[{"delay":{"headers":-1}}]})", R"({"match":{"who":"x"},"steps":[{}]})", R"({"repeat":-2,"steps":[{}]})"}) {
    const auto seen = play(handle("POST", "/control/scripts", json::parse(text)));
    EXPECT_EQ(seen.status, 400) << text;
    EXPECT_NE(seen.body.find("Script:"), std::string::npos) << text;
  }
}

TEST_F(ServiceTest, CachedTokensComeInStepsFrom1024) {
  const auto usage = [&](const std::string& a, const std::string& b) {
    const auto part = [](const std::string& text) { return json::object{{"type", "input_text"}, {"text", text}}; };
    const json::array input{json::object{{"role", "user"}, {"content", json::array{part(a), part(b)}}}};
    return json::parse(ask({{"model", "m"}, {"input", input}}).body).at("usage").at("input_tokens_details").at("cached_tokens").as_int64();
  };
  const std::string shared(5'000, 'a');   // 1250 tokens
  EXPECT_EQ(usage(shared, "one"), 0);
  EXPECT_EQ(usage(shared, "two"), 1'152);
  EXPECT_EQ(usage("b" + shared, "two"), 0);
  EXPECT_EQ(usage("short", "x"), 0);
  EXPECT_EQ(usage("short", "x"), 0);
}

TEST_F(ServiceTest, ChildrenHaveTheirParentsText) {
  const auto parent = json::parse(ask({{"model", "m"}, {"input", std::string(4'000, 'x')}}).body);
  const auto child = json::parse(ask({{"model", "m"}, {"input", "more"}, {"previous_response_id", parent.at("id")}}).body);
  EXPECT_GE(child.at("usage").at("input_tokens").as_int64(), 1'001);
}

struct SlowServiceTest : ServiceTest {
  static ServiceOptions slow() {
    ServiceOptions options;
    options.pace.headers = milliseconds(100);
    options.pace.first_event = milliseconds(400);
    return options;
  }
  SlowServiceTest() : ServiceTest(slow()) {}
};

TEST_F(SlowServiceTest, BackgroundGoesThroughItsStates) {
  auto body = asking("t/main/1");
  body["background"] = true;
  const auto made = json::parse(ask(body).body);
  EXPECT_EQ(made.at("status"), "queued");
  const auto target = "/v1/responses/" + std::string(made.at("id").as_string());
  const auto status = [&] { return json::parse(play(handle("GET", target)).body).at("status"); };
  steady_ += milliseconds(150);
  EXPECT_EQ(status(), "in_progress");
  steady_ += milliseconds(400);
  EXPECT_EQ(status(), "completed");
  EXPECT_EQ(service_.journal().calls().at("t/main/1").fetched, 2);
}

TEST_F(SlowServiceTest, StreamsTakeTheirTime) {
  auto body = asking("t/main/1");
  body["stream"] = true;
  const auto seen = ask(body);
  EXPECT_EQ(seen.time, milliseconds(500));
  EXPECT_TRUE(seen.bytes.ends_with("0\r\n\r\n"));
}

TEST_F(SlowServiceTest, ContinuationSkipsWhatWasSeen) {
  auto body = asking("t/main/1");
  body["background"] = body["stream"] = true;
  const auto first = ask(body).bytes;
  const auto at = first.find("resp_");
  const auto target = "/v1/responses/" + first.substr(at, 37) + "?stream=true&starting_after=2";
  const auto rest = play(handle("GET", target)).bytes;
  EXPECT_EQ(rest.find("\"sequence_number\":2,"), std::string::npos);
  EXPECT_NE(rest.find("\"sequence_number\":3,"), std::string::npos);
  EXPECT_NE(rest.find("response.completed"), std::string::npos);
}

TEST(RehearsalWire, EventsAreNumberedAndTheTextIsWhole) {
  Request request;
  Answer answer;
  answer.id = "resp_1";
  answer.text = "Größe — 霜 and more";
  answer.reasoning = "thinking";
  const auto events = response_events(request, answer, 3);
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].data.at("sequence_number").as_int64(), static_cast<std::int64_t>(i));
    if (events[i].type == "response.output_text.delta") text += std::string(events[i].data.at("delta").as_string());
  }
  EXPECT_EQ(text, answer.text);
  EXPECT_EQ(events.front().type, "response.created");
  EXPECT_EQ(events.back().type, "response.completed");
}

TEST(RehearsalWire, CutWritesKeepEveryByte) {
  WirePlan plan;
  plan.write("abcdefgh");
  plan.wait(milliseconds(5));
  plan.write("ij");
  const auto cut = cut_writes(plan, {1, 3});
  std::string all;
  for (const auto& step : cut.steps) all += step.bytes;
  EXPECT_EQ(all, "abcdefghij");
  EXPECT_EQ(cut.steps[0].bytes, "a");
  EXPECT_EQ(cut.steps[1].bytes, "bcd");
}

TEST(RehearsalWire, QueriesAndHeaders) {
  const HttpRequest request{"GET", "/v1/responses/x?stream=true&starting_after=7", "", {{"accept", "y"}}};
  EXPECT_EQ(request.path(), "/v1/responses/x");
  EXPECT_EQ(request.query("stream"), "true");
  EXPECT_EQ(request.query("starting_after"), "7");
  EXPECT_EQ(request.query("other"), "");
  EXPECT_EQ(request.header("accept"), "y");
}

TEST(RehearsalFaults, AreAFunctionOfSeedAndKey) {
  int hits = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto key = "task/" + std::to_string(i) + "#1";
    const auto one = random_fault(0.1, 42, key), two = random_fault(0.1, 42, key);
    ASSERT_EQ(one.has_value(), two.has_value());
    if (one) ++hits;
    if (one) EXPECT_EQ(one->connection + one->answer, two->connection + two->answer);
  }
  EXPECT_GT(hits, 140);
  EXPECT_LT(hits, 260);
  EXPECT_FALSE(random_fault(0, 42, "x").has_value());
}

TEST(RehearsalFaults, PaceDependsOnTheCallAndNotOnTheOrder) {
  const auto base = *pace_of_profile("realistic");
  EXPECT_EQ(pace_of_answer(base, 1, "a").first_event, pace_of_answer(base, 1, "a").first_event);
  EXPECT_NE(pace_of_answer(base, 1, "a").first_event, pace_of_answer(base, 1, "b").first_event);
  EXPECT_FALSE(pace_of_profile("slow").has_value());
}

TEST(RehearsalStore, OldResponsesGoFirst) {
  ResponseStore store;
  const auto request = std::make_shared<Request>();
  for (std::size_t i = 0; i < ResponseStore::kResponsesMax + 10; ++i) {
    StoredResponse response;
    response.request = request;
    response.answer.id = "resp_" + std::to_string(i);
    store.put(std::move(response));
  }
  EXPECT_EQ(store.size(), ResponseStore::kResponsesMax);
  EXPECT_EQ(store.find("resp_9"), nullptr);
  EXPECT_NE(store.find("resp_10"), nullptr);
}

}  // namespace
}  // namespace planexe::rehearsal
