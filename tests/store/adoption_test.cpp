#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/fixture.hpp"

namespace planexe::store::test {
namespace {

/// The five tables as the reference makes them on SQLite.
constexpr const char* kReferenceSchema = R"sql(
CREATE TABLE plans (id INTEGER NOT NULL, plan_id VARCHAR(255) NOT NULL, user_id VARCHAR(255), prompt TEXT NOT NULL,
  llm_model VARCHAR(255), speed_vs_detail VARCHAR(50) NOT NULL, openrouter_api_key_hash VARCHAR(255),
  status VARCHAR(50) NOT NULL, progress_percentage INTEGER, progress_message TEXT, error_message TEXT,
  created_at DATETIME, started_at DATETIME, completed_at DATETIME, output_dir VARCHAR(500),
  estimated_duration_minutes FLOAT, actual_duration_minutes FLOAT, PRIMARY KEY (id));
CREATE UNIQUE INDEX ix_plans_plan_id ON plans (plan_id);
CREATE INDEX ix_plans_id ON plans (id);
CREATE TABLE llm_interactions (id INTEGER NOT NULL, plan_id VARCHAR(255) NOT NULL, llm_model VARCHAR(255) NOT NULL,
  stage VARCHAR(100) NOT NULL, prompt_text TEXT NOT NULL, prompt_metadata JSON, response_text TEXT,
  response_metadata JSON, status VARCHAR(50) NOT NULL, started_at DATETIME, completed_at DATETIME,
  duration_seconds FLOAT, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, error_message TEXT,
  error_code VARCHAR(50), PRIMARY KEY (id));
CREATE INDEX ix_llm_interactions_plan_id ON llm_interactions (plan_id);
CREATE TABLE plan_files (id INTEGER NOT NULL, plan_id VARCHAR(255) NOT NULL, filename VARCHAR(255) NOT NULL,
  file_type VARCHAR(50) NOT NULL, file_size_bytes INTEGER, content_hash VARCHAR(64), content_summary TEXT,
  generated_by_stage VARCHAR(100), created_at DATETIME, file_path VARCHAR(500) NOT NULL, PRIMARY KEY (id));
CREATE TABLE plan_metrics (id INTEGER NOT NULL, plan_id VARCHAR(255) NOT NULL, total_llm_calls INTEGER,
  total_tokens_used INTEGER, total_cost_usd FLOAT, plan_complexity_score FLOAT, plan_completeness_score FLOAT,
  user_rating INTEGER, user_feedback TEXT, peak_memory_mb FLOAT, cpu_time_seconds FLOAT, created_at DATETIME,
  PRIMARY KEY (id));
CREATE TABLE plan_content (id INTEGER NOT NULL, plan_id VARCHAR(255) NOT NULL, filename VARCHAR(255) NOT NULL,
  stage VARCHAR(100), content_type VARCHAR(50) NOT NULL, content TEXT NOT NULL, content_size_bytes INTEGER,
  created_at DATETIME, PRIMARY KEY (id));
CREATE INDEX idx_plan_content_plan_id_filename ON plan_content (plan_id, filename);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
)sql";

/// Rows with the faults the reference is known for.
constexpr const char* kReferenceRows = R"sql(
INSERT INTO plans (id, plan_id, prompt, llm_model, speed_vs_detail, status, progress_percentage, progress_message,
  error_message, created_at, started_at, completed_at, output_dir) VALUES
 (1, 'PlanExe_a', 'Bicycle shop', 'm', 'ALL_DETAILS_BUT_SLOW', 'completed', 100, 'done', NULL,
  '2025-10-12 10:00:00.123456', '2025-10-12 10:00:01', '2025-10-12 10:30:00+02:00', '/app/run/PlanExe_a'),
 (2, 'PlanExe_b', 'Left running', NULL, 'FAST_BUT_SKIP_DETAILS', 'running', 250, NULL, NULL,
  '2025-10-13T09:00:00', NULL, NULL, '/app/run/PlanExe_b'),
 (3, 'PlanExe_c', 'Left pending', NULL, 'balanced_speed_and_detail', 'pending', NULL, '', NULL, NULL, NULL, NULL, NULL),
 (4, 'PlanExe_d', 'Failed', NULL, 'nonsense', 'failed', -5, '', 'exit code 1', '2025-10-14 08:00:00', NULL, NULL, NULL);
INSERT INTO plan_content (id, plan_id, filename, stage, content_type, content, content_size_bytes, created_at) VALUES
 (1, 'PlanExe_a', '002-1.json', 'wbs_level1', 'json', 'newest', 1, '2025-10-12 10:20:00'),
 (2, 'PlanExe_a', '002-1.json', 'finalize', 'json', 'older', NULL, '2025-10-12 10:10:00'),
 (3, 'PlanExe_a', '002-1.json', 'finalize', 'json', 'same moment, later row', 5, '2025-10-12 10:10:00'),
 (4, 'PlanExe_a', 'report.html', NULL, 'html', '<p>', 3, NULL),
 (5, 'PlanExe_gone', 'x.md', NULL, 'markdown', 'orphan', 6, '2025-10-12 10:10:00');
INSERT INTO plan_files (id, plan_id, filename, file_type, file_size_bytes, created_at, file_path) VALUES
 (1, 'PlanExe_a', 'report.html', 'html', 3, '2025-10-12 10:29:00', '/app/run/PlanExe_a/report.html'),
 (2, 'PlanExe_a', 'report.html', 'html', 4, '2025-10-12 10:29:30', '/app/run/PlanExe_a/report.html'),
 (3, 'PlanExe_gone', 'x.md', 'md', 4, NULL, '/app/run/x.md');
INSERT INTO llm_interactions (id, plan_id, llm_model, stage, prompt_text, prompt_metadata, response_text,
  response_metadata, status, started_at, completed_at, input_tokens, output_tokens, total_tokens) VALUES
 (7, 'PlanExe_a', 'm', 'wbs_level1', 'the prompt', 'null', 'answer', '{"a": 1}', 'completed', '2025-10-12 10:01:00',
  '2025-10-12 10:01:09', 100, 20, 999),
 (8, 'PlanExe_a', 'm', 'wbs_level2', 'p', '{"x": NaN}', NULL, '{"k":1,"k":2}', 'running', '2025-10-12 10:02:00', NULL,
  NULL, NULL, NULL),
 (9, 'conv_42', 'm', 'intake', 'p', NULL, 'r', NULL, 'completed', '2025-10-12 10:02:00', NULL, 5, 6, 11),
 (15, 'task-17', 'm', 'analysis', 'p', NULL, 'r', NULL, 'failed', '2025-10-12 10:02:00', NULL, NULL, NULL, NULL);
INSERT INTO plan_metrics (id, plan_id, total_llm_calls, user_rating, created_at) VALUES
 (1, 'PlanExe_a', 3, 2, '2025-10-12 10:30:00'), (2, 'PlanExe_a', 4, 5, '2025-10-12 10:31:00'),
 (3, 'PlanExe_gone', 1, NULL, NULL);
)sql";

