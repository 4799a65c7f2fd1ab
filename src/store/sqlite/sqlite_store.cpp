#include "store/sqlite/sqlite_store.hpp"

#include <fmt/format.h>

#include <future>

#include "base/log.hpp"
#include "store/apply.hpp"
#include "store/limits.hpp"
#include "store/migrate.hpp"
#include "store/reads.hpp"
#include "store/sqlite/group_writer.hpp"
#include "store/sqlite/reader_pool.hpp"

namespace planexe::store::sqlite {
namespace {

Error read_only_error() {
  return {ErrorCode::InvalidConfig, "The database was opened for reading only; it cannot be changed."};
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<GroupWriter> writer, std::unique_ptr<ReaderPool> readers, std::filesystem::path file,
              int schema_version)
      : file_(std::move(file)),
        schema_version_(schema_version),
        readers_(std::move(readers)),
        writer_(std::move(writer)) {}

  void submit(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) override;

  Result<std::optional<Lease>> acquire_lease(const std::string& plan_id, const std::string& owner,
                                             std::chrono::milliseconds ttl, bool force) override {
    return write<std::optional<Lease>>(
        "lease", [=](sql::Connection& db) { return store::acquire_lease(db, plan_id, owner, ttl, force); });
  }
  Result<std::int64_t> reserve_interaction_ids(int count) override {
    return write<std::int64_t>("ids", [=](sql::Connection& db) { return store::reserve_interaction_ids(db, count); });
  }

  Result<std::vector<std::string>> runnable_plans(int limit, bool ignore_leases) override {
    return read([&](auto& db) { return reads::runnable_plans(db, limit, ignore_leases); });
  }
  Result<std::optional<PlanRow>> plan(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::plan(db, plan_id); });
  }
  Result<PlanPage> plans(const PlanQuery& query) override {
    return read([&](auto& db) { return reads::plans(db, query); });
  }
  Result<std::map<std::string, std::int64_t>> plan_counts() override {
    return read([](auto& db) { return reads::plan_counts(db); });
  }
  Result<std::vector<TaskRow>> tasks(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::tasks(db, plan_id); });
  }
  Result<std::vector<ItemRow>> items(const std::string& plan_id, const std::string& task_key) override {
    return read([&](auto& db) { return reads::items(db, plan_id, task_key); });
  }
  Result<RunSnapshot> snapshot(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::snapshot(db, plan_id); });
  }
  Result<std::vector<ContentRow>> contents(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::contents(db, plan_id, reads::Body::without); });
  }
  Result<std::optional<ContentRow>> content(const std::string& plan_id, const std::string& filename,
                                            int version) override {
    return read([&](auto& db) { return reads::content(db, plan_id, filename, version); });
  }
  Result<std::vector<EventRow>> events(const std::string& plan_id, std::int64_t after, int limit) override {
    return read([&](auto& db) { return reads::events(db, plan_id, after, limit); });
  }
  Result<std::int64_t> last_event_seq(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::last_event_seq(db, plan_id); });
  }
  Result<std::int64_t> count_events(const std::string& plan_id, std::int64_t after, int most) override {
    return read([&](auto& db) { return reads::count_events(db, plan_id, after, most); });
  }
  Result<InteractionPage> interactions(const InteractionQuery& query) override {
    return read([&](auto& db) { return reads::interactions(db, query); });
  }
  Result<std::optional<InteractionRow>> interaction(std::int64_t id) override {
    return read([&](auto& db) { return reads::interaction(db, id); });
  }
  Result<std::string> prompt_text(const InteractionRow& row) override {
    return read([&](auto& db) { return reads::prompt_text(db, row.id); });
  }
  Result<UsageTotals> usage(const std::string& plan_id, const std::string& task_key) override {
    return read([&](auto& db) { return reads::usage(db, plan_id, task_key); });
  }
  Result<std::map<std::string, PlanSums>> plan_sums(const std::vector<std::string>& plan_ids,
                                                    const std::string& filename) override {
    return read([&](auto& db) { return reads::plan_sums(db, plan_ids, filename); });
  }
  Result<TaskBoard> task_board(const std::string& plan_id) override {
    return read([&](auto& db) { return reads::task_board(db, plan_id); });
  }
  Result<InteractionPreviewPage> interaction_previews(const InteractionQuery& query, int chars) override {
    return read([&](auto& db) { return reads::interaction_previews(db, query, chars); });
  }
  Result<std::vector<EventRow>> log_events(const std::string& plan_id, std::int64_t after, int limit) override {
    return read([&](auto& db) { return reads::log_events(db, plan_id, after, limit); });
  }
  Result<std::optional<std::string>> recipe(const std::string& recipe_hash) override {
    return read([&](auto& db) { return reads::recipe(db, recipe_hash); });
  }
  Result<std::vector<std::string>> cancel_requests() override {
    return read([&](auto& db) { return reads::cancel_requests(db); });
  }
  Result<std::optional<IdempotencyRow>> idempotency_key(const std::string& identity, const std::string& key) override {
    return read([&](auto& db) { return reads::idempotency_key(db, identity, key); });
  }
  Result<std::optional<ConversationRow>> conversation(const std::string& id) override {
    return read([&](auto& db) { return reads::conversation(db, id); });
  }
  Result<std::vector<TurnRow>> turns(const std::string& conversation_id) override {
    return read([&](auto& db) { return reads::turns(db, conversation_id); });
  }
  Result<DatabaseFacts> facts() override {
    return read([&](auto& db) { return read_facts(db); });
  }
  Result<std::vector<std::string>> check() override {
    return read([&](auto& db) { return read_findings(db); });
  }

 private:
  template <class Read>
  auto read(Read&& statements) -> decltype(statements(std::declval<sql::Connection&>())) {
    PLANEXE_TRY_ASSIGN(auto reader, readers_->borrow());
    return statements(static_cast<sql::Connection&>(*reader));
  }

  /// A write whose answer is a value, in the same queue and groups as all others.
  template <class T, class Apply>
  Result<T> write(std::string label, Apply apply);

  Result<DatabaseFacts> read_facts(sql::Connection& db) const;
  static Result<std::vector<std::string>> read_findings(sql::Connection& db);

  std::filesystem::path file_;
  int schema_version_;
  std::unique_ptr<ReaderPool> readers_;
  /// Last, so that it ends first: its answers may still read.
  std::unique_ptr<GroupWriter> writer_;
};

