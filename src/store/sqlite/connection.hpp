#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sqlite3.h>

#include "store/sql.hpp"

namespace planexe::store::sqlite {

enum class Access {
  read_only_file,  ///< the file is opened for reading only
  reader,          ///< may not change anything (query_only), on a file that others write
  writer,          ///< creates the file if absent, mode 0600
};

/// An open SQLite connection with its prepared statements. One thread at a time.
///
/// WAL, synchronous=FULL (a committed transaction survives a loss of power), foreign keys on, no automatic checkpoints:
/// the store's writer runs them when it has time.
class Connection final : public sql::Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file, Access access);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  using sql::Connection::execute;
  using sql::Connection::query;
  [[nodiscard]] sql::Dialect dialect() const override { return sql::Dialect::sqlite; }
  sql::Rows query(std::string_view statement, sql::Params params) override;
  Result<std::int64_t> execute(std::string_view statement, sql::Params params) override;
  Result<void> script(std::string_view statements) override;
  Result<TimePoint> now() override;
  Result<std::vector<std::string>> tables() override;
  Result<std::vector<std::string>> columns(std::string_view table) override;

  /// True between BEGIN and COMMIT or ROLLBACK. SQLite itself rolls back after some errors.
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  /// The extended code of the last failure.
  [[nodiscard]] int last_code() const { return sqlite3_extended_errcode(db_); }
  [[nodiscard]] Error last_error() const;

  /// Pages in the write-ahead log after the last commit of this connection.
  [[nodiscard]] std::uint64_t log_pages() const { return log_pages_; }
  /// Copies what it can from the log into the database without waiting for anybody; gives SQLite's result code.
  int checkpoint();

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  class Statement;
  class Source;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using StatementPtr = std::unique_ptr<sqlite3_stmt, Finalizer>;
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  Connection(sqlite3* db, std::filesystem::path file) : db_(db), file_(std::move(file)) {}
  Result<void> configure(Access access);
  Result<std::string> log_mode();
  Result<std::string> switch_to_log();
  Result<void> configure_writer();
  Result<void> configure_reader();
  Result<Statement> prepare(std::string_view statement);
  Result<StatementPtr> compile(std::string_view statement);
  Result<void> bind(sqlite3_stmt* statement, sql::Params params, sqlite3_destructor_type lifetime);
  Result<std::vector<std::string>> names(std::string_view statement, sql::Params params);
  void give_back(StatementPtr statement, std::string text);

  sqlite3* db_;
  std::filesystem::path file_;
  /// Statements that nobody uses; one in use is out of the map, and a second user compiles its own.
  std::unordered_map<std::string, StatementPtr, Hash, std::equal_to<>> idle_;
  std::uint64_t log_pages_ = 0;
};

}  // namespace planexe::store::sqlite
