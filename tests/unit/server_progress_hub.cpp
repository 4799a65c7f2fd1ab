#include <gtest/gtest.h>

#include "server/limits.hpp"
#include "server/progress/hub.hpp"

namespace planexe::server {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPlan = "PlanExe_1";

struct Watcher final : Subscriber {
  int woken = 0;
  void wake() override { ++woken; }

  /// The numbers of everything that the hub has for it.
  std::vector<std::int64_t> take(ProgressHub& hub) {
    std::vector<std::int64_t> seqs;
    for (;;) {
      while (auto message = queue.pop()) seqs.push_back(message->seq);
      if (live || queue.dropped() > 0) return seqs;
      hub.refill(kPlan, *this);
    }
  }
};

engine::Event event(std::int64_t seq, std::string type = "log", std::size_t size = 10) {
  return {seq, std::move(type), TimePoint(0ms), {{"message", std::string(size, 'x')}}, 0};
}

std::vector<std::int64_t> numbers(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> all;
  for (auto seq = from; seq <= to; ++seq) all.push_back(seq);
  return all;
}

class ServerProgressHub : public testing::Test {
 protected:
  void publish(std::int64_t from, std::int64_t to, std::size_t size = 10) {
    for (auto seq = from; seq <= to; ++seq) hub.publish(kPlan, {event(seq, "log", size)});
  }

  FixedClock clock{TimePoint(0ms)};
  ProgressHub hub{clock};
};

TEST_F(ServerProgressHub, WhoSubscribesGetsWhatIsPublishedFromThenOnInOrder) {
  publish(1, 3);
  Watcher watcher;
  const auto position = hub.subscribe(kPlan, watcher, std::nullopt);
  EXPECT_EQ(position.last_seq, 3);
  EXPECT_FALSE(position.covered);
  EXPECT_TRUE(watcher.take(hub).empty());
  hub.publish(kPlan, {event(4), event(6)});
  EXPECT_EQ(watcher.woken, 1) << "once for all that was committed together";
  hub.publish("PlanExe_other", {event(1)});
  EXPECT_EQ(watcher.woken, 1);
  EXPECT_EQ(watcher.take(hub), (std::vector<std::int64_t>{4, 6}));
}

TEST_F(ServerProgressHub, NothingWasPublishedYet) {
  Watcher watcher;
  const auto position = hub.subscribe(kPlan, watcher, 0);
  EXPECT_FALSE(position.last_seq);
  EXPECT_FALSE(position.covered);
  hub.publish(kPlan, {});
  EXPECT_FALSE(hub.last_seq(kPlan));
  publish(5, 6);
  EXPECT_EQ(watcher.take(hub), numbers(5, 6));
}

TEST_F(ServerProgressHub, AWholeRingIsReplayedAlthoughTheQueueIsSmaller) {
  publish(1, 4000);
  Watcher watcher;
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 1).covered);
  publish(4001, 4050);
  EXPECT_TRUE(watcher.queue.empty()) << "who has not caught up is given nothing that it did not ask for";
  EXPECT_EQ(watcher.take(hub), numbers(2, 4050));
  EXPECT_TRUE(watcher.live);
  publish(4051, 4051);
  EXPECT_EQ(watcher.take(hub), numbers(4051, 4051));
}

TEST_F(ServerProgressHub, CoversFromItsFirstMessageToItsLast) {
  hub.publish(kPlan, {event(10), event(12), event(15)});
  Watcher watcher;
  EXPECT_FALSE(hub.subscribe(kPlan, watcher, 8).covered);
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 9).covered);
  EXPECT_EQ(watcher.take(hub), (std::vector<std::int64_t>{10, 12, 15}));
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 11).covered) << "a number in a gap";
  EXPECT_EQ(watcher.take(hub), (std::vector<std::int64_t>{12, 15}));
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 15).covered);
  EXPECT_TRUE(watcher.take(hub).empty());
  EXPECT_FALSE(hub.subscribe(kPlan, watcher, 16).covered) << "a number that was never given";
}

TEST_F(ServerProgressHub, KeepsAsManyMessagesAsTheContractSays) {
  publish(1, 4097);
  Watcher watcher;
  EXPECT_FALSE(hub.subscribe(kPlan, watcher, 0).covered);
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 1).covered);
  EXPECT_EQ(watcher.take(hub).size(), 4096U);
}

TEST_F(ServerProgressHub, KeepsAsManyBytesAsTheContractSays) {
  publish(1, 9, 1U << 20U);
  Watcher watcher;
  EXPECT_FALSE(hub.subscribe(kPlan, watcher, 1).covered);
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 2).covered) << "seven of a mebibyte and a little fit into eight";
  EXPECT_EQ(watcher.take(hub), numbers(3, 9)) << "also through a queue of four";
}

