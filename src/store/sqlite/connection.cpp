#include "store/sqlite/connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <thread>

#include "base/testpoint.hpp"
#include "base/text.hpp"
#include "store/limits.hpp"
#include "store/sqlite/error.hpp"

namespace planexe::store::sqlite {

/// A prepared statement in use. Goes back to the connection's cache when it is destroyed.
class Connection::Statement {
 public:
  Statement(Connection& owner, StatementPtr handle, std::string text)
      : owner_(&owner), handle_(std::move(handle)), text_(std::move(text)) {}
  Statement(Statement&&) = default;
  Statement& operator=(Statement&&) = delete;
  ~Statement() {
    if (!handle_) return;
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
    owner_->give_back(std::move(handle_), std::move(text_));
  }

  [[nodiscard]] sqlite3_stmt* get() const { return handle_.get(); }

 private:
  Connection* owner_;
  StatementPtr handle_;
  std::string text_;
};

class Connection::Source final : public sql::RowSource {
 public:
  Source(Connection& owner, Statement statement) : owner_(owner), statement_(std::move(statement)) {}

  Result<bool> next() override {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return std::unexpected(owner_.last_error());
  }
  [[nodiscard]] bool is_null(int column) const override {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const override {
    return sqlite3_column_int64(statement_.get(), column);
  }
  [[nodiscard]] double real(int column) const override { return sqlite3_column_double(statement_.get(), column); }
  [[nodiscard]] bool boolean(int column) const override { return integer(column) != 0; }
  [[nodiscard]] std::string_view text(int column) const override {
    // The bytes first: this call converts a number to text, and the length is then that of the text.
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return bytes == nullptr ? std::string_view() : std::string_view(bytes, static_cast<std::size_t>(size));
  }

 private:
  Connection& owner_;
  Statement statement_;
};

namespace {

/// A new database is readable by its owner only: plans are private.
void create_private(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor >= 0) ::close(descriptor);
}

int open_flags(Access access) {
  const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (access) {
    case Access::read_only_file: return common | SQLITE_OPEN_READONLY;
    case Access::reader: return common | SQLITE_OPEN_READWRITE;
    case Access::writer: return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  return common;
}

int remember_log_pages(void* target, sqlite3*, const char*, int pages) {
  *static_cast<std::uint64_t*>(target) = static_cast<std::uint64_t>(pages);
  return SQLITE_OK;
}

/// Text that both databases take: valid UTF-8 without NUL. Nearly always the text itself.
std::string_view clean(std::string_view text, std::string& storage) {
  if (text.find('\0') == std::string_view::npos && valid_utf8(text)) return text;
  storage = to_valid_utf8(text);
  return storage;
}

struct Binder {
  sqlite3_stmt* statement;
  int index;
  /// SQLITE_STATIC when the values live until the statement has run, else SQLITE_TRANSIENT.
  sqlite3_destructor_type lifetime;

  int bind_text(std::string_view text) const {
    std::string storage;
    const auto cleaned = clean(text, storage);
    return sqlite3_bind_text64(statement, index, cleaned.data() == nullptr ? "" : cleaned.data(), cleaned.size(),
                               storage.empty() ? lifetime : SQLITE_TRANSIENT, SQLITE_UTF8);
  }

  int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
  int operator()(bool flag) const { return sqlite3_bind_int(statement, index, flag ? 1 : 0); }
  int operator()(std::int64_t number) const { return sqlite3_bind_int64(statement, index, number); }
  int operator()(double number) const { return sqlite3_bind_double(statement, index, number); }
  int operator()(std::string_view text) const { return bind_text(text); }
  int operator()(const std::string& text) const { return bind_text(text); }
  int operator()(sql::Blob blob) const {
    const void* bytes = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
    return sqlite3_bind_blob64(statement, index, bytes, blob.bytes.size(), lifetime);
  }
  int operator()(TimePoint time) const {
    const std::string text = format_iso(time);
    return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
};

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Access access) {
  if (access == Access::writer) create_private(file);
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &db, open_flags(access), nullptr);
  std::unique_ptr<Connection> connection(new Connection(db, file));
  if (code != SQLITE_OK) return std::unexpected(connection->last_error());
  PLANEXE_TRY(connection->configure(access));
  return connection;
}

Connection::~Connection() {
  idle_.clear();
  sqlite3_close_v2(db_);
}

Result<void> Connection::configure(Access access) {
  sqlite3_busy_timeout(db_, static_cast<int>(limits::kBusyTimeout.count()));
  sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_wal_hook(db_, remember_log_pages, &log_pages_);
  for (const char* pragma : {"PRAGMA foreign_keys = ON", "PRAGMA temp_store = MEMORY", "PRAGMA trusted_schema = OFF"}) {
    PLANEXE_TRY(execute(pragma));
  }
  return access == Access::writer ? configure_writer() : configure_reader();
}

Result<std::string> Connection::log_mode() {
  auto rows = query("PRAGMA journal_mode = WAL");
  std::string mode = rows.next() ? rows.string() : std::string();
  PLANEXE_TRY(rows.status());
  return mode;
}

/// Switching to the log needs the file alone, and SQLite answers at once, without its busy handler, when another process
/// holds it (https://www.sqlite.org/wal.html, "sometimes queries return SQLITE_BUSY"): several starts at once wait here.
Result<std::string> Connection::switch_to_log() {
  const auto give_up = std::chrono::steady_clock::now() + limits::kBusyTimeout;
  while (true) {
    auto mode = log_mode();
    const bool busy = !mode && (last_code() & 0xff) == SQLITE_BUSY;
    if (!busy || std::chrono::steady_clock::now() >= give_up) return mode;
    std::this_thread::sleep_for(limits::kBusyPause);
  }
}

Result<void> Connection::configure_writer() {
  PLANEXE_TRY_ASSIGN(const auto mode, switch_to_log());
  if (mode != "wal") {
    return fail(ErrorCode::IoError,
                fmt::format("The file system of {} cannot hold the database (no write-ahead log). Use a local disk.",
                            file_.string()),
                fmt::format("journal mode {}", mode));
  }
  // The log file is cut back after a checkpoint, so that one burst does not keep the disk space for ever.
  for (const char* pragma :
       {"PRAGMA synchronous = FULL", "PRAGMA cache_size = -16384", "PRAGMA journal_size_limit = 67108864"}) {
    PLANEXE_TRY(execute(pragma));
  }
  return {};
}

Result<void> Connection::configure_reader() {
  PLANEXE_TRY(execute("PRAGMA query_only = ON"));
  // Reading the schema here tells at once when the file is no database.
  PLANEXE_TRY(execute("SELECT count(*) FROM sqlite_schema"));
  return {};
}

Error Connection::last_error() const { return sqlite::last_error(db_, file_); }

Result<Connection::StatementPtr> Connection::compile(std::string_view statement) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(db_, statement.data(), static_cast<int>(statement.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  StatementPtr owned(handle);
  if (code != SQLITE_OK) return std::unexpected(last_error());
  PLANEXE_ASSERT(owned != nullptr);
  return owned;
}

Result<Connection::Statement> Connection::prepare(std::string_view statement) {
  if (auto found = idle_.find(statement); found != idle_.end()) {
    auto node = idle_.extract(found);
    return Statement(*this, std::move(node.mapped()), std::move(node.key()));
  }
  PLANEXE_TRY_ASSIGN(auto handle, compile(statement));
  return Statement(*this, std::move(handle), std::string(statement));
}

void Connection::give_back(StatementPtr statement, std::string text) {
  if (idle_.size() >= limits::kStatementsMax) idle_.clear();
  idle_.try_emplace(std::move(text), std::move(statement));
}

Result<void> Connection::bind(sqlite3_stmt* statement, sql::Params params, sqlite3_destructor_type lifetime) {
  PLANEXE_ASSERT(static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) == params.size());
  for (std::size_t i = 0; i < params.size(); ++i) {
    const int code = std::visit(Binder{statement, static_cast<int>(i) + 1, lifetime}, params[i].value());
    if (code != SQLITE_OK) return std::unexpected(last_error());
  }
  return {};
}

sql::Rows Connection::query(std::string_view statement, sql::Params params) {
  auto prepared = prepare(statement);
  if (!prepared) return sql::Rows(std::move(prepared).error());
  if (auto bound = bind(prepared->get(), params, SQLITE_TRANSIENT); !bound) return sql::Rows(std::move(bound).error());
  return sql::Rows(std::make_unique<Source>(*this, *std::move(prepared)));
}

Result<std::int64_t> Connection::execute(std::string_view statement, sql::Params params) {
  PLANEXE_TRY_ASSIGN(auto prepared, prepare(statement));
  PLANEXE_TRY(bind(prepared.get(), params, SQLITE_STATIC));
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(prepared.get());
  if (code != SQLITE_DONE) return std::unexpected(last_error());
  return sqlite3_stmt_readonly(prepared.get()) != 0 ? 0 : sqlite3_changes64(db_);
}

Result<void> Connection::script(std::string_view statements) {
  const char* at = statements.data();
  const char* end = at + statements.size();
  while (at < end) {
    sqlite3_stmt* handle = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(db_, at, static_cast<int>(end - at), &handle, &tail);
    const StatementPtr owned(handle);
    if (code != SQLITE_OK) return std::unexpected(last_error());
    at = tail;
    if (!owned) continue;
    if (PLANEXE_TESTPOINT("store.migration_statement"))
      return std::unexpected(make_error(SQLITE_FULL, "injected", file_));
    int step = SQLITE_ROW;
    while (step == SQLITE_ROW) step = sqlite3_step(owned.get());
    if (step != SQLITE_DONE) return std::unexpected(last_error());
  }
  return {};
}

Result<TimePoint> Connection::now() {
  // What SQL's 'now' reads, without a statement: milliseconds since the Julian day 0, https://www.sqlite.org/c3ref/vfs.html.
  constexpr std::int64_t kUnixEpoch = 210'866'760'000'000;
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  sqlite3_int64 julian = 0;
  if (system == nullptr || system->iVersion < 2 || system->xCurrentTimeInt64(system, &julian) != SQLITE_OK)
    return fail(ErrorCode::DatabaseError, "The database cannot tell the time.");
  return TimePoint(std::chrono::milliseconds(julian - kUnixEpoch));
}

Result<std::vector<std::string>> Connection::names(std::string_view statement, sql::Params params) {
  auto rows = query(statement, params);
  std::vector<std::string> result;
  while (rows.next()) result.push_back(rows.string());
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::vector<std::string>> Connection::tables() {
  return names(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' "
      "ORDER BY name",
      {});
}

Result<std::vector<std::string>> Connection::columns(std::string_view table) {
  const sql::Param params[] = {table};
  return names("SELECT name FROM pragma_table_info(?) ORDER BY cid", params);
}

int Connection::checkpoint() {
  int log = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
  if (code == SQLITE_OK && log == done) log_pages_ = 0;
  return code;
}

}  // namespace planexe::store::sqlite
