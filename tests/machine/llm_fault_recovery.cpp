// Background responses and calls that were in flight when the process died.
#include "llm_machine_harness.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr auto kGood = R"({"risk":"Frost"})";

TEST(LlmFault, BackgroundStreamIsContinuedWithoutDoubledText) {
  Harness h;
  h.catalogue.models[0].caps.background = "always";
  h.start();
  h.until_sent(1);
  EXPECT_EQ(get_bool(h.request(0), "background"), true);
  const auto events = answer_events("resp_b", kGood, 4);
  h.head(200);
  for (std::size_t i = 0; i < 4; ++i) h.body(events[i]);
  h.end(TransferEnd::Kind::broken);
  h.until_sent(2);
  EXPECT_EQ(h.sent[1].method, "GET");
  EXPECT_EQ(h.sent[1].path, "/responses/resp_b?stream=true&starting_after=3");
  h.head(200);
  h.body(joined(events));   // replays from 0 whatever was asked
  ASSERT_TRUE(h.ok());
  h.advance(milliseconds(100));
  EXPECT_EQ(h.shown, kGood);
  EXPECT_EQ(h.starts.size(), 1U);
  EXPECT_EQ(h.records.size(), 1U);
  EXPECT_EQ(h.records[0].counters.at("continuations").to_number<int>(), 1);
}

TEST(LlmFault, ContinuationThatIsGoneBecomesANewAttempt) {
  Harness h;
  h.catalogue.models[0].caps.background = "always";
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(answer_events("resp_b", kGood)[0]);
  h.end(TransferEnd::Kind::broken);
  h.until_sent(2);
  h.error(404, {{"message", "Response with id 'resp_b' not found."}});
  EXPECT_EQ(h.records[0].status, "abandoned");
  h.until_sent(3);
  EXPECT_EQ(h.sent[2].method, "POST");
  h.answer("resp_c", kGood);
  EXPECT_TRUE(h.ok());
}

TEST(LlmFault, QueuedBackgroundIsPolledWithGrowingPauses) {
  Harness h;
  h.catalogue.models[0].caps.background = "always";
  h.start();
  h.until_sent(1);
  json::object queued = response_object("resp_q", "", "queued");
  queued["output"] = json::array{};
  h.answer_json(queued);
  std::vector<long> pauses;
  for (std::size_t i = 2; i <= 9; ++i) {
    h.until_sent(i);
    EXPECT_EQ(h.sent.back().path, "/responses/resp_q");
    pauses.push_back(std::chrono::duration_cast<milliseconds>(h.sent_at[i - 1] - h.sent_at[i - 2]).count());
    h.answer_json(i == 9 ? response_object("resp_q", kGood) : queued);
  }
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(pauses.front(), 2'000);
  EXPECT_EQ(pauses.back(), 15'000);
  EXPECT_TRUE(std::is_sorted(pauses.begin(), pauses.end()));
}

TEST(LlmFault, CancelOfABackgroundResponseReachesTheProviderOnce) {
  Harness h;
  h.catalogue.models[0].caps.background = "always";
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(answer_events("resp_b", kGood)[0]);
  h.perform(h.machine->cancel(true, h.now()));
  h.perform(h.machine->cancel(true, h.now()));
  EXPECT_EQ(h.provider_cancels, std::vector<std::string>{"resp_b"});
  EXPECT_EQ(h.aborts, 1);
  EXPECT_EQ(h.code(), ErrorCode::Cancelled);
}

Recovery recovery(const std::string& response_id, bool background) {
  return Recovery{.interaction_id = 7, .attempt = 2, .model = "m1", .response_id = response_id, .background = background,
                  .last_event_sequence = -1};
}

TEST(LlmFault, CompletedResponseIsFetchedNotBoughtAgain) {
  Harness h;
  CallSpec spec = Harness::default_spec();
  spec.recovery = recovery("resp_old", false);
  spec.first_attempt = 3;
  h.start(spec);
  h.until_sent(1);
  EXPECT_EQ(h.sent[0].path, "/responses/resp_old");
  h.answer_json(response_object("resp_old", kGood));
  ASSERT_TRUE(h.ok());
  EXPECT_TRUE(h.starts.empty());
  ASSERT_EQ(h.records.size(), 1U);
  EXPECT_EQ(h.records[0].attempt, 2);
  EXPECT_EQ(h.records[0].reason, AttemptReason::recovery);
  EXPECT_EQ(h.records[0].status, "completed");
  EXPECT_EQ(h.outcome->response_id, "resp_old");
}

TEST(LlmFault, LostResponseIsAbandonedAndAskedAnew) {
  for (const std::string id : {"resp_old", ""}) {
    Harness h;
    CallSpec spec = Harness::default_spec();
    spec.recovery = recovery(id, true);
    spec.first_attempt = 3;
    h.start(spec);
    if (!id.empty()) {
      h.until_sent(1);
      h.error(404, {{"message", "not found"}});
    }
    ASSERT_EQ(h.records.size(), 1U);
    EXPECT_EQ(h.records[0].status, "abandoned");
    EXPECT_TRUE(h.records[0].usage.estimated);
    h.until_sent(id.empty() ? 1 : 2);
    EXPECT_EQ(h.starts.back().attempt, 3);
    EXPECT_EQ(h.starts.back().reason, AttemptReason::recovery);
    h.answer("resp_new", kGood);
    EXPECT_TRUE(h.ok());
  }
}

TEST(LlmFault, ForegroundResponseThatNeverEndsIsGivenUpAfterAMinute) {
  Harness h;
  CallSpec spec = Harness::default_spec();
  spec.recovery = recovery("resp_old", false);
  h.start(spec);
  const SteadyTime begun = h.steady;
  std::size_t fetches = 0;
  while (h.records.empty() && fetches < 100) {
    h.until_sent(++fetches);
    if (h.sent.back().method == "POST") break;
    h.answer_json(response_object("resp_old", "", "in_progress"));
  }
  EXPECT_EQ(h.records.at(0).status, "abandoned");
  EXPECT_LE(h.steady - begun, seconds(80));
}

}  // namespace
}  // namespace planexe::llm::test
