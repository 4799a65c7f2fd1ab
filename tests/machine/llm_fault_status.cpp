// The faults that a provider reports: statuses, error bodies, error events, delays.
#include "llm_machine_harness.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr auto kGood = R"({"risk":"Frost"})";

milliseconds waited(const Harness& h, std::size_t request) {
  return std::chrono::duration_cast<milliseconds>(h.sent_at.at(request) - h.sent_at.at(request - 1));
}

TEST(LlmFault, DelaysOfTheServerAreMinimums) {
  struct Case {
    HeaderMap headers;
    std::string message;
    int min_ms, max_ms;
  };
  const std::vector<Case> cases{
      {{{"retry-after", "2"}}, "", 2'000, 2'250},
      {{{"retry-after", "0.5"}}, "", 500, 750},
      {{{"retry-after-ms", "300"}, {"retry-after", "9"}}, "", 300, 550},
      {{{"retry-after", "0"}}, "", 375, 500},
      {{{"retry-after", "-3"}}, "", 375, 500},
      {{{"retry-after", "inf"}}, "", 375, 500},
      {{{"retry-after", "nan"}}, "", 375, 500},
      {{{"retry-after", "soon"}}, "", 375, 500},
      {{}, "Rate limit reached, please try again in 1.2s.", 1'200, 1'450},
      {{}, "Please try again in 350ms. Visit the page.", 350, 600},
      {{{"retry-after", "120"}}, "", 120'000, 120'250},
      {{}, "", 375, 500},
  };
  for (const Case& c : cases) {
    Harness h;
    h.start();
    h.until_sent(1);
    h.error(429, {{"code", "rate_limit_exceeded"}, {"message", c.message}}, c.headers);
    h.until_sent(2);
    EXPECT_GE(waited(h, 1).count(), c.min_ms) << c.message;
    EXPECT_LE(waited(h, 1).count(), c.max_ms) << c.message;
    EXPECT_EQ(h.starts[1].reason, AttemptReason::retry);
    EXPECT_TRUE(h.feedback[0].congested);
    EXPECT_TRUE(h.feedback[0].pause.has_value());
    EXPECT_FALSE(h.feedback[0].endpoint_failed);
  }
}

TEST(LlmFault, DelayAsADate) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.wall = *parse_iso("1994-11-06T08:49:37Z");
  h.error(429, {{"code", "rate_limit_exceeded"}}, {{"retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"}});
  h.until_sent(2);
  EXPECT_GE(waited(h, 1), seconds(3));
  EXPECT_LE(waited(h, 1), milliseconds(3'250));
}

TEST(LlmFault, LongDelayIsNotWaitedFor) {
  {
    Harness h;
    h.add_model("m2", "other");
    h.start();
    h.until_sent(1);
    h.error(429, {{"code", "rate_limit_exceeded"}}, {{"retry-after", "121"}});
    h.until_sent(2);
    EXPECT_EQ(h.sent_to[1], "m2");
    EXPECT_EQ(waited(h, 1).count(), 0);
  }
  {
    Harness h;
    h.start();
    h.until_sent(1);
    h.error(429, {{"code", "rate_limit_exceeded"}}, {{"retry-after", "121"}});
    ASSERT_TRUE(h.outcome);
    EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  }
}

TEST(LlmFault, RateLimitsWithoutDelayBackOffLonger) {
  Harness h;
  h.start();
  for (std::size_t i = 1; i <= 4; ++i) {
    h.until_sent(i);
    h.error(429, {{"type", "tokens"}}, {{"x-ratelimit-limit-requests", "-1"}, {"x-ratelimit-remaining-tokens", "0"}});
  }
  h.until_sent(5);
  EXPECT_GE(waited(h, 4), milliseconds(3'000));
  EXPECT_LT(h.limits->concurrency_limit("m1"), 64);
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->retries, 4);
}

TEST(LlmFault, QuotaIsNotRetried) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.error(429, {{"code", "insufficient_quota"}, {"message", "You exceeded your current quota"}});
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderQuota);
  EXPECT_EQ(h.sent.size(), 1U);
  EXPECT_EQ(h.limits->provider_closed(h.catalogue.models[0], h.steady), ErrorCode::ProviderQuota);
  // The next call does not even try.
  h.outcome.reset();
  h.start();
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderQuota);
  EXPECT_EQ(h.sent.size(), 1U);
}

