#include "store/copy.hpp"

#include "store/fixture.hpp"
#include "support/postgresql.hpp"

namespace planexe::store::test {
namespace {

class DatabaseCopy : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = planexe::test::PostgresqlServer::missing(); !missing.empty()) GTEST_SKIP() << missing;
    sqlite_ = sqlite_backend();
    postgresql_ = postgresql_backend();
  }
  /// Something in every table, with what is easily lost: empty and missing values, bytes, zero characters, other
  /// scripts.
  static void fill(Store& store) {
    auto plan = full_plan("PlanExe_full");
    put(store, transaction(plan.plan_id, {CreatePlan{plan, {full_task("a"), full_task("b")}, {{"a", "b", true}}}}));
    auto call = full_interaction(value_of(store.reserve_interaction_ids(5)), plan.plan_id);
    auto binary = text_file("chart.png", std::string("\x89PNG\0\xff\n", 7));
    binary.is_binary = true;
    put(store,
        transaction(plan.plan_id,
                    {PutBlocks{{block("context"), block("task"), block("unused \xf0\x9f\x9a\xb2")}},
                     PutInteraction{call}, PutItem{full_item("a", "1")}, PutContent{text_file("a.md", "one")},
                     PutContent{text_file("a.md", "two")}, PutContent{binary}, PutContent{text_file("empty.md", "")},
                     PutTaskAttempt{"a", 1, 1, "failed", at(1), std::nullopt, "TASK_FAILED", "words"},
                     PutFileRow{"a.md", "md", "hash", "a", "a.md", 3},
                     AppendEvents{{{1, "status", at(2), json::object{{"z", 1.5}, {"a", "\xe2\x80\x94"}}, 7},
                                   {2, "log", at(3), nullptr, 0}}},
                     PutMetrics{{{"user_rating", 4}, {"plan_complexity_score", 0.1}}}}));
    put(store, transaction("", {PutRecipe{"recipe", "content"}}));
    put(store,
        transaction(
            "",
            {PutConversation{{"conv_1", "model", "idle", plan.plan_id, json::object{{"k", 1}}, nullptr, at(4), at(5)}},
             PutTurn{{"conv_1", 1, "user", "hello", "", "done", nullptr, nullptr, 0, at(6), std::nullopt}}}));
    put(store, transaction("", {PutIdempotencyKey{{"ann", "key", "hash", plan.plan_id, "{}", at(1'000'000'000)}}}));
    create(store, "PlanExe_small");
  }

  std::unique_ptr<Backend> sqlite_, postgresql_;
};

TEST_F(DatabaseCopy, ThereAndBackNothingDiffers) {
  fill(*open_or_die(sqlite_->options()));
  const auto there = value_of(copy_database(sqlite_->options(), postgresql_->options()));
  auto third = sqlite_backend();
  const auto back = value_of(copy_database(postgresql_->options(), third->options()));
  EXPECT_EQ(there, back);
  std::int64_t rows = 0;
  for (const auto& table : there) {
    EXPECT_GT(table.rows, 0) << table.table;
    EXPECT_EQ(table.sha256.size(), 64u);
    rows += table.rows;
  }
  EXPECT_EQ(there.size(), 19u);
  EXPECT_GT(rows, 30);

  for (const auto* backend : {sqlite_.get(), postgresql_.get(), third.get()}) {
    auto store = open_or_die(backend->options());
    const auto plan = must(store->plan("PlanExe_full"));
    EXPECT_EQ(plan.created_at, at(1));
    EXPECT_EQ(must(store->content("PlanExe_full", "a.md")).content, "two");
    EXPECT_EQ(must(store->content("PlanExe_full", "a.md", 1)).content, "one");
    EXPECT_EQ(must(store->content("PlanExe_full", "chart.png")).content, std::string("\x89PNG\0\xff\n", 7));
    EXPECT_EQ(value_of(store->check()), std::vector<std::string>{});
  }
}

TEST_F(DatabaseCopy, TheCopyGoesOnNumberingWhereTheSourceWas) {
  fill(*open_or_die(sqlite_->options()));
  value_of(copy_database(sqlite_->options(), postgresql_->options()));
  auto store = open_or_die(postgresql_->options());
  EXPECT_EQ(value_of(store->reserve_interaction_ids(1)), 6);
  create(*store, "PlanExe_new");
  put(*store, transaction("PlanExe_new", {PutContent{text_file("new.md", "x")}, PutBlocks{{block("new")}}}));
  EXPECT_EQ(value_of(store->plans({})).plans.size(), 3u);
}

TEST_F(DatabaseCopy, ATargetInUseAndTwoFilesAreRefused) {
  fill(*open_or_die(sqlite_->options()));
  create(*open_or_die(postgresql_->options()), "p1");
  const auto used = copy_database(sqlite_->options(), postgresql_->options());
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, ErrorCode::Conflict);
  EXPECT_EQ(value_of(open_or_die(postgresql_->options())->plans({})).plans.size(), 1u);
  auto other = sqlite_backend();
  EXPECT_EQ(copy_database(sqlite_->options(), other->options()).error().code, ErrorCode::InvalidConfig);
}

TEST_F(DatabaseCopy, AnOldSourceIsRefusedAndAMissingOneIsNotMade) {
  const auto missing = copy_database(sqlite_->options(), postgresql_->options());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::IoError);
  EXPECT_TRUE(value_of(postgresql_->connect()->tables()).empty());
  const auto old = copy_database(postgresql_->options(), sqlite_->options());
  ASSERT_FALSE(old);
  EXPECT_NE(old.error().message.find("planexe db migrate"), std::string::npos);
}

TEST_F(DatabaseCopy, ValuesThatCannotBeReadLeaveNothingBehind) {
  fill(*open_or_die(sqlite_->options()));
  value_of(sqlite_->connect()->execute("UPDATE plan_events SET created_at = 'yesterday' WHERE seq = 2"));
  const auto copied = copy_database(sqlite_->options(), postgresql_->options());
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::DatabaseError);
  EXPECT_TRUE(value_of(open_or_die(postgresql_->options())->plans({})).plans.empty());
}

}  // namespace
}  // namespace planexe::store::test
