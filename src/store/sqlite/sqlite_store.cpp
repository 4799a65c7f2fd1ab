#include "store/sqlite/sqlite_store.hpp"

#include <fmt/format.h>

#include "store/limits.hpp"
#include "store/migrate.hpp"
#include "store/reads.hpp"
#include "store/sql_store.hpp"
#include "store/sqlite/group_writer.hpp"
#include "store/sqlite/reader_pool.hpp"

namespace planexe::store::sqlite {
namespace {

class SqliteStore final : public SqlStore {
 public:
  SqliteStore(std::unique_ptr<GroupWriter> writer, std::unique_ptr<ReaderPool> readers, std::filesystem::path file,
              int schema_version)
      : file_(std::move(file)),
        schema_version_(schema_version),
        readers_(std::move(readers)),
        writer_(std::move(writer)) {}

  Result<DatabaseFacts> facts() override {
    return read([&](auto& db) { return read_facts(db); });
  }
  Result<std::vector<std::string>> check() override {
    return read([&](auto& db) { return read_findings(db); });
  }

 protected:
  Result<void> with_reader(const Statements& statements) override {
    PLANEXE_TRY_ASSIGN(auto reader, readers_->borrow());
    return statements(*reader);
  }
  bool take(Job& job) override {
    if (writer_) writer_->submit(std::move(job));
    return writer_ != nullptr;
  }

 private:
  Result<DatabaseFacts> read_facts(sql::Connection& db) const;
  static Result<std::vector<std::string>> read_findings(sql::Connection& db);

  std::filesystem::path file_;
  int schema_version_;
  std::unique_ptr<ReaderPool> readers_;
  /// Last, so that it ends first: its answers may still read.
  std::unique_ptr<GroupWriter> writer_;
};

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
  PLANEXE_TRY_ASSIGN(const int version, prepare_schema(*db, options, file.string()));
  PLANEXE_TRY_ASSIGN(auto readers, ReaderPool::open(file, options.readers, Access::read_only_file));
  return std::make_unique<SqliteStore>(nullptr, std::move(readers), file, version);
}

}  // namespace

Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, const OpenOptions& options) {
  PLANEXE_TRY(check_place(file, options.read_only || !options.migrate));
  if (options.read_only) return open_read_only(file, options);
  PLANEXE_TRY(look_before_writing(file));
  PLANEXE_TRY_ASSIGN(auto db, Connection::open(file, Access::writer));
  PLANEXE_TRY_ASSIGN(const int version, prepare_schema(*db, options, file.string()));
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