void SqliteStore::submit(std::shared_ptr<const Transaction> transaction, std::function<void(CommitResult)> done) {
  if (!writer_) return done({CommitStatus::failed, read_only_error()});
  Job job;
  job.label = transaction->label;
  job.bytes = weight(*transaction);
  job.done = std::move(done);
  if (job.bytes > limits::kTransactionBytesMax) {
    job.apply = [bytes = std::exchange(job.bytes, 0)](sql::Connection&, TimePoint) -> Result<void> {
      return fail(ErrorCode::LimitExceeded, fmt::format("One transaction of {} bytes is too much; at most {}.", bytes,
                                                        limits::kTransactionBytesMax));
    };
  } else {
    job.apply = [transaction = std::move(transaction)](sql::Connection& db, TimePoint now) {
      return apply(db, *transaction, now);
    };
  }
  writer_->submit(std::move(job));
}

template <class T, class Apply>
Result<T> SqliteStore::write(std::string label, Apply apply) {
  if (!writer_) return std::unexpected(read_only_error());
  struct Answer {
    std::optional<Result<T>> value;
    std::promise<CommitResult> committed;
  };
  // Shared, since the writer may answer after this call has given up waiting.
  auto answer = std::make_shared<Answer>();
  Job job;
  job.label = std::move(label);
  job.apply = [answer, apply = std::move(apply)](sql::Connection& db, TimePoint) -> Result<void> {
    answer->value = apply(db);
    if (!*answer->value) return std::unexpected(answer->value->error());
    return {};
  };
  job.done = [answer](CommitResult result) { answer->committed.set_value(std::move(result)); };
  auto committed = answer->committed.get_future();
  writer_->submit(std::move(job));
  if (committed.wait_for(limits::kCommitWait) != std::future_status::ready) {
    return fail(ErrorCode::DatabaseUnavailable, "The database did not answer in time. Check the disk.");
  }
  CommitResult result = committed.get();
  if (!result.ok()) {
    if (result.error) return std::unexpected(*std::move(result.error));
    return fail(ErrorCode::DatabaseError, "The database gave no answer.");
  }
  return *std::move(answer->value);
}

Result<DatabaseFacts> SqliteStore::read_facts(sql::Connection& db) const {
  DatabaseFacts facts;
  facts.backend = "sqlite";
  facts.location = file_.string();
  facts.schema_version = schema_version_;
  PLANEXE_TRY_ASSIGN(const auto pages, sql::number(db, "PRAGMA page_count"));
  PLANEXE_TRY_ASSIGN(const auto page_size, sql::number(db, "PRAGMA page_size"));
  facts.size_bytes = pages * page_size;
  PLANEXE_TRY_ASSIGN(facts.plans, sql::number(db, "SELECT COUNT(*) FROM plans"));
  return facts;
}

