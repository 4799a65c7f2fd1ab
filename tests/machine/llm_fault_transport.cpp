// The faults of the wire that need no socket: the call machine is told what happened, and when.
#include "llm_machine_harness.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = TransferEnd::Kind;
constexpr auto kGood = R"({"risk":"Frost"})";

TEST(LlmFault, ConnectionRefusedIsRetriedThenTheNextModelIsAsked) {
  Harness h;
  h.add_model("m2", "other");
  h.settings.breaker_failures_in_row = 100;
  h.settings.breaker_attempts_min = 100;
  h.start();
  for (std::size_t i = 1; i <= 5; ++i) {
    h.until_sent(i);
    EXPECT_EQ(h.sent_to.back(), "m1");
    h.end(Kind::connect);
  }
  h.until_sent(6);
  EXPECT_EQ(h.sent_to.back(), "m2");
  h.answer("r", kGood);
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->model, "m2");
  EXPECT_EQ(h.records.size(), 6U);
  // Nothing was sent, so nothing can be charged.
  EXPECT_EQ(h.records[0].usage.total(), 0);
  EXPECT_EQ(h.records[0].status, "failed");
  EXPECT_EQ(h.starts.back().reason, AttemptReason::fallback);
}

TEST(LlmFault, BackoffGrowsWithJitter) {
  Harness h;
  h.settings.breaker_failures_in_row = 100;
  h.settings.breaker_attempts_min = 100;
  h.start();
  for (std::size_t i = 1; i <= 5; ++i) {
    h.until_sent(i);
    h.end(Kind::resolve);
  }
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  for (std::size_t i = 1; i < 5; ++i) {
    const auto waited = std::chrono::duration_cast<milliseconds>(h.sent_at[i] - h.sent_at[i - 1]).count();
    const auto full = 500 << (i - 1);
    EXPECT_GE(waited, full * 3 / 4);
    EXPECT_LE(waited, full);
  }
}

TEST(LlmFault, UntrustedConnectionStopsTheProvider) {
  Harness h;
  h.add_model("m1b");          // the same provider
  h.add_model("m2", "other");
  h.start();
  h.until_sent(1);
  h.end(Kind::tls);
  h.until_sent(2);
  EXPECT_EQ(h.sent_to.back(), "m2");
  EXPECT_FALSE(h.limits->available(h.catalogue.models[1], h.steady));
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
}

TEST(LlmFault, SilenceBeforeTheHeadersIsRetried) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.advance(seconds(59));
  EXPECT_TRUE(h.in_transfer);
  h.advance(seconds(1));
  EXPECT_EQ(h.aborts, 1);
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::retry);
  ASSERT_EQ(h.records.size(), 1U);
  EXPECT_EQ(h.records[0].status, "abandoned");
  EXPECT_TRUE(h.records[0].usage.estimated);
  EXPECT_GT(h.records[0].cost_micros.value_or(0), 0);
}

TEST(LlmFault, StaleConnectionIsRetriedOnceForFree) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.end(Kind::broken, true);
  ASSERT_EQ(h.sent.size(), 2U);
  EXPECT_EQ(h.starts.size(), 1U);
  EXPECT_EQ(h.sent[0].body, h.sent[1].body);
  h.end(Kind::broken, true);
  EXPECT_EQ(h.records.size(), 1U);
  h.until_sent(3);
  EXPECT_EQ(h.starts.size(), 2U);
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
}

TEST(LlmFault, LateLossOnAReusedConnectionIsNotFree) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.advance(seconds(5));
  h.end(Kind::broken, true);
  EXPECT_EQ(h.records.size(), 1U);
  EXPECT_TRUE(h.records[0].usage.estimated);
}

TEST(LlmFault, ResetAfterTheHeadersRestarts) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.end(Kind::broken);
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::restart);
}

