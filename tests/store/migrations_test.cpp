#include <fmt/format.h>

#include <thread>

#include "base/testpoint.hpp"
#include "store/fixture.hpp"
#include "store/migrate.hpp"

namespace planexe::store::test {
namespace {

class Migrations : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override {
    backend_ = GetParam().make();
    db_ = backend_->connect();
    known_ = value_of(embedded_migrations());
  }
  void TearDown() override { static_cast<void>(testpoint::configure("")); }

  sql::Connection& db() { return *db_; }
  std::vector<Migration> with_next(
      const std::string& text = "CREATE TABLE extra (a TEXT);\nCREATE TABLE more (b TEXT);") {
    auto list = known_;
    const int next = static_cast<int>(list.size()) + 1;
    list.push_back(value_of(make_migration(fmt::format("{:04}_next.sql", next), text)));
    return list;
  }
  bool has_table(const std::string& name) {
    const auto tables = value_of(db().tables());
    return std::find(tables.begin(), tables.end(), name) != tables.end();
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<sql::Connection> db_;
  std::vector<Migration> known_;
};

TEST_P(Migrations, AFreshDatabaseGetsTheNewestSchemaOnce) {
  EXPECT_EQ(value_of(check_schema(db(), known_)), 0);
  const auto first = value_of(migrate(db(), known_));
  EXPECT_EQ(first.from, 0);
  EXPECT_EQ(first.to, static_cast<int>(known_.size()));
  EXPECT_FALSE(first.adopted);
  const auto second = value_of(migrate(db(), known_));
  EXPECT_EQ(second.from, second.to);
  EXPECT_EQ(value_of(sql::number(db(), "SELECT COUNT(*) FROM schema_migrations")),
            static_cast<std::int64_t>(known_.size()));
}

TEST_P(Migrations, ANewMigrationKeepsTheData) {
  {
    create(*open_or_die(backend_->options()), "p1");
  }
  const auto outcome = value_of(migrate(db(), with_next("ALTER TABLE plans ADD COLUMN extra TEXT DEFAULT 'x';")));
  EXPECT_EQ(outcome.to, outcome.from + 1);
  EXPECT_EQ(value_of(sql::number(db(), "SELECT COUNT(*) FROM plans WHERE plan_id = 'p1' AND extra = 'x'")), 1);
}

TEST_P(Migrations, ANewerDatabaseIsRefusedWithBothVersions) {
  value_of(migrate(db(), with_next()));
  const auto result = check_schema(db(), known_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::DatabaseTooNew);
  EXPECT_NE(result.error().message.find(fmt::format("version {}", known_.size() + 1)), std::string::npos);
  EXPECT_NE(result.error().message.find(fmt::format("up to {}", known_.size())), std::string::npos);
  const auto opened = open_store(backend_->options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::DatabaseTooNew);
}

TEST_P(Migrations, AChangedMigrationIsRefused) {
  value_of(migrate(db(), known_));
  auto changed = known_;
  changed[0] = value_of(make_migration(changed[0].name + ".sql", changed[0].text + "-- changed\n"));
  for (const auto& list : {changed, [&] {
                             auto longer = with_next();
                             longer[0] = changed[0];
                             return longer;
                           }()}) {
    const auto result = migrate(db(), list);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::DatabaseError);
    EXPECT_NE(result.error().message.find(changed[0].name), std::string::npos);
  }
  EXPECT_FALSE(has_table("extra"));
}

TEST_P(Migrations, AGapIsRefused) {
  value_of(migrate(db(), with_next()));
  value_of(db().execute("DELETE FROM schema_migrations WHERE version = 1"));
  EXPECT_FALSE(check_schema(db(), with_next()));
}

TEST_P(Migrations, AnotherProgramsDatabaseIsLeftAlone) {
  value_of(db().script("CREATE TABLE plans (name TEXT); CREATE TABLE customers (id INTEGER);"));
  const auto result = migrate(db(), known_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
  EXPECT_NE(result.error().detail.find("customers"), std::string::npos);
  EXPECT_EQ(value_of(db().tables()), (std::vector<std::string>{"customers", "plans"}));
}

TEST_P(Migrations, AFailureBetweenAnyTwoStatementsLeavesTheOldVersion) {
  int failures = 0;
  for (int n = 1; n < 500; ++n) {
    ASSERT_TRUE(testpoint::configure(fmt::format("store.migration_statement=error@{}", n)));
    const auto result = migrate(db(), known_);
    ASSERT_TRUE(testpoint::configure(""));
    if (result) break;
    ++failures;
    // Each migration is one transaction: those before the failure are there whole, of this one there is nothing.
    const auto version = static_cast<std::size_t>(value_of(check_schema(db(), known_)));
    ASSERT_LT(version, known_.size()) << "statement " << n;
    EXPECT_EQ(value_of(db().tables()).empty(), version == 0) << "statement " << n;
  }
  EXPECT_GT(failures, 20) << "each statement failed once, then all went through";
  EXPECT_EQ(value_of(check_schema(db(), known_)), static_cast<int>(known_.size()));
}

TEST_P(Migrations, APlanOfTheFirstVersionKeepsItsOpenCalls) {
  value_of(migrate(db(), std::vector<Migration>{known_[0]}));
  value_of(db().execute("INSERT INTO plans (plan_id, prompt, created_at, updated_at) VALUES ('p', 'A', ?, ?)", {TimePoint{}, TimePoint{}}));
  for (const auto* status : {"running", "completed", "pending"})
    value_of(db().execute("INSERT INTO llm_interactions (plan_id, owner_id, stage, llm_model, status) VALUES ('p', 'p', 't', 'm', ?)", {status}));
  db_.reset();
  EXPECT_EQ(value_of(value_of(open_store(backend_->options()))->snapshot("p")).open_interactions.size(), 2U);
}

TEST_P(Migrations, ABrokenMigrationLeavesNothingBehind) {
  value_of(migrate(db(), known_));
  EXPECT_FALSE(migrate(db(), with_next("CREATE TABLE extra (a TEXT); CREATE TABLE nonsense (;")));
  EXPECT_FALSE(has_table("extra"));
  EXPECT_EQ(value_of(check_schema(db(), known_)), static_cast<int>(known_.size()));
}

TEST_P(Migrations, ManyStartsAtOnceMigrateOnce) {
  db_.reset();
  backend_ = GetParam().make();
  std::vector<std::thread> starts;
  std::atomic<int> opened{0};
  for (int i = 0; i < 6; ++i) {
    starts.emplace_back([&] {
      if (auto store = open_store(backend_->options()); store)
        ++opened;
      else
        ADD_FAILURE() << to_string(store.error());
    });
  }
  for (auto& start : starts) start.join();
  EXPECT_EQ(opened, 6);
}

TEST_P(Migrations, WithoutMigrationAnOldDatabaseIsRefused) {
  auto options = backend_->options();
  options.migrate = false;
  const auto opened = open_store(options);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("planexe db migrate"), std::string::npos);
  EXPECT_EQ(value_of(schema_status(options)).current, 0);
  EXPECT_EQ(value_of(schema_status(options)).newest, static_cast<int>(known_.size()));
  open_or_die(backend_->options());
  EXPECT_TRUE(open_store(options));
  EXPECT_EQ(value_of(schema_status(options)).current, static_cast<int>(known_.size()));
}

INSTANTIATE_TEST_SUITE_P(All, Migrations, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

TEST(MigrationText, MarksBecomeTheDialect) {
  const std::string text = "a {{id}} {{ts}} {{json}}\n-- sqlite: only here\n-- postgres: only there\n-- a remark\n";
  EXPECT_EQ(value_of(render_migration(text, sql::Dialect::sqlite)),
            "a INTEGER PRIMARY KEY TEXT TEXT\n only here\n-- a remark\n");
  EXPECT_EQ(value_of(render_migration(text, sql::Dialect::postgresql)),
            "a BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY TIMESTAMPTZ(3) JSON\n only there\n-- a remark\n");
  EXPECT_FALSE(render_migration("a {{uuid}}", sql::Dialect::sqlite));
}

TEST(MigrationText, NamesNeedANumber) {
  EXPECT_EQ(value_of(make_migration("0012_more.sql", "x")).version, 12);
  EXPECT_EQ(value_of(make_migration("0012_more.sql", "x")).name, "0012_more");
  for (const auto* name : {"more.sql", "0012.sql", "_1.sql", "-1_a.sql", ""}) EXPECT_FALSE(make_migration(name, "x"));
}

TEST(MigrationText, EveryMigrationRendersForBothDatabases) {
  for (const auto& migration : value_of(embedded_migrations())) {
    EXPECT_TRUE(render_migration(migration.text, sql::Dialect::sqlite));
    const auto text = value_of(render_migration(migration.text, sql::Dialect::postgresql));
    EXPECT_EQ(text.find("WITHOUT ROWID"), std::string::npos);
    EXPECT_EQ(text.find("group_concat"), std::string::npos);
  }
}

}  // namespace
}  // namespace planexe::store::test
