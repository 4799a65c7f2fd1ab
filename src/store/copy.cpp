#include "store/copy.hpp"

#include <fmt/format.h>

#include <array>

#include "base/hash.hpp"
#include "store/migrate.hpp"
#include "store/postgresql/connection.hpp"
#include "store/sqlite/connection.hpp"
#include "store/url.hpp"

namespace planexe::store {
namespace {

/// In an order in which what is referred to comes first.
constexpr std::array<std::string_view, 18> kTables = {
    "plans",           "plan_search",        "plan_content",       "plan_files",   "llm_interactions",
    "text_blocks",     "plan_blocks",        "interaction_blocks", "plan_metrics", "plan_tasks",
    "plan_task_edges", "plan_task_attempts", "plan_task_items",    "plan_events",  "recipes",
    "conversations",   "conversation_turns", "idempotency_keys"};
/// Has a row before anything is stored.
constexpr std::string_view kCounters = "counters";
/// Each database notes its own.
constexpr std::string_view kMigrations = "schema_migrations";
/// After so many rows the copy waits for the target: what was sent is in memory until then.
constexpr std::int64_t kRowsPerWait = 200;

enum class Kind { integer, real, boolean, text, json, bytes, time };

struct Column {
  std::string name;
  Kind kind = Kind::text;
};

/// A table as both sides have it.
struct Table {
  std::string name;
  std::vector<Column> columns;
  std::string key;       ///< columns of the primary key, comma-separated
  std::string numbered;  ///< the column that PostgreSQL numbers by itself; "" = none
};

std::string names_of(const std::vector<Column>& columns) {
  std::string names;
  for (const auto& column : columns) names += (names.empty() ? "" : ", ") + column.name;
  return names;
}

Result<Kind> kind_of(std::string_view table, std::string_view column, std::string_view type) {
  if (type == "bigint" || type == "integer") return Kind::integer;
  if (type == "double precision") return Kind::real;
  if (type == "boolean") return Kind::boolean;
  if (type == "text") return Kind::text;
  if (type == "json") return Kind::json;
  if (type == "bytea") return Kind::bytes;
  if (type.starts_with("timestamp")) return Kind::time;
  return fail(ErrorCode::DatabaseError,
              fmt::format("The column {}.{} has the type {}, which cannot be copied.", table, column, type));
}

/// The catalogue of PostgreSQL knows the types; SQLite has one type for text, time and JSON.
Result<Table> describe(sql::Connection& postgresql, std::string_view name) {
  Table table{std::string(name), {}, {}, {}};
  auto rows = postgresql.query(
      "SELECT a.attname::text, format_type(a.atttypid, NULL), a.attidentity <> '' FROM pg_attribute a "
      "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = current_schema() AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      {name});
  while (rows.next()) {
    auto column = rows.string();
    PLANEXE_TRY_ASSIGN(const auto kind, kind_of(name, column, rows.view()));
    if (rows.boolean()) table.numbered = column;
    table.columns.push_back({std::move(column), kind});
  }
  PLANEXE_TRY(rows.status());
  auto keys = postgresql.query(
      "SELECT a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
      "JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) "
      "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum "
      "WHERE n.nspname = current_schema() AND c.relname = ? AND i.indisprimary ORDER BY k.place",
      {name});
  while (keys.next()) table.key += (table.key.empty() ? "" : ", ") + keys.string();
  PLANEXE_TRY(keys.status());
  return table;
}

/// Reads one value, adds it to the hash, and gives it as a parameter; views live until the next row.
sql::Param take(sql::Rows& rows, Kind kind, Sha256& hash) {
  if (rows.null()) {
    rows.skip();
    hash.update("-");
    return {};
  }
  const auto note = [&hash](std::string_view mark, std::string_view bytes) {
    hash.update(fmt::format("{}{}:", mark, bytes.size()));
    hash.update(bytes);
  };
  switch (kind) {
    case Kind::integer: {
      const auto number = rows.integer();
      note("i", std::to_string(number));
      return number;
    }
    case Kind::real: {
      const auto number = rows.real();
      note("r", fmt::format("{}", number));
      return number;
    }
    case Kind::boolean: {
      const bool flag = rows.boolean();
      note("b", flag ? "1" : "0");
      return flag;
    }
    case Kind::time: {
      const auto time = rows.time();
      note("t", format_iso(time));
      return time;
    }
    case Kind::bytes: {
      const auto bytes = rows.view();
      note("x", bytes);
      return sql::Blob{bytes};
    }
    case Kind::text:
    case Kind::json: break;
  }
  const auto text = rows.view();
  note("s", text);
  return text;
}

using RowSink = std::function<Result<void>(sql::Params)>;

/// All rows of a table in the order of its key.
Result<CopiedTable> read_table(sql::Connection& db, const Table& table, const RowSink& sink) {
  Sha256 hash;
  CopiedTable read{table.name, 0, {}};
  auto rows = db.query(fmt::format("SELECT {} FROM {} ORDER BY {}", names_of(table.columns), table.name, table.key));
  std::vector<sql::Param> values;
  while (rows.next()) {
    values.clear();
    for (const auto& column : table.columns) values.push_back(take(rows, column.kind, hash));
    PLANEXE_TRY(rows.status());
    ++read.rows;
    if (sink) PLANEXE_TRY(sink(values));
  }
  PLANEXE_TRY(rows.status());
  read.sha256 = hash.hex();
  return read;
}

Result<CopiedTable> copy_table(sql::Connection& from, sql::Connection& to, const Table& table) {
  std::string marks;
  for (std::size_t i = 0; i < table.columns.size(); ++i) marks += i == 0 ? "?" : ", ?";
  const auto statement = fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, names_of(table.columns), marks);
  std::int64_t sent = 0;
  PLANEXE_TRY_ASSIGN(auto copied, read_table(from, table, [&](sql::Params values) -> Result<void> {
                       if (++sent % kRowsPerWait != 0) return to.send(statement, values, {});
                       PLANEXE_TRY(to.execute(statement, values));
                       return {};
                     }));
  if (!table.numbered.empty() && to.dialect() == sql::Dialect::postgresql) {
    PLANEXE_TRY(sql::number(
        to,
        fmt::format("SELECT setval(pg_get_serial_sequence('{0}', '{1}'), COALESCE(MAX({1}), 0) + 1, FALSE) FROM {0}",
                    table.name, table.numbered)));
  }
  return copied;
}

Result<void> expect_known_tables(sql::Connection& db) {
  PLANEXE_TRY_ASSIGN(const auto tables, db.tables());
  for (const auto& table : tables) {
    const bool known = table == kMigrations || table == kCounters || std::ranges::find(kTables, table) != kTables.end();
    if (!known)
      return fail(ErrorCode::DatabaseError, fmt::format("The database has a table {} that is not copied.", table));
  }
  return {};
}

Result<void> expect_empty(sql::Connection& db) {
  for (const auto table : kTables) {
    PLANEXE_TRY_ASSIGN(const auto rows,
                       sql::number(db, fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT 1) AS one", table)));
    if (rows > 0)
      return fail(ErrorCode::Conflict,
                  fmt::format("The target database is in use: {} has rows. Name an empty one.", table));
  }
  return {};
}

Result<std::vector<CopiedTable>> copy_tables(sql::Connection& from, sql::Connection& to) {
  auto& typed = from.dialect() == sql::Dialect::postgresql ? from : to;
  PLANEXE_TRY(expect_known_tables(from));
  PLANEXE_TRY(expect_empty(to));
  PLANEXE_TRY(to.execute(fmt::format("DELETE FROM {}", kCounters)));
  std::vector<CopiedTable> copied;
  std::vector<std::string_view> names(kTables.begin(), kTables.end());
  names.push_back(kCounters);
  for (const auto name : names) {
    PLANEXE_TRY_ASSIGN(const auto table, describe(typed, name));
    PLANEXE_TRY_ASSIGN(auto source, copy_table(from, to, table));
    PLANEXE_TRY_ASSIGN(const auto target, read_table(to, table, {}));
    if (target != source) {
      return fail(ErrorCode::DatabaseError,
                  fmt::format("The copy of {} differs from its source; nothing was copied.", name),
                  fmt::format("{} and {} rows", source.rows, target.rows));
    }
    copied.push_back(std::move(source));
  }
  return copied;
}

enum class Use { source, target };

Result<std::unique_ptr<sql::Connection>> connect(const DatabaseUrl& url, Use use) {
  if (url.dialect == sql::Dialect::postgresql) {
    PLANEXE_TRY_ASSIGN(const auto address, postgresql::Address::parse(url.connection));
    return postgresql::Connection::open(address, postgresql::Access::migration);
  }
  return sqlite::Connection::open(url.file,
                                  use == Use::source ? sqlite::Access::read_only_file : sqlite::Access::writer);
}

/// Whatever happens, the source is left as it was and the target has all or nothing.
Result<std::vector<CopiedTable>> copy_in_transactions(sql::Connection& from, sql::Connection& to) {
  const bool server = from.dialect() == sql::Dialect::postgresql;
  PLANEXE_TRY(from.execute(server ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN"));
  PLANEXE_TRY(to.execute(to.dialect() == sql::Dialect::postgresql ? "BEGIN" : "BEGIN IMMEDIATE"));
  auto copied = copy_tables(from, to);
  if (copied) {
    if (auto committed = to.execute("COMMIT"); !committed) copied = std::unexpected(std::move(committed).error());
  }
  if (!copied) [[maybe_unused]]
    const auto rolled_back = to.execute("ROLLBACK");
  [[maybe_unused]] const auto ended = from.execute("ROLLBACK");
  return copied;
}

}  // namespace

Result<std::vector<CopiedTable>> copy_database(const OpenOptions& from, const OpenOptions& to) {
  PLANEXE_TRY_ASSIGN(const auto source_url, parse_database_url(from.url, from.data_dir));
  PLANEXE_TRY_ASSIGN(const auto target_url, parse_database_url(to.url, to.data_dir));
  if (source_url.dialect == sql::Dialect::sqlite && target_url.dialect == sql::Dialect::sqlite) {
    return fail(ErrorCode::InvalidConfig, "Two SQLite databases: while no program runs on it, copy the file itself.");
  }
  // Looks at the source as a store would: place, schema, permissions. The target is made and migrated by the same way.
  auto look = from;
  look.migrate = false;
  look.read_only = true;
  PLANEXE_TRY(open_store(look));
  PLANEXE_TRY(open_store(to));
  PLANEXE_TRY_ASSIGN(const auto source, connect(source_url, Use::source));
  PLANEXE_TRY_ASSIGN(const auto target, connect(target_url, Use::target));
  return copy_in_transactions(*source, *target);
}

}  // namespace planexe::store
