#include <fmt/format.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/log.hpp"
#include "base/testpoint.hpp"
#include "store/fixture.hpp"
#include "store/postgresql/connection.hpp"
#include "support/postgresql.hpp"

/// What only a server can do to a store: go away, end connections, lose answers, refuse, serve several nodes.
namespace planexe::store::test {
namespace {

using planexe::test::PostgresqlServer;

class PostgresqlStore : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = PostgresqlServer::missing(); !missing.empty()) GTEST_SKIP() << missing;
    backend_ = postgresql_backend();
    store_ = open_or_die(backend_->options());
    create(*store_, "p1");
  }
  void TearDown() override { static_cast<void>(testpoint::configure("")); }

  Store& store() { return *store_; }
  std::unique_ptr<Store> another() { return open_or_die(backend_->options()); }
  std::int64_t number(const std::string& statement) { return value_of(sql::number(*backend_->connect(), statement)); }
  /// Ends every connection to the server but the one that asks. Gives their number.
  std::int64_t terminate_all() {
    return number(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'");
  }

  std::future<CommitResult> submit(Transaction work) {
    auto promise = std::make_shared<std::promise<CommitResult>>();
    store().submit(std::move(work), [promise](CommitResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  /// Until a connection of the store waits for a lock that another transaction holds.
  void wait_for_a_waiting_writer() {
    auto db = backend_->connect();
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (value_of(sql::number(*db, "SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0) return;
      std::this_thread::sleep_for(5ms);
    }
    ADD_FAILURE() << "nobody waits";
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;
};

OpenOptions options_of(const std::string& url) {
  OpenOptions options;
  options.url = url;
  return options;
}

Error open_error(const std::string& url) {
  auto store = open_store(options_of(url));
  EXPECT_FALSE(store);
  return store ? Error(ErrorCode::Internal, "") : store.error();
}

// ---- connections that end -------------------------------------------------------------------------------------------

TEST_F(PostgresqlStore, TerminatedConnectionsAreOpenedAgainUnnoticed) {
  for (int i = 1; i <= 5; ++i) {
    put(store(), transaction("p1", {ReserveSeq{i}}));
    EXPECT_EQ(must(store().plan("p1")).seq_reserved, i);
    EXPECT_GE(terminate_all(), 2);
  }
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 5);
}

TEST_F(PostgresqlStore, ConnectionsThatEndInTheMiddleLoseNothing) {
  auto other = another();
  std::atomic<bool> stop{false};
  std::thread killer([&] {
    while (!stop) {
      terminate_all();
      std::this_thread::sleep_for(5ms);
    }
  });
  constexpr int kWrites = 150;
  for (int i = 1; i <= kWrites; ++i) {
    const auto work = [&] {
      return transaction("p1",
                         {PutItem{full_item("a", std::to_string(i))}, PutContent{text_file("a.md", std::to_string(i))},
                          AppendEvents{{EventRow{.seq = i, .type = "task", .created_at = at(i)}}}});
    };
    auto result = store().commit(work());
    // A COMMIT without an answer is the caller's to repeat.
    for (int repeats = 0; result.status == CommitStatus::unknown && repeats < 50; ++repeats)
      result = store().commit(work());
    ASSERT_TRUE(result.ok()) << i << " " << to_string(*result.error);
  }
  stop = true;
  killer.join();
  EXPECT_EQ(value_of(other->items("p1", "a")).size(), std::size_t{kWrites});
  EXPECT_EQ(value_of(other->events("p1", 0, 1000)).size(), std::size_t{kWrites});
  EXPECT_EQ(must(other->content("p1", "a.md")).version, kWrites);
  EXPECT_EQ(value_of(other->check()), std::vector<std::string>{});
}

TEST_F(PostgresqlStore, ALostAnswerToCommitIsUnknownAndTheRepeatIsHarmless) {
  ASSERT_TRUE(testpoint::configure("store.connection_lost_in_commit.accept=error@1"));
  const Transaction accept{"p1",
                           std::nullopt,
                           {PutTask{full_task("a")}, PutContent{text_file("a.md", "x")},
                            AppendEvents{{EventRow{.seq = 1, .type = "task", .created_at = at(1)}}}},
                           "accept"};
  const auto lost = store().commit(accept);
  EXPECT_EQ(lost.status, CommitStatus::unknown);
  ASSERT_TRUE(lost.error);
  EXPECT_EQ(lost.error->code, ErrorCode::DatabaseUnavailable);
  EXPECT_EQ(store().commit(accept).status, CommitStatus::committed);
  EXPECT_EQ(must(store().content("p1", "a.md")).version, 1);
  EXPECT_EQ(value_of(store().events("p1", 0, 10)).size(), 1u);
}

TEST_F(PostgresqlStore, WritesWaitForAServerThatComesBackAndReadsTellThatItIsAway) {
  PostgresqlServer::shared().kill();
  const auto away = store().plan("p1");
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, ErrorCode::DatabaseUnavailable);
  EXPECT_NE(away.error().message.find("cannot be reached"), std::string::npos) << away.error().message;
  EXPECT_EQ(to_string(away.error()).find(PostgresqlServer::kPassword), std::string::npos);
  EXPECT_EQ(open_error(backend_->options().url).code, ErrorCode::DatabaseUnavailable);

  auto answer = submit(transaction("p1", {ReserveSeq{7}}));
  PostgresqlServer::shared().start();
  EXPECT_EQ(answer.get().status, CommitStatus::committed);
  // Reads ask a server that was away for long only now and then.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  auto back = store().plan("p1");
  while (!back && std::chrono::steady_clock::now() < deadline) back = store().plan("p1");
  EXPECT_EQ(must(std::move(back)).seq_reserved, 7);
}

TEST_F(PostgresqlStore, WithoutAServerTheStoreClosesAtOnceAndFailsWhatWaits) {
  put(store(), transaction("p1", {ReserveSeq{1}}));
  PostgresqlServer::shared().kill();
  std::atomic<int> failed{0};
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    store().submit(transaction("p1", {ReserveSeq{2}}), [&](const CommitResult& result) {
      if (result.status == CommitStatus::failed) ++failed;
    });
  }
  store_.reset();
  EXPECT_EQ(failed, 10);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  PostgresqlServer::shared().start();
  store_ = another();
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 1);
}

// ---- opening --------------------------------------------------------------------------------------------------------

TEST_F(PostgresqlStore, WhatIsWrongWithTheUrlIsTold) {
  auto& server = PostgresqlServer::shared();
  const auto base = fmt::format("127.0.0.1:{}", server.port());
  const auto wrong = open_error(fmt::format("postgresql://planexe:wrong-password@{}/postgres", base));
  EXPECT_EQ(wrong.code, ErrorCode::InvalidConfig);
  EXPECT_NE(wrong.message.find("refused the password of user planexe"), std::string::npos) << to_string(wrong);
  EXPECT_EQ(to_string(wrong).find("wrong-password"), std::string::npos);

  const auto nowhere = open_error(server.url("no_such_database"));
  EXPECT_EQ(nowhere.code, ErrorCode::InvalidConfig);
  EXPECT_NE(nowhere.message.find("has no database no_such_database"), std::string::npos) << to_string(nowhere);

  const auto away = open_error("postgresql://planexe:secret-word@127.0.0.1:1/postgres");
  EXPECT_EQ(away.code, ErrorCode::DatabaseUnavailable);
  EXPECT_NE(away.message.find("127.0.0.1:1"), std::string::npos);
  EXPECT_EQ(to_string(away).find("secret-word"), std::string::npos);

  for (const auto* url :
       {"postgresql://planexe:half%escape-word@host/db", "postgresql://planexe:escape-word@host/db?nonsense=1"}) {
    const auto unreadable = open_error(url);
    EXPECT_EQ(unreadable.code, ErrorCode::InvalidConfig) << url;
    EXPECT_EQ(to_string(unreadable).find("escape-word"), std::string::npos) << to_string(unreadable);
  }
}

TEST_F(PostgresqlStore, OtherEncodingsAndUsersWithoutRightsAreRefused) {
  auto& server = PostgresqlServer::shared();
  auto db = backend_->connect();
  const auto name = server.new_name();
  value_of(db->execute(fmt::format("CREATE DATABASE {}_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", name)));
  const auto latin = open_error(server.url(name + "_latin"));
  EXPECT_EQ(latin.code, ErrorCode::InvalidConfig);
  EXPECT_NE(latin.message.find("has the encoding LATIN1"), std::string::npos) << to_string(latin);

  value_of(db->execute(fmt::format("CREATE ROLE {}_guest LOGIN PASSWORD 'guest-password'", name)));
  const auto guest =
      open_error(fmt::format("postgresql://{}_guest:guest-password@127.0.0.1:{}/postgres", name, server.port()));
  EXPECT_EQ(guest.code, ErrorCode::InvalidConfig);
  EXPECT_NE(guest.message.find("may not do this"), std::string::npos) << to_string(guest);
}

TEST_F(PostgresqlStore, FactsShowNoPassword) {
  const auto facts = value_of(store().facts());
  EXPECT_EQ(facts.backend, "postgresql");
  EXPECT_EQ(facts.location,
            fmt::format("postgresql://planexe@127.0.0.1:{}/postgres", PostgresqlServer::shared().port()));
  EXPECT_EQ(facts.plans, 1);
  EXPECT_GT(facts.size_bytes, 1'000'000);
  EXPECT_GE(facts.schema_version, 2);
}

TEST_F(PostgresqlStore, ReadOnlyReadsAndRefusesWrites) {
  auto options = backend_->options();
  options.read_only = true;
  auto reader = open_or_die(options);
  EXPECT_EQ(must(reader->plan("p1")).plan_id, "p1");
  EXPECT_EQ(reader->commit(transaction("p1", {ReserveSeq{1}})).status, CommitStatus::failed);
  EXPECT_FALSE(reader->acquire_lease("p1", "me", 1s, false));
  put(store(), transaction("p1", {ReserveSeq{9}}));
  EXPECT_EQ(must(reader->plan("p1")).seq_reserved, 9) << "sees what is committed later";
}

// ---- several nodes on one database ----------------------------------------------------------------------------------

TEST_F(PostgresqlStore, ADeadNodesPlanIsTakenOverAndItsWritesAreRefused) {
  auto other = another();
  const auto first = lease(store(), "p1", "node-1", 300ms);
  EXPECT_FALSE(value_of(other->acquire_lease("p1", "node-2", 15s, false))) << "it lives";
  auto plan = small_plan("p1");
  plan.status = "running";
  put(store(), transaction("p1", {PutPlan{plan}}, first));
  EXPECT_TRUE(value_of(other->runnable_plans(10, false)).empty());

  const auto deadline = std::chrono::steady_clock::now() + 20s;
  std::optional<Lease> taken;
  while (!taken && std::chrono::steady_clock::now() < deadline) {
    if (!value_of(other->runnable_plans(10, false)).empty())
      taken = value_of(other->acquire_lease("p1", "node-2", 15s, false));
  }
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->fencing, first + 1);
  EXPECT_EQ(store().commit(transaction("p1", {PutPlan{plan}}, first)).status, CommitStatus::fenced);
  EXPECT_FALSE(value_of(store().acquire_lease("p1", "node-1", 15s, false)));
  put(*other, transaction("p1", {PutPlan{plan}}, taken->fencing));
}

TEST_F(PostgresqlStore, BlocksOfIdsNeverOverlap) {
  auto other = another();
  constexpr int kBlocks = 40;
  constexpr int kEach = 25;
  std::vector<std::int64_t> firsts[2];
  std::vector<std::thread> threads;
  for (int node = 0; node < 2; ++node) {
    threads.emplace_back([&, node] {
      Store& through = node == 0 ? store() : *other;
      for (int i = 0; i < kBlocks; ++i) firsts[node].push_back(value_of(through.reserve_interaction_ids(kEach)));
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::int64_t> ids;
  for (const auto& list : firsts) {
    for (const auto first : list) {
      for (int i = 0; i < kEach; ++i) ids.insert(first + i);
    }
  }
  EXPECT_EQ(ids.size(), std::size_t{2 * kBlocks * kEach});
}

TEST_F(PostgresqlStore, NodesThatPutAndDeleteTheSameTextsKeepWhatIsUsed) {
  auto other = another();
  constexpr int kRounds = 40;
  constexpr int kTexts = 6;
  const auto work = [&](Store& through, const std::string& node) {
    for (int i = 0; i < kRounds; ++i) {
      const auto id = fmt::format("{}-{}", node, i);
      create(through, id);
      std::vector<TextBlock> blocks;
      for (int n = 0; n < kTexts; ++n) blocks.push_back(block(fmt::format("text {}", (i + n) % kTexts)));
      auto call = full_interaction(value_of(through.reserve_interaction_ids(1)), id);
      call.prompt_blocks = {blocks[0].sha256, blocks[3].sha256};
      put(through, transaction(id, {PutBlocks{blocks}, PutInteraction{call}}));
      if (i % 2 == 0) put(through, transaction(id, {DeletePlan{}}));
    }
  };
  std::thread first([&] { work(store(), "a"); });
  std::thread second([&] { work(*other, "b"); });
  first.join();
  second.join();
  EXPECT_EQ(number("SELECT count(*) FROM plan_blocks"), kRounds * kTexts);
  EXPECT_EQ(number("SELECT count(*) FROM text_blocks"), kTexts);
  EXPECT_EQ(value_of(store().check()), std::vector<std::string>{});
  for (const auto* node : {"a", "b"}) {
    for (int i = 1; i < kRounds; i += 2) put(store(), transaction(fmt::format("{}-{}", node, i), {DeletePlan{}}));
  }
  EXPECT_EQ(number("SELECT count(*) FROM text_blocks"), 0);
}

TEST_F(PostgresqlStore, TextsAreTakenInOneOrderSoThatNobodyWaitsInACircle) {
  auto first = block("one"), second = block("two");
  if (first.sha256 > second.sha256) std::swap(first, second);
  auto other = backend_->connect();
  const auto insert = [&](const TextBlock& block) {
    return other->execute("INSERT INTO text_blocks (sha256, size_bytes, text) VALUES (?, 3, ?)",
                          {block.sha256, block.text});
  };
  // Were there a circle, this connection would be the first to see it, and fail.
  value_of(other->execute("SET deadlock_timeout = '1ms'"));
  value_of(other->execute("BEGIN"));
  value_of(insert(first));
  auto answer = submit(transaction("p1", {PutBlocks{{second, first}}}));
  wait_for_a_waiting_writer();
  value_of(insert(second));
  value_of(other->execute("COMMIT"));
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(number("SELECT count(*) FROM plan_blocks"), 2);
}

TEST_F(PostgresqlStore, OfTwoDeletionsTheLastTakesTheTextThatBothUsed) {
  const auto shared = block("shared");
  create(store(), "p2");
  for (const auto* plan : {"p1", "p2"}) put(store(), transaction(plan, {PutBlocks{{shared}}}));
  // Another node deletes p2 as this store would.
  auto other = backend_->connect();
  value_of(other->execute("BEGIN"));
  value_of(other->execute("DELETE FROM plans WHERE plan_id = 'p2'"));
  value_of(sql::number(*other, "SELECT id FROM text_blocks FOR UPDATE"));
  auto answer = submit(transaction("p1", {DeletePlan{}}));
  wait_for_a_waiting_writer();
  value_of(other->execute("DELETE FROM text_blocks WHERE NOT EXISTS (SELECT 1 FROM plan_blocks)"));
  value_of(other->execute("COMMIT"));
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(number("SELECT count(*) FROM text_blocks"), 0);
}

TEST_F(PostgresqlStore, ATextThatIsDeletedWhileItIsPutIsStoredAgain) {
  const auto text = block("fleeting");
  put(store(), transaction("p1", {PutBlocks{{text}}}));
  create(store(), "p2");
  auto other = backend_->connect();
  value_of(other->execute("BEGIN"));
  value_of(other->execute("DELETE FROM plans WHERE plan_id = 'p1'"));
  value_of(other->execute("DELETE FROM text_blocks"));
  auto answer = submit(transaction("p2", {PutBlocks{{text}}}));
  wait_for_a_waiting_writer();
  value_of(other->execute("COMMIT"));
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(number("SELECT count(*) FROM plan_blocks p JOIN text_blocks b ON b.id = p.block_id WHERE p.plan_id = 'p2'"),
            1);
}

TEST_F(PostgresqlStore, ADeadlockWithAnotherProcessIsTriedAgain) {
  create(store(), "p2");
  auto other = backend_->connect();
  value_of(other->execute("BEGIN"));
  value_of(other->execute("INSERT INTO recipes (recipe_hash, created_at, content) VALUES ('r', now(), '')"));
  auto answer = submit(transaction("p1", {ReserveSeq{5}, PutRecipe{"r", ""}}));
  wait_for_a_waiting_writer();
  // Whom of the two the server chooses is its own affair.
  if (other->execute("UPDATE plans SET title = 'held' WHERE plan_id = 'p1'"))
    value_of(other->execute("COMMIT"));
  else
    value_of(other->execute("ROLLBACK"));
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 5);
  EXPECT_EQ(number("SELECT count(*) FROM recipes"), 1);
}

TEST_F(PostgresqlStore, AWriteThatWaitsForARowOfAnotherNodeGoesOnWhenItIsFree) {
  put(store(), transaction("p1", {ReserveSeq{1}}));
  auto other = backend_->connect();
  value_of(other->execute("BEGIN"));
  value_of(other->execute("UPDATE plans SET title = 'held' WHERE plan_id = 'p1'"));
  auto answer = submit(transaction("p1", {ReserveSeq{5}}));
  wait_for_a_waiting_writer();
  value_of(other->execute("COMMIT"));
  EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(must(store().plan("p1")).title, "held");
  EXPECT_EQ(must(store().plan("p1")).seq_reserved, 5);
}

}  // namespace
}  // namespace planexe::store::test