TEST_F(ServerProgressHub, WhoIsOvertakenByTheRingHasOverflown) {
  publish(1, 100);
  Watcher watcher;
  ASSERT_TRUE(hub.subscribe(kPlan, watcher, 10).covered);
  hub.refill(kPlan, watcher);
  EXPECT_EQ(watcher.queue.size(), 64U);
  publish(101, 5000);
  EXPECT_EQ(watcher.take(hub), numbers(11, 74)) << "what it has is not taken away";
  EXPECT_EQ(watcher.queue.dropped(), 5000 - 74);
  watcher.queue.begin_snapshot();
  publish(5001, 5001);
  EXPECT_EQ(watcher.take(hub), numbers(5001, 5001));
}

TEST_F(ServerProgressHub, ASlowWatcherHoldsNobodyUp) {
  Watcher slow, fast;
  hub.subscribe(kPlan, slow, std::nullopt);
  hub.subscribe(kPlan, fast, std::nullopt);
  hub.refill(kPlan, slow);
  for (std::int64_t seq = 1; seq <= 1500; ++seq) {
    publish(seq, seq);
    EXPECT_EQ(fast.take(hub), numbers(seq, seq));
  }
  EXPECT_EQ(slow.queue.dropped(), 1500);
  EXPECT_EQ(fast.queue.dropped(), 0);
}

TEST_F(ServerProgressHub, TextsOfRunningCallsGoWithThePosition) {
  const auto call = [](std::int64_t seq, std::string_view kind, json::object data) {
    return engine::Event{seq, "llm_stream", TimePoint(0ms),
                         {{"stage", "a"}, {"interaction_id", 7}, {"event", kind}, {"sequence", seq - 1}, {"data", std::move(data)}}, 7};
  };
  hub.publish(kPlan, {call(1, "start", {}), call(2, "text_delta", {{"delta", "Hel"}}), call(3, "text_delta", {{"delta", "lo"}})});
  const auto position = hub.position(kPlan);
  EXPECT_EQ(position.last_seq, 3);
  ASSERT_EQ(position.interactions.size(), 1U);
  EXPECT_EQ(position.interactions[0].as_object().at("text"), "Hello");
  Watcher watcher;
  EXPECT_EQ(hub.subscribe(kPlan, watcher, std::nullopt).interactions.size(), 1U);
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 1).interactions.empty()) << "who goes on from the ring gets the deltas";
  hub.publish(kPlan, {event(4, "stream_end")});
  EXPECT_TRUE(hub.position(kPlan).interactions.empty()) << "a call without an end does not outlive the run";
}

TEST_F(ServerProgressHub, ADeletedPlanIsToldAndForgotten) {
  publish(1, 5);
  Watcher one, two;
  hub.subscribe(kPlan, one, std::nullopt);
  hub.subscribe(kPlan, two, 2);
  EXPECT_EQ(hub.subscribers(), 2U);
  hub.deleted(kPlan);
  EXPECT_TRUE(one.deleted && two.deleted);
  EXPECT_EQ(one.woken + two.woken, 2);
  EXPECT_EQ(hub.subscribers(), 0U);
  EXPECT_EQ(hub.plans(), 0U);
  hub.unsubscribe(kPlan, one);
  EXPECT_EQ(hub.subscribers(), 0U) << "whoever leaves afterwards is not counted twice";
  hub.deleted("PlanExe_unknown");
}

TEST_F(ServerProgressHub, TheRingStaysTenMinutesAfterTheEndAndLongerWhileSomebodyWatches) {
  hub.publish(kPlan, {event(1), event(2, "stream_end")});
  clock.advance(10min);
  hub.forget_old();
  Watcher watcher;
  EXPECT_TRUE(hub.subscribe(kPlan, watcher, 1).covered);
  clock.advance(1min);
  hub.forget_old();
  EXPECT_EQ(hub.plans(), 1U);
  hub.unsubscribe(kPlan, watcher);
  hub.forget_old();
  EXPECT_EQ(hub.plans(), 0U);
}

TEST_F(ServerProgressHub, APlanThatGoesOnAfterItsEndKeepsItsRing) {
  hub.publish(kPlan, {event(1), event(2, "stream_end")});
  clock.advance(9min);
  hub.publish(kPlan, {event(3, "status")});
  clock.advance(50min);
  hub.forget_old();
  EXPECT_EQ(hub.last_seq(kPlan), 3);
  clock.advance(11min);
  hub.forget_old();
  EXPECT_FALSE(hub.last_seq(kPlan)) << "its end was never seen here";
}

TEST_F(ServerProgressHub, APlanThatWasOnlyLookedAtIsForgottenAtOnce) {
  Watcher watcher;
  hub.subscribe(kPlan, watcher, std::nullopt);
  EXPECT_EQ(hub.watched(), std::vector<std::string>{kPlan});
  hub.look_again(kPlan);
  EXPECT_TRUE(watcher.look);
  EXPECT_EQ(watcher.woken, 1);
  hub.unsubscribe(kPlan, watcher);
  EXPECT_EQ(hub.plans(), 0U);
  EXPECT_TRUE(hub.watched().empty());
}

}  // namespace
}  // namespace planexe::server