Result<std::vector<std::string>> SqliteStore::read_findings(sql::Connection& db) {
  std::vector<std::string> findings;
  auto integrity = db.query("PRAGMA integrity_check(100)");
  while (integrity.next()) {
    const std::string finding = integrity.string();
    if (finding != "ok") findings.push_back("damaged file: " + finding);
  }
  PLANEXE_TRY(integrity.status());
  auto keys = db.query("PRAGMA foreign_key_check");
  while (keys.next() && findings.size() < limits::kFindingsMax) {
    const std::string table = keys.string();
    const auto row = keys.integer();
    findings.push_back(fmt::format("row without its parent: {} {} -> {}", table, row, keys.view()));
  }
  PLANEXE_TRY(keys.status());
  PLANEXE_TRY_ASSIGN(auto rules, reads::check_rules(db));
  findings.insert(findings.end(), std::make_move_iterator(rules.begin()), std::make_move_iterator(rules.end()));
  return findings;
}

/// What is wrong before SQLite is asked: its own message would only say that it cannot open the file.
Result<void> check_place(const std::filesystem::path& file, bool must_exist) {
  std::error_code error;
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, error)) {
    return fail(ErrorCode::IoError, fmt::format("The folder {} of the database does not exist. Create it, or name "
                                                "another place with DATABASE_URL or --db.",
                                                folder.string()));
  }
  const bool exists = std::filesystem::exists(file, error);
  if (exists && !std::filesystem::is_regular_file(file, error)) {
    return fail(ErrorCode::IoError,
                fmt::format("{} is no file. Name a database file with DATABASE_URL or --db.", file.string()));
  }
  if (!exists && must_exist) {
    return fail(ErrorCode::IoError, fmt::format("There is no database {}.", file.string()));
  }
  return {};
}

Result<int> prepare_schema(Connection& db, const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(const auto known, embedded_migrations());
  if (options.migrate && !options.read_only) {
    PLANEXE_TRY_ASSIGN(const auto outcome, migrate(db, known));
    if (outcome.from != outcome.to) {
      log_info("database schema brought up to date", {{"from", outcome.from}, {"to", outcome.to}});
    }
    return outcome.to;
  }
  PLANEXE_TRY_ASSIGN(const int current, check_schema(db, known));
  if (static_cast<std::size_t>(current) < known.size()) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("The database {} has schema version {}, this program needs {}. Run `planexe db migrate`.",
                            db.file().string(), current, known.back().version));
  }
  return current;
}

/// Opening for writing turns a file into one with a write-ahead log. A database that is not ours, or of a newer
/// program, is to stay as it is.
Result<void> look_before_writing(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error || size == 0) return {};
  PLANEXE_TRY_ASSIGN(auto db, Connection::open(file, Access::reader));
  PLANEXE_TRY_ASSIGN(const auto known, embedded_migrations());
  PLANEXE_TRY(check_schema(*db, known));
  return {};
}

Result<std::unique_ptr<Store>> open_read_only(const std::filesystem::path& file, const OpenOptions& options) {
  PLANEXE_TRY_ASSIGN(auto db, Connection::open(file, Access::read_only_file));
  PLANEXE_TRY_ASSIGN(const int version, prepare_schema(*db, options));
  PLANEXE_TRY_ASSIGN(auto readers, ReaderPool::open(file, options.readers, Access::read_only_file));
  return std::make_unique<SqliteStore>(nullptr, std::move(readers), file, version);
}

}  // namespace

Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, const OpenOptions& options) {
  PLANEXE_TRY(check_place(file, options.read_only || !options.migrate));
  if (options.read_only) return open_read_only(file, options);
  PLANEXE_TRY(look_before_writing(file));
  PLANEXE_TRY_ASSIGN(auto db, Connection::open(file, Access::writer));
  PLANEXE_TRY_ASSIGN(const int version, prepare_schema(*db, options));
  PLANEXE_TRY_ASSIGN(auto readers, ReaderPool::open(file, options.readers, Access::reader));
  auto writer = std::make_unique<GroupWriter>(std::move(db));
  return std::make_unique<SqliteStore>(std::move(writer), std::move(readers), file, version);
}

Result<SchemaStatus> status(const std::filesystem::path& file) {
  PLANEXE_TRY(check_place(file, true));
  PLANEXE_TRY_ASSIGN(auto db, Connection::open(file, Access::read_only_file));
  PLANEXE_TRY_ASSIGN(const auto known, embedded_migrations());
  PLANEXE_TRY_ASSIGN(const int current, check_schema(*db, known));
  return SchemaStatus{current, known.back().version};
}

}  // namespace planexe::store::sqlite
