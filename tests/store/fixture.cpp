#include "store/fixture.hpp"

#include "base/hash.hpp"
#include "store/postgresql/connection.hpp"
#include "store/sqlite/connection.hpp"
#include "support/postgresql.hpp"
#include "support/temp_dir.hpp"

namespace planexe::store::test {
namespace {

class SqliteBackend final : public Backend {
 public:
  [[nodiscard]] OpenOptions options() const override {
    OpenOptions options;
    options.url = "sqlite:///plans.db";
    options.data_dir = folder_.path().string();
    return options;
  }
  std::unique_ptr<sql::Connection> connect() override {
    auto connection = sqlite::Connection::open(folder_ / "plans.db", sqlite::Access::writer);
    EXPECT_TRUE(connection) << to_string(connection.error());
    return *std::move(connection);
  }

 private:
  planexe::test::TempDir folder_;
};

std::unique_ptr<postgresql::Connection> postgresql_connection(const std::string& url) {
  const auto address = postgresql::Address::parse(url);
  EXPECT_TRUE(address);
  auto connection = postgresql::Connection::open(*address, postgresql::Access::writer);
  if (connection) return *std::move(connection);
  ADD_FAILURE() << to_string(connection.error());
  std::abort();
}

/// A schema of its own on the server that all tests of this program share: making and dropping a whole database takes
/// the server longer than the test.
class PostgresqlBackend final : public Backend {
 public:
  PostgresqlBackend() : url_(planexe::test::PostgresqlServer::shared().url("postgres")) {
    const auto name = planexe::test::PostgresqlServer::shared().new_name();
    value_of(postgresql_connection(url_)->sql::Connection::execute("CREATE SCHEMA " + name));
    url_ += "?options=-csearch_path%3D" + name;
  }
  [[nodiscard]] OpenOptions options() const override {
    OpenOptions options;
    options.url = url_;
    return options;
  }
  std::unique_ptr<sql::Connection> connect() override { return postgresql_connection(url_); }

 private:
  std::string url_;
};

}  // namespace

std::unique_ptr<Backend> postgresql_backend() { return std::make_unique<PostgresqlBackend>(); }

std::unique_ptr<Backend> sqlite_backend() { return std::make_unique<SqliteBackend>(); }

std::vector<BackendKind> backend_kinds() {
  std::vector<BackendKind> kinds = {{"sqlite", sqlite_backend}};
  if (planexe::test::PostgresqlServer::missing().empty()) kinds.push_back({"postgresql", postgresql_backend});
  return kinds;
}

TEST(Backends, PostgresqlIsTestedToo) {
  const auto missing = planexe::test::PostgresqlServer::missing();
  if (!missing.empty()) GTEST_SKIP() << "The store was tested on SQLite only: " << missing;
  EXPECT_EQ(backend_kinds().size(), 2u);
}

std::unique_ptr<Store> open_or_die(const OpenOptions& options) {
  auto store = open_store(options);
  if (store) return *std::move(store);
  ADD_FAILURE() << to_string(store.error());
  std::abort();
}

void StoreContract::SetUp() {
  backend_ = GetParam().make();
  store_ = open_or_die(backend_->options());
}

void StoreContract::reopen() {
  store_.reset();
  store_ = open_or_die(backend_->options());
}

std::int64_t StoreContract::count(const std::string& statement) {
  auto connection = backend_->connect();
  return value_of(sql::number(*connection, statement));
}

TimePoint at(int second) {
  return TimePoint(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31)) + std::chrono::seconds(second) + 7ms;
}

PlanRow full_plan(const std::string& plan_id) {
  PlanRow plan;
  plan.plan_id = plan_id;
  plan.user_id = "ann";
  plan.prompt = "Open a bicycle repair shop in Lyon \xe2\x80\x94 budget 80 000 EUR";
  plan.title = "Bicycle shop";
  plan.llm_model = "model-a";
  plan.speed_vs_detail = "balanced_speed_and_detail";
  plan.reasoning_effort = "high";
  plan.status = "running";
  plan.progress_percentage = 42;
  plan.progress_message = "26/61 tasks completed";
  plan.error_message = "words";
  plan.error_code = "TASK_FAILED";
  plan.failed_task_key = "review_plan";
  plan.output_dir = plan_id;
  plan.enriched_intake = json::object{{"z", 1}, {"a", json::array{2.5, nullptr, true}}};
  plan.conversation_id = "conv_1";
  plan.redline_mode = "warn";
  plan.rehearsal = true;
  plan.created_at = at(1);
  plan.updated_at = at(2);
  plan.started_at = at(3);
  plan.completed_at = at(63);
  plan.cancel_requested_at = at(5);
  plan.run_attempt = 3;
  plan.recovery_count = 2;
  plan.seq_reserved = 1000;
  plan.max_cost_micros = 1'500'000;
  plan.pipeline_version = "0.1.0";
  plan.recipe_hash = "abc";
  plan.eta_seconds = 90;
  return plan;
}