TEST(LlmFault, CutStreamsDropTheirTextAndRestartTwice) {
  Harness h;
  h.settings.breaker_failures_in_row = 100;
  h.start();
  const auto events = answer_events("r", kGood, 4);
  // After k deltas, and after the last delta before the final event.
  for (const std::size_t count : {std::size_t{4}, events.size() - 1}) {
    h.until_sent(h.records.size() + 1);
    h.head(200);
    for (std::size_t i = 0; i < count; ++i) h.body(events[i]);
    h.end(count == 4 ? Kind::broken : Kind::clean);
    EXPECT_EQ(h.records.back().status, "abandoned");
    EXPECT_EQ(h.records.back().response_id, "r");
    EXPECT_FALSE(h.records.back().text.empty());
  }
  h.until_sent(3);
  h.head(200);
  h.body(events[0]);
  h.end();
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  EXPECT_EQ(h.records.size(), 3U);
  EXPECT_FALSE(h.records.back().will_retry);
}

TEST(LlmFault, EndWithoutTheLastBlankLineIsACut) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  std::string stream = joined(answer_events("r", kGood));
  stream.pop_back();
  h.body(stream);
  h.end();
  EXPECT_EQ(h.records.size(), 1U);
  EXPECT_EQ(h.records[0].status, "abandoned");
}

TEST(LlmFault, SilenceInTheStreamIsNoticed) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(answer_events("r", kGood)[0]);
  h.advance(seconds(119));
  EXPECT_TRUE(h.in_transfer);
  h.advance(seconds(1));
  EXPECT_EQ(h.aborts, 1);
  EXPECT_EQ(h.records[0].error->code, ErrorCode::ProviderUnavailable);
  EXPECT_TRUE(h.feedback[0].congested);
}

TEST(LlmFault, CommentsKeepTheConnectionButNotTheAttempt) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  for (int i = 0; i < 4; ++i) {
    h.advance(seconds(70));
    EXPECT_TRUE(h.in_transfer) << i;
    h.body(": keep-alive\n\n");
    h.body("event: keepalive\ndata: {\"type\":\"keepalive\"}\n\n");
  }
  h.advance(seconds(20));
  EXPECT_FALSE(h.in_transfer);
  EXPECT_NE(h.records[0].error->message.find("no progress"), std::string::npos);
}

TEST(LlmFault, WholeAttemptAndWholeCallHaveDeadlines) {
  Harness h;
  h.settings.breaker_failures_in_row = 100;
  h.start();
  h.until_sent(1);
  const SteadyTime begun = h.steady;
  std::size_t attempts = 0;
  while (!h.outcome && attempts < 10) {
    h.until_sent(++attempts);
    if (h.outcome) break;
    h.head(200);
    const std::size_t before = h.records.size();
    int n = 0;
    // A model that says a little every minute, for ever.
    while (h.records.size() == before && !h.outcome) {
      h.body(event({{"type", "response.output_text.delta"}, {"item_id", "i"}, {"delta", std::to_string(n++)}}));
      h.advance(seconds(60));
    }
  }
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  EXPECT_LE(h.steady - begun, seconds(1'800 + 61));
  EXPECT_GE(h.records[0].duration_ms, 900'000);
  EXPECT_LT(h.records[0].duration_ms, 961'000);
}

TEST(LlmFault, BrokenJsonInAnEventRestartsAndIsNotQuoted) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body("data: {\"type\":\"response.output_text.delta\",\"delta\":\"SECRETWORD\n\n");
  EXPECT_EQ(h.aborts, 1);
  ASSERT_EQ(h.records.size(), 1U);
  EXPECT_EQ(h.records[0].error->message.find("SECRETWORD"), std::string::npos);
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::restart);
}

TEST(LlmFault, EndlessLineIsABoundedError) {
  Harness h;
  h.settings.sse_line_bytes_max = 1'000;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body("data: " + std::string(2'000, 'x'));
  ASSERT_EQ(h.records.size(), 1U);
  EXPECT_NE(h.records[0].error->message.find("longer than 1000 bytes"), std::string::npos);
}

TEST(LlmFault, SameChunkWithoutEndIsAbortedAfterAHundred) {
  Harness h;
  h.add_model("m2", "other");
  h.start();
  for (std::size_t round = 1; round <= 2; ++round) {
    h.until_sent(round);
    EXPECT_EQ(h.sent_to.back(), "m1");
    h.head(200);
    for (int i = 0; i < 99; ++i) h.body(event({{"type", "response.output_text.delta"}, {"item_id", "i"}, {"delta", "\n"}}));
    EXPECT_EQ(h.aborts, static_cast<int>(round) - 1);
    h.body(event({{"type", "response.output_text.delta"}, {"item_id", "i"}, {"delta", "\n"}}));
    EXPECT_EQ(h.aborts, static_cast<int>(round));
  }
  h.until_sent(3);
  EXPECT_EQ(h.sent_to.back(), "m2");
}