TEST(LlmFault, RequestLargerThanTheLimitGoesElsewhere) {
  Harness h;
  h.add_model("m2", "other");
  h.start();
  h.until_sent(1);
  h.error(429, {{"code", "rate_limit_exceeded"}, {"type", "tokens"},
                {"message", "Request too large for m1 on tokens per min (TPM): Limit 30000, Requested 45000."}});
  h.until_sent(2);
  EXPECT_EQ(h.sent_to[1], "m2");
}

TEST(LlmFault, ServerErrorsWithAnyBodyAreRetriedAndReadable) {
  for (const int status : {500, 502, 503, 504, 520, 529, 408, 409}) {
    for (const std::string body : {"<html><body>Bad gateway", "", "{\"error\":{\"mess", "[1,2]", "null", "7"}) {
      Harness h;
      h.start();
      h.until_sent(1);
      h.head(status, {{"content-type", "text/html"}});
      h.body(body);
      h.end();
      h.until_sent(2);
      EXPECT_EQ(h.starts[1].reason, AttemptReason::retry) << status << body;
      EXPECT_NE(h.records[0].error->message.find(std::to_string(status)), std::string::npos);
      EXPECT_EQ(h.records[0].error->message.find('\n'), std::string::npos);
    }
  }
}

TEST(LlmFault, ErrorBodiesOfOtherShapes) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(500, {{"content-type", "application/json"}});
  h.body(R"([{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}])");
  h.end();
  EXPECT_NE(h.records[0].error->message.find("overloaded"), std::string::npos);
  EXPECT_NE(h.records[0].error->message.find("503"), std::string::npos);
}

TEST(LlmFault, ShouldRetryIsObeyed) {
  {
    Harness h;
    h.start();
    h.until_sent(1);
    h.error(400, {{"message", "odd"}}, {{"x-should-retry", "true"}});
    h.until_sent(2);
    h.answer("r", kGood);
    EXPECT_TRUE(h.ok());
  }
  {
    Harness h;
    h.start();
    h.until_sent(1);
    h.error(503, {{"message", "no"}}, {{"x-should-retry", "false"}});
    ASSERT_TRUE(h.outcome);
    EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
    EXPECT_EQ(h.sent.size(), 1U);
  }
}

TEST(LlmFault, SchemaErrorEndsTheCallAndNamesThePath) {
  Harness h;
  h.add_model("m2", "other");
  h.start();
  h.until_sent(1);
  h.error(400, {{"code", "invalid_json_schema"}, {"param", "text.format.schema"},
                {"message", "In context=('properties', 'risk'), 'type' is missing"}});
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::Internal);
  EXPECT_NE(h.outcome->error->message.find("'properties', 'risk'"), std::string::npos);
  EXPECT_EQ(h.sent.size(), 1U);
}

TEST(LlmFault, UnsupportedParameterIsAdaptedOnceAndRemembered) {
  Harness h;
  h.start();
  h.until_sent(1);
  EXPECT_EQ(h.request(0).at("reasoning").at("summary").as_string(), "auto");
  h.error(400, {{"code", "unsupported_value"}, {"param", "reasoning.summary"}, {"message", "Your organization must be verified"}});
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::adapt);
  EXPECT_EQ(find(h.request(1).at("reasoning"), "summary"), nullptr);
  EXPECT_EQ(h.request(1).at("reasoning").at("effort").as_string(), "medium");
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
  h.outcome.reset();
  h.start();
  h.until_sent(3);
  EXPECT_EQ(find(h.request(2).at("reasoning"), "summary"), nullptr);
  // The same complaint again cannot be helped.
  h.error(400, {{"code", "unsupported_value"}, {"param", "reasoning.summary"}});
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::Internal);
}

TEST(LlmFault, ListedEffortsAreUsed) {
  Harness h;
  CallSpec spec = Harness::default_spec();
  spec.effort = "minimal";
  h.start(spec);
  h.until_sent(1);
  h.error(400, {{"code", "unsupported_value"}, {"param", "reasoning.effort"},
                {"message", "Unsupported value: 'minimal' is not supported. Supported values are: 'low', 'medium', and 'high'."}});
  h.until_sent(2);
  EXPECT_EQ(h.request(1).at("reasoning").at("effort").as_string(), "low");
}

