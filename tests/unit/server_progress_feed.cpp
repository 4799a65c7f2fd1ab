#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "server/limits.hpp"
#include "server/progress/feed.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using namespace std::chrono_literals;
using test::ServerPlan;

/// A plan in a real database, a hub, and the loop that feeds run on.
class ServerProgressFeed : public testing::Test {
 protected:
  ServerProgressFeed() {
    services.loop = loop.get_executor();
    services.pool = &pool;
    services.store = &plan.store();
    services.clock = &clock;
    services.random = &random;
    services.hub = &hub;
  }
  ~ServerProgressFeed() override { pool.join(); }

  template <class T>
  T wait(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(loop, std::move(work), [&](const std::exception_ptr& error, T value) {
      if (error) std::rethrow_exception(error);
      result.emplace(std::move(value));
    });
    while (!result) loop.run_one();
    return *std::move(result);
  }

  std::unique_ptr<ProgressFeed> open(std::optional<std::int64_t> after = std::nullopt) {
    auto feed = std::make_unique<ProgressFeed>(services, ServerPlan::kId, "socket");
    const auto opened = wait(feed->open(after));
    EXPECT_TRUE(opened) << to_string(opened.error());
    return feed;
  }

  /// Everything that the feed gives without waiting, as "type seq".
  std::vector<std::string> take(ProgressFeed& feed) {
    std::vector<std::string> given;
    while (auto message = wait(feed.next(clock.steady()))) {
      last = *parse_json(*message->text);
      if (message->type == "snapshot") snapshot = last;
      given.push_back(message->type + " " + std::to_string(message->seq));
    }
    return given;
  }

  static engine::Event event(std::int64_t seq, std::string type = "log", json::object payload = {}) {
    return {seq, std::move(type), ServerPlan::kNow, std::move(payload), 0};
  }
  /// As a run does: commit, then publish.
  void store(const std::vector<engine::Event>& events) {
    std::vector<store::EventRow> rows;
    for (const auto& one : events) rows.push_back({one.seq, one.type, one.at, one.payload, one.interaction_id});
    plan.write({store::AppendEvents{rows}});
  }
  void store_and_publish(const std::vector<engine::Event>& events) {
    store(events);
    hub.publish(ServerPlan::kId, events);
  }
  void end_as(const std::string& status) {
    plan.change_plan([&](auto& row) { row.status = status; });
  }
  static std::vector<std::string> named(std::string_view type, std::int64_t from, std::int64_t to) {
    std::vector<std::string> all;
    for (auto seq = from; seq <= to; ++seq) all.push_back(std::string(type) + " " + std::to_string(seq));
    return all;
  }
  using Texts = std::vector<std::string>;
  static Texts joined(std::initializer_list<Texts> parts) {
    Texts all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

  boost::asio::io_context loop;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{loop.get_executor()};
  boost::asio::thread_pool pool{2};
  ServerPlan plan;  // has the event 1, its first status
  FixedClock clock{ServerPlan::kNow};
  Random random{1};
  ProgressHub hub{clock};
  Services services;
  json::value last, snapshot;
};

TEST_F(ServerProgressFeed, AnUnknownPlanIsAnError) {
  ProgressFeed feed(services, "PlanExe_unknown", "socket");
  const auto opened = wait(feed.open(std::nullopt));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::PlanNotFound);
}

TEST_F(ServerProgressFeed, BeginsWithConnectionSnapshotAndStatus) {
  const auto feed = open();
  const auto first = *parse_json(*wait(feed->next(clock.steady()))->text);
  EXPECT_FITS(first, "ConnectionMessage");
  EXPECT_EQ(first.at("resume"), "snapshot");
  EXPECT_EQ(take(*feed), (Texts{"snapshot 1", "status 1"}));
  EXPECT_FITS(snapshot, "SnapshotMessage");
  EXPECT_EQ(snapshot.at("reason"), "connect");
  EXPECT_FITS(last, "StatusMessage");
  EXPECT_FALSE(feed->finished());
  store_and_publish({event(2), event(4)});
  EXPECT_EQ(take(*feed), (Texts{"log 2", "log 4"}));
  EXPECT_EQ(feed->last_seq(), 4);
  const auto heartbeat = feed->unnumbered("heartbeat", {});
  EXPECT_EQ(heartbeat.seq, 4);
  EXPECT_FALSE(heartbeat.numbered);
}