TEST(LlmFault, DeltasAreMergedForFiftyMilliseconds) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(answer_events("r", kGood)[0]);
  for (int i = 0; i < 20; ++i) {
    h.body(event({{"type", "response.output_text.delta"}, {"item_id", "i"}, {"delta", std::to_string(i % 10)}}));
    h.advance(milliseconds(10));
  }
  h.advance(milliseconds(60));
  EXPECT_EQ(h.shown, "01234567890123456789");
  EXPECT_LE(h.delta_times.size(), 6U);
  for (std::size_t i = 1; i < h.delta_times.size(); ++i) {
    EXPECT_GE(h.delta_times[i] - h.delta_times[i - 1], milliseconds(50));
  }
}

TEST(LlmFault, WallClockJumpsChangeNoTimer) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.wall += std::chrono::hours(24 * 400);
  h.perform(h.machine->timer(h.now()));
  EXPECT_TRUE(h.in_transfer);
  h.wall -= std::chrono::hours(24 * 800);
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
}

TEST(LlmFault, AnswersThatAreNoStream) {
  {
    Harness h;  // JSON although a stream was asked for
    h.start();
    h.until_sent(1);
    h.answer_json(response_object("r", kGood));
    EXPECT_TRUE(h.ok());
  }
  {
    Harness h;  // a stream under a wrong content type
    h.start();
    h.until_sent(1);
    h.head(200, {{"content-type", "text/plain"}});
    h.body(joined(answer_events("r", kGood)));
    EXPECT_TRUE(h.ok());
  }
  {
    Harness h;  // nothing at all
    h.start();
    h.until_sent(1);
    h.head(204, {});
    h.end();
    EXPECT_EQ(h.records.size(), 1U);
    EXPECT_NE(h.records[0].error->message.find("empty"), std::string::npos);
  }
  {
    Harness h;  // a page of a proxy
    h.start();
    h.until_sent(1);
    h.head(200, {{"content-type", "text/html"}});
    h.body("<html>sign in</html>");
    h.end();
    EXPECT_EQ(h.records.size(), 1U);
    EXPECT_NE(h.records[0].error->message.find("neither JSON"), std::string::npos);
  }
}

TEST(LlmFault, ErrorBodyThatDoesNotEndIsTakenAfterTwoSeconds) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(503, {{"content-type", "text/html"}});
  h.body("<h1>Loading");
  h.advance(milliseconds(1'999));
  EXPECT_TRUE(h.in_transfer);
  h.advance(milliseconds(1));
  EXPECT_EQ(h.aborts, 1);
  EXPECT_EQ(h.records[0].http_status, 503);
}

TEST(LlmFault, StopInEveryPhaseIsImmediate) {
  for (int phase = 0; phase < 4; ++phase) {
    Harness h;
    h.catalogue.models[0].rpm = 1;
    h.auto_gate = phase != 1;
    if (phase == 0) {
      // Somebody else has used the minute's only request.
      h.limits = std::make_unique<Limits>(h.settings, 64);
      h.limits->enqueue(h.catalogue.models[0], Ticket{99, "other", 0, "", 1}, h.steady);
      EXPECT_EQ(h.limits->admit(h.steady).size(), 1U);
    }
    h.start();
    if (phase == 3) {
      h.until_sent(1);
      h.end(Kind::connect);   // in back-off
    }
    const std::size_t sent = h.sent.size();
    h.perform(h.machine->cancel(true, h.now()));
    ASSERT_TRUE(h.outcome) << phase;
    EXPECT_EQ(h.code(), ErrorCode::Cancelled);
    EXPECT_EQ(h.limits->waiting(), 0U);
    EXPECT_FALSE(h.machine->deadline().has_value());
    EXPECT_TRUE(h.machine->gate(true, ErrorCode::Internal, h.now()).empty());
    EXPECT_EQ(h.sent.size(), sent);
    EXPECT_EQ(h.limits->in_flight(), phase == 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace planexe::llm::test
