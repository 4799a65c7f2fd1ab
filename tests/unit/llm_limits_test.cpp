#include "llm/limits.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "llm/knowledge.hpp"

namespace planexe::llm {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const SteadyTime kStart{std::chrono::hours(10)};

ModelEntry model(const std::string& id, const std::string& provider = "p") {
  ModelEntry entry;
  entry.id = id;
  entry.provider = provider;
  entry.base_url = "http://" + provider;
  return entry;
}

TEST(LlmTokenBucket, WaitsForItsRefill) {
  TokenBucket bucket(60, 0.1, kStart);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(bucket.wait_for(1, kStart).count(), 0);
    bucket.take(1, kStart);
  }
  const auto wait = bucket.wait_for(1, kStart);
  EXPECT_GT(wait, milliseconds(1'000));
  EXPECT_EQ(bucket.wait_for(1, kStart + wait).count(), 0);
}

TEST(LlmTokenBucket, LargeAmountsLeaveADebt) {
  TokenBucket bucket(30'000, 0.1, kStart);
  EXPECT_EQ(bucket.wait_for(20'000, kStart).count(), 0);
  bucket.take(20'000, kStart);
  EXPECT_GT(bucket.wait_for(1, kStart), seconds(30));
  bucket.correct(15'000, kStart);
  EXPECT_LT(bucket.wait_for(1, kStart), seconds(10));
}

TEST(LlmTokenBucket, ServerOnlyLowersTheFill) {
  TokenBucket bucket(600, 0.1, kStart);
  bucket.limit_to(1'000'000, kStart);
  bucket.take(60, kStart);
  EXPECT_GT(bucket.wait_for(1, kStart).count(), 0);
  TokenBucket other(600, 0.1, kStart);
  other.limit_to(2, kStart);
  other.take(2, kStart);
  EXPECT_GT(other.wait_for(1, kStart).count(), 0);
}

RC_GTEST_PROP(LlmTokenBucketProperty, NoMinuteSeesMoreThanTheLimit, ()) {
  const int limit = *rc::gen::inRange(10, 500);
  TokenBucket bucket(limit, 0.1, kStart);
  SteadyTime now = kStart;
  std::deque<SteadyTime> taken;
  for (int i = 0; i < 600; ++i) {
    now += milliseconds(*rc::gen::inRange(0, 2'000));
    if (bucket.wait_for(1, now).count() > 0) continue;
    bucket.take(1, now);
    taken.push_back(now);
    while (now - taken.front() >= minutes(1)) taken.pop_front();
    RC_ASSERT(taken.size() <= static_cast<std::size_t>(limit));
  }
}

RC_GTEST_PROP(LlmTokenBucketProperty, AfterTheWaitThereIsEnough, ()) {
  const int limit = *rc::gen::inRange(1, 100'000);
  TokenBucket bucket(limit, 0.1, kStart);
  SteadyTime now = kStart;
  for (int i = 0; i < 50; ++i) {
    const int amount = *rc::gen::inRange(1, 2 * limit + 1);
    now += bucket.wait_for(amount, now);
    RC_ASSERT(bucket.wait_for(amount, now).count() == 0);
    bucket.take(amount, now);
  }
}

TEST(LlmConcurrency, GrowsSlowlyAndHalvesAtMostOnceInFiveSeconds) {
  const ClientSettings settings;
  AdaptiveConcurrency concurrency(8, 32, settings);
  for (int i = 0; i < 8; ++i) concurrency.completed();
  EXPECT_EQ(concurrency.limit(), 9);
  for (int i = 0; i < 8; ++i) concurrency.completed();
  EXPECT_EQ(concurrency.limit(), 9);
  concurrency.congested(kStart);
  EXPECT_EQ(concurrency.limit(), 4);
  concurrency.congested(kStart + milliseconds(4'999));
  EXPECT_EQ(concurrency.limit(), 4);
  concurrency.congested(kStart + seconds(5));
  EXPECT_EQ(concurrency.limit(), 2);
  for (int i = 0; i < 10; ++i) concurrency.congested(kStart + seconds(10 + 5 * i));
  EXPECT_EQ(concurrency.limit(), 1);
  for (int i = 0; i < 100'000; ++i) concurrency.completed();
  EXPECT_EQ(concurrency.limit(), 32);
  EXPECT_EQ(AdaptiveConcurrency(64, 64, settings).limit(), 64);
  EXPECT_EQ(AdaptiveConcurrency(8, 4, settings).limit(), 4);
}

TEST(LlmBreaker, OpensAfterThreeFailuresAndDoublesItsTime) {
  const ClientSettings settings;
  Breaker breaker(settings);
  SteadyTime now = kStart;
  EXPECT_FALSE(breaker.failed(now));
  EXPECT_FALSE(breaker.failed(now));
  EXPECT_TRUE(breaker.admits(now));
  EXPECT_TRUE(breaker.failed(now));
  EXPECT_FALSE(breaker.admits(now));
  for (const int open_for : {10, 20, 40, 80, 160, 300, 300}) {
    EXPECT_FALSE(breaker.admits(now + seconds(open_for) - milliseconds(1)));
    now += seconds(open_for);
    EXPECT_EQ(breaker.state(now), Breaker::State::half_open);
    EXPECT_TRUE(breaker.admits(now));
    breaker.started(now);
    EXPECT_FALSE(breaker.admits(now)) << "one probe only";
    EXPECT_TRUE(breaker.failed(now));
  }
  now += seconds(300);
  breaker.started(now);
  breaker.succeeded(now);
  EXPECT_EQ(breaker.state(now), Breaker::State::closed);
  EXPECT_FALSE(breaker.failed(now));
}

TEST(LlmBreaker, OpensAtHalfOfFiveInAMinute) {
  const ClientSettings settings;
  Breaker breaker(settings);
  breaker.succeeded(kStart);
  breaker.failed(kStart);
  breaker.failed(kStart);
  breaker.succeeded(kStart);
  EXPECT_TRUE(breaker.failed(kStart + seconds(1)));
  Breaker slow(settings);
  for (int i = 0; i < 50; ++i) {
    slow.succeeded(kStart + seconds(61 * i));
    EXPECT_FALSE(slow.failed(kStart + seconds(61 * i)));
  }
}

TEST(LlmBreaker, LateAnswersDoNotCloseIt) {
  const ClientSettings settings;
  Breaker breaker(settings);
  breaker.trip(kStart);
  breaker.succeeded(kStart + seconds(1));
  EXPECT_EQ(breaker.state(kStart + seconds(1)), Breaker::State::open);
  EXPECT_EQ(breaker.state(kStart + seconds(300)), Breaker::State::half_open);
  // A probe that was cancelled makes room for another.
  breaker.started(kStart + seconds(300));
  breaker.probe_gone();
  EXPECT_TRUE(breaker.admits(kStart + seconds(300)));
}

TEST(LlmFairQueue, PlansTakeTurnsAndLongPathsGoFirst) {
  FairQueue queue;
  const auto all = [](const Ticket&) { return true; };
  for (TicketId id = 1; id <= 3; ++id) queue.push(Ticket{id, "a", static_cast<int>(id), "", 0});
  for (TicketId id = 11; id <= 13; ++id) queue.push(Ticket{id, "b", 0, "", 0});
  std::vector<TicketId> order;
  while (const Ticket* next = queue.peek(all)) order.push_back(queue.serve(next->id).id);
  EXPECT_EQ(order, (std::vector<TicketId>{3, 11, 2, 12, 1, 13}));
}

RC_GTEST_PROP(LlmFairQueueProperty, ServesEveryTicketOnceAndNobodyStarves, ()) {
  FairQueue queue;
  const int plans = *rc::gen::inRange(1, 5);
  const int tickets = *rc::gen::inRange(1, 60);
  std::map<std::string, int> waiting;
  for (int i = 0; i < tickets; ++i) {
    const std::string plan = std::to_string(*rc::gen::inRange(0, plans));
    queue.push(Ticket{static_cast<TicketId>(i), plan, *rc::gen::inRange(0, 4), "", 0});
    ++waiting[plan];
  }
  std::map<std::string, int> in_flight;
  std::set<TicketId> served;
  while (const Ticket* next = queue.peek([](const Ticket&) { return true; })) {
    const Ticket ticket = queue.serve(next->id);
    RC_ASSERT(served.insert(ticket.id).second);
    // No plan that waits has fewer in flight.
    for (const auto& [plan, count] : waiting) {
      if (count > 0) RC_ASSERT(in_flight[ticket.plan_id] <= in_flight[plan]);
    }
    --waiting[ticket.plan_id];
    ++in_flight[ticket.plan_id];
    if (*rc::gen::arbitrary<bool>()) {
      queue.finished(ticket.plan_id);
      --in_flight[ticket.plan_id];
    }
  }
  RC_ASSERT(served.size() == static_cast<std::size_t>(tickets));
  RC_ASSERT(queue.empty());
}

TEST(LlmPrefixLeaders, OneOfALargeFanOutGoesFirst) {
  const ClientSettings settings;
  PrefixLeaders leaders(settings);
  std::vector<Ticket> tickets;
  for (TicketId id = 1; id <= 5; ++id) tickets.push_back(Ticket{id, "p", 0, "g", 0});
  for (const Ticket& ticket : tickets) leaders.queued(ticket);
  EXPECT_TRUE(leaders.may_start(tickets[0], kStart));
  leaders.started(tickets[0], kStart);
  EXPECT_FALSE(leaders.may_start(tickets[1], kStart));
  leaders.ended(tickets[0]);   // without a token: the next one leads
  EXPECT_TRUE(leaders.may_start(tickets[1], kStart));
  leaders.started(tickets[1], kStart);
  EXPECT_FALSE(leaders.may_start(tickets[2], kStart));
  leaders.first_token(tickets[1], kStart);
  EXPECT_TRUE(leaders.may_start(tickets[2], kStart));
  leaders.started(tickets[2], kStart);
  EXPECT_TRUE(leaders.may_start(tickets[3], kStart));
}

TEST(LlmPrefixLeaders, SmallFanOutsDoNotWait) {
  const ClientSettings settings;
  PrefixLeaders leaders(settings);
  std::vector<Ticket> tickets;
  for (TicketId id = 1; id <= 3; ++id) tickets.push_back(Ticket{id, "p", 0, "g", 0});
  for (const Ticket& ticket : tickets) leaders.queued(ticket);
  for (const Ticket& ticket : tickets) {
    EXPECT_TRUE(leaders.may_start(ticket, kStart));
    leaders.started(ticket, kStart);
  }
}

TEST(LlmLimits, ConcurrencyOfEndpointAndProcess) {
  const ClientSettings settings;
  Limits limits(settings, 10);
  const ModelEntry a = model("a");
  const ModelEntry b = model("b");
  for (TicketId id = 1; id <= 20; ++id) limits.enqueue(id % 2 == 0 ? a : b, Ticket{id, "p", 0, "", 10}, kStart);
  EXPECT_EQ(limits.admit(kStart).size(), 10U);
  EXPECT_TRUE(limits.admit(kStart).empty());
  EXPECT_FALSE(limits.next_admission(kStart).has_value());
  EXPECT_FALSE(limits.finish(1, Feedback{.clean = true}, kStart));
  EXPECT_EQ(limits.admit(kStart).size(), 1U);
  EXPECT_TRUE(limits.leave(20));
  EXPECT_FALSE(limits.leave(20));
  EXPECT_EQ(limits.waiting(), 8U);
}

TEST(LlmLimits, PauseHoldsTheWholeEndpoint) {
  const ClientSettings settings;
  Limits limits(settings, 64);
  const ModelEntry a = model("a");
  limits.enqueue(a, Ticket{1, "p", 0, "", 10}, kStart);
  limits.admit(kStart);
  limits.finish(1, Feedback{.congested = true, .pause = seconds(3)}, kStart);
  limits.enqueue(a, Ticket{2, "p", 0, "", 10}, kStart);
  EXPECT_TRUE(limits.admit(kStart + milliseconds(2'999)).empty());
  EXPECT_EQ(limits.next_admission(kStart), kStart + seconds(3));
  EXPECT_EQ(limits.admit(kStart + seconds(3)).size(), 1U);
}

TEST(LlmLimits, LearnsFromHeadersButNotFromNonsense) {
  const ClientSettings settings;
  Limits limits(settings, 64);
  const ModelEntry a = model("a");
  const auto admit = [&](TicketId id) {
    limits.enqueue(a, Ticket{id, "p", 0, "", 10}, kStart);
    return limits.admit(kStart).size();
  };
  EXPECT_EQ(admit(1), 1U);
  limits.learn_headers(1, {{"x-ratelimit-limit-requests", "-1"}, {"x-ratelimit-remaining-requests", "0"}}, kStart);
  EXPECT_EQ(admit(2), 1U);
  limits.learn_headers(2, {{"x-ratelimit-limit-requests", "20"}, {"x-ratelimit-remaining-requests", "1"}}, kStart);
  EXPECT_EQ(admit(3), 1U);
  EXPECT_EQ(admit(4), 0U);
  EXPECT_TRUE(limits.next_admission(kStart).has_value());
}

TEST(LlmLimits, ResetStandsInForAMissingRemainder) {
  const ClientSettings settings;
  const auto admitted_after = [&](const std::string& reset) {
    Limits limits(settings, 64);
    const ModelEntry a = model("a");
    limits.enqueue(a, Ticket{1, "p", 0, "", 10}, kStart);
    limits.admit(kStart);
    limits.learn_headers(1, {{"x-ratelimit-limit-requests", "60"}, {"x-ratelimit-reset-requests", reset}}, kStart);
    limits.enqueue(a, Ticket{2, "p", 0, "", 10}, kStart);
    return limits.admit(kStart).size();
  };
  EXPECT_EQ(admitted_after("60s"), 0U);
  EXPECT_EQ(admitted_after("1s"), 1U);
  for (const char* ignored : {"8h", "0s", "-1", "soon", ""}) EXPECT_EQ(admitted_after(ignored), 1U) << ignored;
}

TEST(LlmLimits, TheCataloguesLimitGoesFirst) {
  const ClientSettings settings;
  Limits limits(settings, 64);
  ModelEntry a = model("a");
  a.rpm = 10;
  limits.enqueue(a, Ticket{1, "p", 0, "", 10}, kStart);
  limits.admit(kStart);
  limits.learn_headers(1, {{"x-ratelimit-limit-requests", "100000"}}, kStart);
  limits.enqueue(a, Ticket{2, "p", 0, "", 10}, kStart);
  EXPECT_TRUE(limits.admit(kStart).empty());
}

TEST(LlmLimits, TokensAreReservedAndCorrected) {
  const ClientSettings settings;
  Limits limits(settings, 64);
  ModelEntry a = model("a");
  a.tpm = 100'000;
  limits.enqueue(a, Ticket{1, "p", 0, "", 50'000}, kStart);
  limits.enqueue(a, Ticket{2, "p", 0, "", 50'000}, kStart);
  EXPECT_EQ(limits.admit(kStart).size(), 1U);
  limits.finish(1, Feedback{.clean = true, .used_tokens = 1'000}, kStart);
  EXPECT_LE(*limits.next_admission(kStart) - kStart, seconds(2));
}

TEST(LlmLimits, ProviderClosesAsAWhole) {
  const ClientSettings settings;
  Limits limits(settings, 64);
  const ModelEntry a = model("a", "p");
  const ModelEntry b = model("b", "p");
  const ModelEntry c = model("c", "q");
  limits.enqueue(a, Ticket{1, "p", 0, "", 1}, kStart);
  limits.admit(kStart);
  limits.enqueue(b, Ticket{2, "p", 0, "", 1}, kStart);
  EXPECT_TRUE(limits.finish(1, Feedback{.provider_tripped = ErrorCode::ProviderQuota}, kStart));
  EXPECT_FALSE(limits.available(b, kStart));
  EXPECT_TRUE(limits.available(c, kStart));
  EXPECT_EQ(limits.provider_closed(b, kStart), ErrorCode::ProviderQuota);
  EXPECT_EQ(limits.stranded(kStart), std::vector<TicketId>{2});
  EXPECT_TRUE(limits.admit(kStart + seconds(299)).empty());
  EXPECT_EQ(limits.admit(kStart + seconds(300)).size(), 1U);
}

TEST(LlmLimits, QueueHasALimit) {
  ClientSettings settings;
  settings.queue_length_max = 2;
  Limits limits(settings, 64);
  const ModelEntry a = model("a");
  EXPECT_TRUE(limits.enqueue(a, Ticket{1, "p", 0, "", 1}, kStart));
  EXPECT_TRUE(limits.enqueue(a, Ticket{2, "p", 0, "", 1}, kStart));
  EXPECT_FALSE(limits.enqueue(a, Ticket{3, "p", 0, "", 1}, kStart));
}

TEST(LlmKnowledge, BudgetsFollowWhatWasSeenAndStayFixedForAPlan) {
  const ClientSettings settings;
  Knowledge knowledge(settings);
  EXPECT_EQ(knowledge.output_budget("plan", "kind", 16'384), 16'384);
  for (int i = 1; i <= 100; ++i) knowledge.answered("kind", i * 100, seconds(2));
  EXPECT_EQ(knowledge.output_percentile_95("kind"), 9'500);
  EXPECT_EQ(knowledge.output_budget("plan", "kind", 16'384), 16'384);
  EXPECT_EQ(knowledge.output_budget("next", "kind", 16'384), 38'000);
  for (int i = 0; i < 5; ++i) knowledge.answered("small", 10, seconds(2));
  EXPECT_EQ(knowledge.output_budget("plan", "small", 16'384), 4'096);
  EXPECT_EQ(knowledge.output_reservation("small", 4'096), 4'096);
  for (int i = 0; i < 20; ++i) knowledge.answered("small", 10, seconds(2));
  EXPECT_EQ(knowledge.output_reservation("small", 4'096), 12);
  EXPECT_EQ(knowledge.mean_duration("small"), milliseconds(2'000));
  EXPECT_FALSE(knowledge.mean_duration("unknown").has_value());
}

TEST(LlmKnowledge, RetriesAreAShareOfThePlansCalls) {
  const ClientSettings settings;
  Knowledge knowledge(settings);
  int granted = 0;
  while (granted < 1'000 && knowledge.take_retry("plan")) ++granted;
  EXPECT_EQ(granted, 10);
  for (int i = 0; i < 100; ++i) knowledge.call_started("plan");
  while (granted < 1'000 && knowledge.take_retry("plan")) ++granted;
  EXPECT_EQ(granted, 20);
  EXPECT_TRUE(knowledge.take_retry("other"));
}

TEST(LlmKnowledge, MemoryIsBounded) {
  ClientSettings settings;
  settings.memory_entries_max = 10;
  Knowledge knowledge(settings);
  for (int i = 0; i < 100; ++i) {
    knowledge.lose_parent("r" + std::to_string(i));
    knowledge.call_started("p" + std::to_string(i));
  }
  EXPECT_TRUE(knowledge.is_lost("r99"));
  EXPECT_FALSE(knowledge.is_lost("r0"));
}

}  // namespace
}  // namespace planexe::llm