TEST(LlmFault, ContextOverflowGoesToALargerModel) {
  Harness h;
  h.add_model("m2", "other").context_window = 500'000;
  h.add_model("m3", "third").context_window = 2'000'000;
  h.start();
  h.until_sent(1);
  h.error(400, {{"code", "context_length_exceeded"}, {"message", "maximum context length is 1000 tokens"}});
  h.until_sent(2);
  EXPECT_EQ(h.sent_to[1], "m3");
  h.error(400, {{"type", "invalid_request_error"}, {"message", "This model's maximum context length is 9 tokens"}});
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ContextTooLong);
}

TEST(LlmFault, InputThatFitsNoWindowIsNotSent) {
  Harness h;
  h.catalogue.models[0].context_window = 20'000;
  CallSpec spec = Harness::default_spec();
  spec.messages[1].parts.push_back(std::string(40'000, 'x'));
  h.start(spec);
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ContextTooLong);
  EXPECT_TRUE(h.sent.empty());
}

CallSpec child_spec(const Harness& h) {
  CallSpec spec = Harness::default_spec();
  Parent parent;
  parent.call_key = "one/first";
  parent.transcript = {Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::user, {"First question"}},
                       Message{Message::Role::assistant, {"First answer"}}};
  parent.response_id = "resp_parent";
  parent.provider = "rehearsal";
  parent.model = "m1";
  parent.completed_at = h.wall - std::chrono::hours(1);
  parent.stored = true;
  spec.parent = parent;
  return spec;
}

TEST(LlmFault, LostParentIsReplacedByTheTranscriptOnce) {
  Harness h;
  h.start(child_spec(h));
  h.until_sent(1);
  EXPECT_EQ(h.request(0).at("previous_response_id").as_string(), "resp_parent");
  EXPECT_EQ(h.request(0).at("input").as_array().size(), 1U);
  h.error(400, {{"code", "previous_response_not_found"}, {"message", "Previous response with id 'resp_parent' not found."}});
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::rebuild);
  EXPECT_EQ(find(h.request(1), "previous_response_id"), nullptr);
  EXPECT_EQ(h.request(1).at("input").as_array().size(), 4U);
  EXPECT_EQ(find(h.request(1), "conversation"), nullptr);
  EXPECT_EQ(h.starts[0].request_hash, h.starts[1].request_hash);
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
  // A sister does not try again.
  h.outcome.reset();
  h.start(child_spec(h));
  h.until_sent(3);
  EXPECT_EQ(find(h.request(2), "previous_response_id"), nullptr);
}

TEST(LlmFault, ParentIdIsUsedOnlyWhereItIsSafe) {
  const auto by_id = [](const std::function<void(Harness&, CallSpec&)>& change) {
    Harness h;
    CallSpec spec = child_spec(h);
    change(h, spec);
    h.start(spec);
    h.until_sent(1);
    const json::value body = h.request(0);
    const bool id = find(body, "previous_response_id") != nullptr;
    // Never both: the id and the history.
    EXPECT_EQ(body.at("input").as_array().size(), id ? 1U : 4U);
    return id;
  };
  EXPECT_TRUE(by_id([](Harness&, CallSpec&) {}));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { s.parent->stored = false; }));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { s.parent->provider = "other"; }));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { s.parent->model = "m9"; }));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { s.parent->response_id.clear(); }));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { *s.parent->completed_at -= std::chrono::hours(24 * 30); }));
  EXPECT_FALSE(by_id([](Harness&, CallSpec& s) { s.parent->completed_at.reset(); }));
  EXPECT_FALSE(by_id([](Harness& h, CallSpec&) { h.catalogue.models[0].caps.stateful = false; }));
  EXPECT_FALSE(by_id([](Harness& h, CallSpec&) { h.store = false; }));
}

TEST(LlmFault, LockedConversationIsRetriedSoon) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.error(400, {{"code", "conversation_locked"}});
  h.until_sent(2);
  EXPECT_GE(waited(h, 1), seconds(1));
  EXPECT_LE(waited(h, 1), seconds(5));
}