TEST_F(ServerProgressFeed, WhatIsPublishedWhileTheDatabaseIsReadComesAfterTheSnapshot) {
  store_and_publish({event(2)});
  ProgressFeed feed(services, ServerPlan::kId, "socket");
  std::optional<Result<void>> opened;
  boost::asio::co_spawn(loop, feed.open(std::nullopt), [&](const std::exception_ptr&, Result<void> result) { opened = std::move(result); });
  while (hub.subscribers() == 0) loop.run_one();
  store_and_publish({event(3), event(5)});
  while (!opened) loop.run_one();
  EXPECT_EQ(take(feed), (Texts{"connection 2", "snapshot 2", "status 2", "log 3", "log 5"}));
}

TEST_F(ServerProgressFeed, TheFirstMessageOfTheProcessMayComeWhileTheDatabaseIsRead) {
  ProgressFeed feed(services, ServerPlan::kId, "socket");
  std::optional<Result<void>> opened;
  boost::asio::co_spawn(loop, feed.open(std::nullopt), [&](const std::exception_ptr&, Result<void> result) { opened = std::move(result); });
  while (hub.subscribers() == 0) loop.run_one();
  store_and_publish({event(4097)});
  while (!opened) loop.run_one();
  store_and_publish({event(4098)});
  EXPECT_EQ(take(feed), (Texts{"connection 4097", "snapshot 4097", "status 4097", "log 4098"}));
}

TEST_F(ServerProgressFeed, GoesOnFromTheRingAlsoForMoreThanAQueueHolds) {
  std::vector<engine::Event> many;
  for (std::int64_t seq = 2; seq <= 3000; ++seq) many.push_back(event(seq));
  store_and_publish(many);
  const auto feed = open(5);
  EXPECT_EQ(take(*feed), joined({{"connection 5"}, named("log", 6, 3000)}));
  EXPECT_FALSE(feed->queue.too_slow());
  store_and_publish({event(3001)});
  EXPECT_EQ(take(*feed), (Texts{"log 3001"}));
}

TEST_F(ServerProgressFeed, GoesOnFromTheDatabaseThenASnapshotThenTheRing) {
  std::vector<engine::Event> before;
  for (std::int64_t seq = 2; seq <= 600; ++seq) before.push_back(event(seq));
  store(before);  // by a process that is gone
  const auto feed = open(1);
  EXPECT_EQ(wait(feed->next(clock.steady()))->type, "connection");
  store_and_publish({event(4097)});
  EXPECT_EQ(take(*feed), joined({named("log", 2, 600), {"snapshot 600", "log 4097"}}));
  EXPECT_EQ(snapshot.at("reason"), "connect");
}

TEST_F(ServerProgressFeed, ALaterProcessCoversOnlyWhatItPublished) {
  store({event(2), event(3)});
  store_and_publish({event(4097), event(4098)});
  EXPECT_EQ(take(*open(4096)), (Texts{"connection 4096", "log 4097", "log 4098"}));
  EXPECT_EQ(take(*open(2)), (Texts{"connection 2", "log 3", "log 4097", "log 4098", "snapshot 4098"}));
}

TEST_F(ServerProgressFeed, ANumberOfALostDeltaIsGoneOnFromWithoutAStepBack) {
  plan.write({store::ReserveSeq{4096}});
  const auto feed = open(50);
  EXPECT_EQ(take(*feed), (Texts{"connection 50", "snapshot 50"}));
  store_and_publish({event(4097)});
  EXPECT_EQ(take(*feed), (Texts{"log 4097"}));
}

