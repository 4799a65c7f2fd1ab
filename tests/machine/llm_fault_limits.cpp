// Budgets, breakers and the host's refusal.
#include "llm_machine_harness.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr auto kGood = R"({"risk":"Frost"})";

milliseconds waited(const Harness& h, std::size_t request) {
  return std::chrono::duration_cast<milliseconds>(h.sent_at.at(request) - h.sent_at.at(request - 1));
}

TEST(LlmFault, RetryBudgetOfThePlanIsRespected) {
  Harness h;
  h.settings.retries_min = 2;
  h.settings.breaker_failures_in_row = 100;
  h.settings.breaker_attempts_min = 100;
  h.start();
  for (std::size_t i = 1; i <= 3; ++i) {
    h.until_sent(i);
    h.error(500, {{"message", "no"}});
  }
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.sent.size(), 3U);
}

TEST(LlmFault, RefusalOfTheHostEndsTheCall) {
  Harness h;
  h.auto_gate = false;
  h.start();
  ASSERT_TRUE(h.announced);
  EXPECT_GT(h.starts[0].cost_bound_micros, 0);
  h.perform(h.machine->gate(false, ErrorCode::BudgetExceeded, h.now()));
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::BudgetExceeded);
  EXPECT_TRUE(h.records.empty());
  EXPECT_TRUE(h.sent.empty());
  EXPECT_EQ(h.limits->in_flight(), 0);
}

TEST(LlmFault, OpenBreakerSendsWaitingCallsElsewhereOrLetsThemWait) {
  Harness h;
  h.start();
  for (std::size_t i = 1; i <= 3; ++i) {
    h.until_sent(i);
    h.error(500, {{"message", "no"}});
  }
  EXPECT_FALSE(h.limits->available(h.catalogue.models[0], h.steady));
  // The only model: the call waits for the probe.
  h.until_sent(4);
  EXPECT_GE(waited(h, 3), milliseconds(9'000));
  h.answer("r", kGood);
  EXPECT_TRUE(h.ok());
  EXPECT_TRUE(h.limits->available(h.catalogue.models[0], h.steady));
}

TEST(LlmFault, DeadEndpointIsNotWaitedForLongerThanACall) {
  Harness h;
  h.limits = std::make_unique<Limits>(h.settings, 64);
  const ModelEntry& model = h.catalogue.models[0];
  for (TicketId other = 1'000; other < 1'003; ++other) {
    h.limits->enqueue(model, Ticket{other, "other", 0, "", 1}, h.steady);
    ASSERT_EQ(h.limits->admit(h.steady).size(), 1U);
    h.limits->finish(other, Feedback{.endpoint_failed = true}, h.steady);
  }
  const SteadyTime begun = h.steady;
  h.start();
  // Somebody else's probe goes out as soon as one may, and hangs.
  h.steady += seconds(10);
  h.limits->enqueue(model, Ticket{2'000, "other", 9, "", 1}, h.steady);
  h.limits->enqueue(model, Ticket{2'001, "third", 9, "", 1}, h.steady);
  const auto admitted = h.limits->admit(h.steady);
  ASSERT_EQ(admitted.size(), 1U);
  ASSERT_NE(admitted[0], h.id);
  while (!h.outcome && h.steady - begun < std::chrono::hours(5)) h.advance(seconds(10));
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ProviderUnavailable);
  EXPECT_TRUE(h.sent.empty());
  EXPECT_EQ(std::chrono::duration_cast<seconds>(h.steady - begun).count(), 1'800);
}

TEST(LlmFault, QueuedCallLeavesWhenTheBreakerOpens) {
  Harness h;
  h.add_model("m2", "other");
  h.limits = std::make_unique<Limits>(h.settings, 64);
  h.catalogue.models[0].rpm = 1;
  h.limits->enqueue(h.catalogue.models[0], Ticket{99, "other-plan", 0, "", 1}, h.steady);
  ASSERT_EQ(h.limits->admit(h.steady).size(), 1U);
  h.start();
  EXPECT_TRUE(h.sent.empty());
  EXPECT_TRUE(h.limits->finish(99, Feedback{.provider_tripped = ErrorCode::ProviderAuth}, h.steady));
  EXPECT_EQ(h.limits->stranded(h.steady), std::vector<TicketId>{h.id});
  h.perform(h.machine->breaker_opened(h.now()));
  h.until_sent(1);
  EXPECT_EQ(h.sent_to[0], "m2");
  EXPECT_EQ(h.starts[0].reason, AttemptReason::first);
}

}  // namespace
}  // namespace planexe::llm::test