/// The types that the reference gets on PostgreSQL, and rows without what JSON columns there refuse.
std::string for_database(std::string text, sql::Dialect dialect) {
  if (dialect == sql::Dialect::sqlite) return text;
  for (const auto& [from, to] : {std::pair("id INTEGER NOT NULL", "id SERIAL NOT NULL"), std::pair("DATETIME", "TIMESTAMP"),
                                 std::pair("{\"x\": NaN}", "null"), std::pair("+02:00", "")})
    text = replace_all(text, from, to);
  return replace_all(text, "2025-10-12 10:30:00", "2025-10-12 08:30:00");
}

class Adoption : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override {
    backend_ = GetParam().make();
    auto db = backend_->connect();
    value_of(db->script(for_database(kReferenceSchema, db->dialect())));
    value_of(db->script(for_database(kReferenceRows, db->dialect())));
  }
  std::vector<std::string> tables() { return value_of(backend_->connect()->tables()); }
  std::int64_t count(const std::string& statement) {
    auto db = backend_->connect();
    return value_of(sql::number(*db, statement));
  }

  std::unique_ptr<Backend> backend_;
};

TEST_P(Adoption, PlansAreRepaired) {
  auto store = open_or_die(backend_->options());
  const auto done = must(store->plan("PlanExe_a"));
  EXPECT_EQ(done.status, "completed");
  EXPECT_EQ(done.speed_vs_detail, "all_details_but_slow");
  EXPECT_EQ(done.progress_percentage, 100);
  EXPECT_EQ(done.output_dir, "PlanExe_a");
  EXPECT_EQ(format_iso(done.created_at), "2025-10-12T10:00:00.123Z");
  EXPECT_EQ(format_iso(done.started_at.value()), "2025-10-12T10:00:01.000Z");
  EXPECT_EQ(format_iso(done.completed_at.value()), "2025-10-12T08:30:00.000Z");

  const auto left = must(store->plan("PlanExe_b"));
  EXPECT_EQ(left.status, "failed");
  EXPECT_EQ(left.error_code, "RUN_ABANDONED");
  EXPECT_NE(left.error_message, "");
  EXPECT_TRUE(left.completed_at);
  EXPECT_EQ(left.progress_percentage, 99);
  EXPECT_EQ(left.speed_vs_detail, "fast_but_skip_details");
  EXPECT_EQ(format_iso(left.created_at), "2025-10-13T09:00:00.000Z");

  EXPECT_EQ(must(store->plan("PlanExe_c")).error_code, "RUN_ABANDONED");
  EXPECT_EQ(must(store->plan("PlanExe_c")).speed_vs_detail, "balanced_speed_and_detail");
  const auto failed = must(store->plan("PlanExe_d"));
  EXPECT_EQ(failed.error_message, "exit code 1");
  EXPECT_EQ(failed.error_code, "");
  EXPECT_EQ(failed.progress_percentage, 0);
  EXPECT_EQ(failed.speed_vs_detail, "all_details_but_slow");
}