TEST(LlmFault, AuthenticationClosesTheProvider) {
  for (const int status : {401, 403}) {
    Harness h;
    h.start();
    h.until_sent(1);
    h.error(status, {{"message", "Country, region, or territory not supported"}});
    ASSERT_TRUE(h.outcome);
    EXPECT_EQ(h.code(), ErrorCode::ProviderAuth);
    EXPECT_EQ(h.sent.size(), 1U);
    EXPECT_FALSE(h.limits->available(h.catalogue.models[0], h.steady));
  }
}

TEST(LlmFault, UnknownModelGoesToTheNext) {
  for (const int status : {403, 404}) {
    Harness h;
    h.add_model("m2", "rehearsal");
    h.start();
    h.until_sent(1);
    h.error(status, {{"code", "model_not_found"}, {"message", "The model `m1` does not exist or you do not have access to it."}});
    h.until_sent(2);
    EXPECT_EQ(h.sent_to[1], "m2");
  }
}

TEST(LlmFault, RedirectIsRefused) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(302, {{"location", "http://elsewhere/"}});
  h.end();
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  EXPECT_NE(h.outcome->error->message.find("redirect"), std::string::npos);
  EXPECT_EQ(h.sent.size(), 1U);
}

TEST(LlmFault, KeysInErrorTextsAreMasked) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.error(401, {{"code", "invalid_api_key"},
                {"message", "Incorrect API key provided: sk-harne*************cdef. Header was Bearer " + h.key}});
  ASSERT_TRUE(h.outcome);
  for (const std::string& text : {h.outcome->error->message, h.records[0].error->message}) {
    EXPECT_EQ(text.find("sk-"), std::string::npos) << text;
    EXPECT_EQ(text.find("cdef"), std::string::npos) << text;
    EXPECT_NE(text.find("Incorrect API key"), std::string::npos);
  }
}

TEST(LlmFault, ErrorEventsFlatAndNestedAreTyped) {
  const auto flat = event({{"type", "error"}, {"sequence_number", 3}, {"code", "server_error"}, {"message", "broken"}, {"param", nullptr}});
  const auto nested = event({{"type", "error"}, {"sequence_number", 3},
                             {"error", json::object{{"type", "server"}, {"code", "server_error"}, {"message", "broken"}}}});
  json::object response = response_object("r", "", "failed");
  response["error"] = json::object{{"code", "server_error"}, {"message", "broken"}};
  const auto failed = event({{"type", "response.failed"}, {"sequence_number", 4}, {"response", response}});
  response["error"] = nullptr;
  const auto bare = event({{"type", "response.failed"}, {"sequence_number", 4}, {"response", response}});
  for (const std::string& tail : {flat, nested, nested + failed, flat + failed, failed, bare}) {
    Harness h;
    h.start();
    h.until_sent(1);
    h.head(200);
    const auto events = answer_events("r", kGood);
    h.body(events[0] + events[1] + tail);
    h.until_sent(2);
    // Reported once.
    EXPECT_EQ(h.records.size(), 1U);
    EXPECT_EQ(h.starts[1].reason, AttemptReason::restart);
    EXPECT_NE(h.records[0].error->message.find("server_error"), std::string::npos);
    h.answer("r2", kGood);
    EXPECT_TRUE(h.ok());
  }
}

TEST(LlmFault, QuotaInsideAStreamOpensTheBreaker) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(event({{"type", "error"}, {"error", json::object{{"code", "insufficient_quota"}, {"message", "quota"}}}}));
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderQuota);
  EXPECT_FALSE(h.limits->available(h.catalogue.models[0], h.steady));
}

TEST(LlmFault, RateErrorInsideAStreamWaitsAsLongAsItSays) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(event({{"type", "error"}, {"error", json::object{{"code", "rate_limit_exceeded"}, {"message", "Please try again in 400ms."}}}}));
  h.until_sent(2);
  EXPECT_GE(waited(h, 1), milliseconds(400));
  EXPECT_LE(waited(h, 1), milliseconds(650));
  EXPECT_EQ(h.starts[1].reason, AttemptReason::restart);
}

}  // namespace
}  // namespace planexe::llm::test