TaskRow full_task(const std::string& key) {
  TaskRow task;
  task.task_key = key;
  task.position = 7;
  task.phase = "governance";
  task.state = "completed";
  task.state_reason = "from_intake";
  task.attempt = 2;
  task.max_attempts = 5;
  task.input_hash = "hash";
  task.weight = 33;
  task.units_total = 33;
  task.units_done = 30;
  task.units_failed = 3;
  task.started_at = at(10);
  task.finished_at = at(20);
  task.duration_ms = 10'000;
  task.model = "model-a";
  task.error_code = "MODEL_REFUSED";
  task.error_message = "no";
  task.degraded = true;
  task.ask_anew = true;
  task.run_attempt = 3;
  return task;
}

ItemRow full_item(const std::string& task, const std::string& key) {
  ItemRow item;
  item.task_key = task;
  item.item_key = key;
  item.position = 4;
  item.state = "done";
  item.state_reason = "kept";
  item.attempt = 2;
  item.input_hash = "ih";
  item.result = json::object{{"title", "T"}, {"days", 5}, {"share", 2.5}};
  item.meta = json::object{{"model", "model-a"}};
  item.error_code = "OUTPUT_TRUNCATED";
  item.error_message = "cut";
  item.run_attempt = 3;
  return item;
}

InteractionRow full_interaction(std::int64_t id, const std::string& plan_id) {
  InteractionRow row;
  row.id = id;
  row.plan_id = plan_id;
  row.owner_kind = "plan";
  row.owner_id = plan_id;
  row.stage = "review_plan";
  row.call_key = "review_plan/ask/1";
  row.parent_call_key = "review_plan/ask/0";
  row.attempt_reason = "retry";
  row.attempt = 2;
  row.run_attempt = 3;
  row.llm_model = "model-a";
  row.provider = "openai";
  row.status = "completed";
  row.prompt_blocks = {block("context").sha256, block("task").sha256, block("context").sha256};
  row.prompt_metadata = json::object{{"schema", "review_plan"}};
  row.response_metadata = json::object{{"finish", "stop"}};
  row.response_text = "{\"ok\":true}";
  row.reasoning_text = "thinking";
  row.response_id = "resp_1";
  row.provider_request_id = "req_1";
  row.request_hash = "rq";
  row.transcript_hash = "tr";
  row.input_hash = "in";
  row.started_at = at(30);
  row.completed_at = at(42);
  row.input_tokens = 12'000;
  row.cached_input_tokens = 9'000;
  row.cache_write_tokens = 100;
  row.output_tokens = 700;
  row.reasoning_tokens = 200;
  row.cost_micros = 4321;
  row.price_version = "2026-01";
  row.usage_source = "estimate";
  row.queue_ms = 5;
  row.first_byte_ms = 300;
  row.first_token_ms = 400;
  row.http_status = 200;
  row.error_code = "PROVIDER_QUOTA";
  row.error_message = "message";
  row.background = true;
  row.last_event_sequence = 77;
  return row;
}

ContentRow text_file(const std::string& name, const std::string& text, const std::string& input_hash) {
  ContentRow row;
  row.filename = name;
  row.stage = "governance";
  row.content_type = "markdown";
  row.content = text;
  row.task_key = "governance";
  row.input_hash = input_hash;
  row.created_at = at(50);
  return row;
}

TextBlock block(const std::string& text) { return {sha256_hex(text), text}; }

PlanRow small_plan(const std::string& plan_id) {
  PlanRow plan;
  plan.plan_id = plan_id;
  plan.prompt = "A prompt";
  plan.speed_vs_detail = "fast_but_skip_details";
  plan.created_at = at(0);
  return plan;
}

Transaction transaction(const std::string& plan_id, std::vector<Write> writes, std::optional<std::int64_t> fencing) {
  return {plan_id, fencing, std::move(writes), "test"};
}

void put(Store& store, Transaction transaction) {
  const auto result = store.commit(std::move(transaction));
  EXPECT_EQ(result.status, CommitStatus::committed) << (result.error ? to_string(*result.error) : "");
}

void create(Store& store, const std::string& plan_id) {
  put(store, transaction(plan_id, {CreatePlan{small_plan(plan_id), {}, {}}}));
}

std::int64_t lease(Store& store, const std::string& plan_id, const std::string& owner, std::chrono::milliseconds ttl,
                   bool force) {
  return must(store.acquire_lease(plan_id, owner, ttl, force)).fencing;
}

}  // namespace planexe::store::test