TEST_F(ServerProgressFeed, ANumberBeyondTheLastGivesASnapshot) {
  const auto feed = open(999'999);
  EXPECT_EQ(take(*feed), (Texts{"connection 1", "snapshot 1", "status 1"}));
  EXPECT_EQ(snapshot.at("reason"), "gap");
}

TEST_F(ServerProgressFeed, TooLongAGapGivesASnapshotOnly) {
  std::vector<engine::Event> many;
  for (std::int64_t seq = 2; seq <= limits::kReplayEventsMax + 2; ++seq) many.push_back(event(seq));
  store(many);
  EXPECT_EQ(take(*open(1)), (Texts{"connection 10002", "snapshot 10002", "status 10002"}));
  EXPECT_EQ(take(*open(2)).size(), 1U + limits::kReplayEventsMax + 1U) << "exactly as many as may be replayed";
}

TEST_F(ServerProgressFeed, AnEndedPlanWithoutANumber) {
  store_and_publish({event(2, "status", {{"status", "completed"}}), event(3, "stream_end", {{"reason", "completed"}})});
  end_as("completed");
  const auto feed = open();
  EXPECT_EQ(take(*feed), (Texts{"connection 3", "snapshot 3", "status 3", "stream_end 3"}));
  EXPECT_FITS(last, "StreamEndMessage");
  EXPECT_EQ(last.at("reason"), "completed");
  EXPECT_TRUE(feed->finished());
  EXPECT_FALSE(feed->failed());
}

TEST_F(ServerProgressFeed, AnEndedPlanWithANumber) {
  store_and_publish({event(2, "status", {{"status", "failed"}}), event(3, "stream_end", {{"reason", "failed"}})});
  end_as("failed");
  EXPECT_EQ(take(*open(1)), (Texts{"connection 1", "status 2", "stream_end 3"}));
  const auto feed = open(3);
  EXPECT_TRUE(feed->nothing_left());
  EXPECT_EQ(take(*feed), (Texts{"connection 3", "status 3", "stream_end 3"}));
  EXPECT_EQ(last.at("reason"), "failed");
}

TEST_F(ServerProgressFeed, AnEndedPlanOfAnEarlierProcessNeedsNoSnapshotToItsReplay) {
  store({event(2), event(3, "status"), event(4, "stream_end")});
  end_as("cancelled");
  EXPECT_EQ(take(*open(1)), (Texts{"connection 1", "log 2", "status 3", "stream_end 4"}));
}

TEST_F(ServerProgressFeed, AnEndThatIsStoredButNotPublishedYetIsRead) {
  store_and_publish({event(2)});
  store({event(3, "status"), event(4, "stream_end")});
  end_as("completed");
  const auto early = open();
  EXPECT_EQ(take(*open(2)), (Texts{"connection 2", "status 3", "stream_end 4"}));
  hub.publish(ServerPlan::kId, {event(3, "status"), event(4, "stream_end")});
  EXPECT_EQ(take(*early), (Texts{"connection 4", "snapshot 4", "status 4", "stream_end 4"})) << "nothing twice";
}

TEST_F(ServerProgressFeed, AnEndWithoutAnyEventIsToldAllTheSame) {
  end_as("cancelled");
  EXPECT_EQ(take(*open(0)), (Texts{"connection 0", "status 1", "status 1", "stream_end 1"}));
  EXPECT_EQ(last.at("reason"), "cancelled");
}

TEST_F(ServerProgressFeed, AnEarlierEndOfAPlanThatGoesOnIsNotTheEnd) {
  store_and_publish({event(2, "stream_end"), event(3, "status")});
  const auto feed = open(1);
  EXPECT_EQ(take(*feed), (Texts{"connection 1", "stream_end 2", "status 3"}));
  EXPECT_FALSE(feed->finished());
  store_and_publish({event(4, "stream_end")});
  EXPECT_EQ(take(*feed), (Texts{"stream_end 4"}));
  EXPECT_TRUE(feed->finished());
}

TEST_F(ServerProgressFeed, WhoWatchesAnEndIsDone) {
  const auto feed = open();
  take(*feed);
  store_and_publish({event(2, "status"), event(3, "stream_end")});
  EXPECT_EQ(take(*feed), (Texts{"status 2", "stream_end 3"}));
  EXPECT_TRUE(feed->finished());
  store_and_publish({event(4, "status")});
  EXPECT_TRUE(take(*feed).empty());
}

TEST_F(ServerProgressFeed, ADeletedPlanEndsWithANumberOfItsOwn) {
  const auto feed = open();
  take(*feed);
  store_and_publish({event(2)});
  plan.write({store::DeletePlan{}});
  hub.deleted(ServerPlan::kId);
  EXPECT_EQ(take(*feed), (Texts{"log 2", "stream_end 3"})) << "after what was published before";
  EXPECT_EQ(last.at("reason"), "deleted");
  EXPECT_TRUE(feed->finished());
  EXPECT_FALSE(feed->failed());
}

TEST_F(ServerProgressFeed, APlanDeletedWhileItsStoredEventsAreReplayed) {
  std::vector<engine::Event> many;
  for (std::int64_t seq = 2; seq <= 600; ++seq) many.push_back(event(seq));
  store(many);
  const auto feed = open(0);
  for (int i = 0; i < 10; ++i) wait(feed->next(clock.steady()));
  plan.write({store::DeletePlan{}});
  hub.deleted(ServerPlan::kId);
  take(*feed);
  EXPECT_EQ(last.at("type"), "stream_end");
  EXPECT_EQ(last.at("reason"), "deleted");
}

TEST_F(ServerProgressFeed, ASnapshotStandsForWhatASlowClientDidNotTake) {
  const auto feed = open();
  take(*feed);
  std::vector<engine::Event> many;
  for (std::int64_t seq = 2; seq <= 2000; ++seq) many.push_back(event(seq));
  store_and_publish(many);
  EXPECT_EQ(take(*feed), (Texts{"snapshot 2000"}));
  EXPECT_EQ(snapshot.at("reason"), "slow_client");
  EXPECT_EQ(snapshot.at("dropped"), 1999);
  store_and_publish({event(2001)});
  EXPECT_EQ(take(*feed), (Texts{"log 2001"}));
}

TEST_F(ServerProgressFeed, ASlowClientHearsOfAnEndThatItsSnapshotStandsFor) {
  const auto feed = open();
  take(*feed);
  std::vector<engine::Event> many;
  for (std::int64_t seq = 2; seq <= 1500; ++seq) many.push_back(event(seq));
  many.push_back(event(1501, "stream_end"));
  store_and_publish(many);
  end_as("completed");
  EXPECT_EQ(take(*feed), (Texts{"snapshot 1501", "status 1501", "stream_end 1501"}));
  EXPECT_TRUE(feed->finished());
}

TEST_F(ServerProgressFeed, ASnapshotThatWasAskedForComesAfterWhatItCovers) {
  const auto feed = open();
  take(*feed);
  store_and_publish({event(2), event(3)});
  feed->ask_for_snapshot();
  store_and_publish({event(4)});
  EXPECT_EQ(take(*feed), (Texts{"log 2", "log 3", "log 4", "snapshot 4"}));
  EXPECT_EQ(snapshot.at("reason"), "requested");
  feed->ask_for_snapshot();
  EXPECT_EQ(take(*feed), (Texts{"snapshot 4"}));
  store_and_publish({event(5)});
  EXPECT_EQ(take(*feed), (Texts{"log 5"}));
}

TEST_F(ServerProgressFeed, ALookAtTheDatabaseFindsWhatWasNotPublishedHere) {
  const auto feed = open();
  take(*feed);
  store({event(2), event(3)});  // another process runs the plan
  EXPECT_TRUE(take(*feed).empty());
  hub.look_again(ServerPlan::kId);
  EXPECT_EQ(take(*feed), (Texts{"log 2", "log 3"}));
  end_as("cancelled");
  hub.look_again(ServerPlan::kId);
  EXPECT_EQ(take(*feed), (Texts{"status 3", "stream_end 3"}));
  EXPECT_EQ(last.at("reason"), "cancelled");
}

TEST_F(ServerProgressFeed, WaitsUntilSomethingIsThereOrItIsInterrupted) {
  const auto feed = open();
  take(*feed);
  std::optional<std::optional<ProgressMessage>> given;
  const auto follow = [&] {
    given.reset();
    boost::asio::co_spawn(loop, feed->next(std::chrono::steady_clock::now() + 1h),
                          [&](const std::exception_ptr&, std::optional<ProgressMessage> message) { given = std::move(message); });
    loop.poll();
    EXPECT_FALSE(given);
  };
  follow();
  store_and_publish({event(2)});
  while (!given) loop.run_one();
  ASSERT_TRUE(*given);
  EXPECT_EQ((*given)->seq, 2);
  follow();
  feed->interrupt();
  while (!given) loop.run_one();
  EXPECT_FALSE(*given);
  EXPECT_FALSE(feed->finished());
}

}  // namespace
}  // namespace planexe::server