TEST_P(Adoption, TheNewestRowOfAFileIsCurrent) {
  auto store = open_or_die(backend_->options());
  const auto current = must(store->content("PlanExe_a", "002-1.json"));
  EXPECT_EQ(current.content, "newest");
  EXPECT_EQ(current.version, 3);
  EXPECT_EQ(current.size_bytes, 6);
  EXPECT_EQ(current.sha256, sha256_hex("newest"));
  EXPECT_EQ(must(store->content("PlanExe_a", "002-1.json", 2)).content, "same moment, later row");
  EXPECT_EQ(must(store->content("PlanExe_a", "002-1.json", 1)).content, "older");
  EXPECT_EQ(value_of(store->contents("PlanExe_a")).size(), 2u);
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_content WHERE plan_id = 'PlanExe_gone'"), 0);
  EXPECT_EQ(count("SELECT file_size_bytes FROM plan_files WHERE file_path = 'report.html'"), 4);
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_files"), 1);
}

TEST_P(Adoption, InteractionsKeepTheirPromptAndForeignOnesGetAnotherOwner) {
  auto store = open_or_die(backend_->options());
  const auto first = must(store->interaction(7));
  EXPECT_EQ(first.plan_id, "PlanExe_a");
  EXPECT_EQ(value_of(store->prompt_text(first)), "the prompt");
  EXPECT_TRUE(first.prompt_metadata.is_null());
  EXPECT_EQ(get_int(first.response_metadata, "a"), 1);
  const auto left = must(store->interaction(8));
  EXPECT_EQ(left.status, "abandoned");
  EXPECT_TRUE(left.prompt_metadata.is_null());
  EXPECT_TRUE(left.response_metadata.is_null());
  const auto conversation = must(store->interaction(9));
  EXPECT_EQ(conversation.plan_id, "");
  EXPECT_EQ(conversation.owner_kind, "conversation");
  EXPECT_EQ(conversation.owner_id, "conv_42");
  EXPECT_EQ(must(store->interaction(15)).owner_kind, "analysis");
  EXPECT_EQ(value_of(store->reserve_interaction_ids(1)), 16);
  EXPECT_EQ(value_of(store->usage("PlanExe_a")).input_tokens, 100);
}

TEST_P(Adoption, SumsComeFromTheLedgerAndRatingsStay) {
  auto store = open_or_die(backend_->options());
  EXPECT_EQ(count("SELECT user_rating FROM plan_metrics WHERE plan_id = 'PlanExe_a'"), 5);
  EXPECT_EQ(count("SELECT total_tokens_used FROM plan_metrics WHERE plan_id = 'PlanExe_a'"), 120);
  EXPECT_EQ(count("SELECT total_llm_calls FROM plan_metrics WHERE plan_id = 'PlanExe_a'"), 2);
  EXPECT_EQ(count("SELECT COUNT(*) FROM plan_metrics"), 4);
  EXPECT_EQ(value_of(store->check()), std::vector<std::string>{});
}

TEST_P(Adoption, AdoptedPlansCanBeListedSearchedAndDeleted) {
  auto store = open_or_die(backend_->options());
  EXPECT_EQ(value_of(store->plans({})).plans.size(), 4u);
  EXPECT_EQ(value_of(store->plans({.text = "BICYCLE"})).plans.size(), 1u);
  put(*store, transaction("PlanExe_a", {DeletePlan{}}));
  EXPECT_EQ(count("SELECT COUNT(*) FROM llm_interactions"), 2);
}

TEST_P(Adoption, TheOldTablesAreGoneAndTheSecondStartIsUsual) {
  {
    open_or_die(backend_->options());
  }
  for (const auto& table : tables()) EXPECT_FALSE(table.starts_with("reference")) << table;
  auto store = open_or_die(backend_->options());
  EXPECT_EQ(value_of(store->plans({})).plans.size(), 4u);
}

TEST_P(Adoption, AnOlderDatabaseWithOnlySomeTablesIsTakenToo) {
  auto other = GetParam().make();
  {
    auto db = other->connect();
    value_of(
        db->script("CREATE TABLE plans (id INTEGER PRIMARY KEY, plan_id TEXT, prompt TEXT, status TEXT);"
                   "INSERT INTO plans VALUES (1, 'PlanExe_x', 'p', 'completed');"));
  }
  auto store = open_or_die(other->options());
  EXPECT_EQ(must(store->plan("PlanExe_x")).status, "completed");
  EXPECT_TRUE(value_of(store->check()).empty());
}

INSTANTIATE_TEST_SUITE_P(All, Adoption, testing::ValuesIn(backend_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace planexe::store::test
