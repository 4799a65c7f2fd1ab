#include "store/adopt.hpp"

#include <fmt/format.h>

#include <array>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "store/apply.hpp"

namespace planexe::store {
namespace {

constexpr std::array<std::string_view, 5> kReferenceTables = {"plans", "plan_content", "plan_files", "llm_interactions",
                                                              "plan_metrics"};
constexpr std::string_view kPrefix = "reference_";
/// Longer names PostgreSQL cuts by itself.
constexpr std::size_t kNameBytesMax = 63;

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The old table under its new name and the columns it has: they differ between versions of the reference.
class OldTable {
 public:
  static Result<OldTable> open(sql::Connection& db, std::string_view name) {
    OldTable table;
    table.name_ = fmt::format("{}{}", kPrefix, name);
    table.sqlite_ = db.dialect() == sql::Dialect::sqlite;
    PLANEXE_TRY_ASSIGN(table.columns_, db.columns(table.name_));
    return table;
  }

  [[nodiscard]] bool exists() const { return !columns_.empty(); }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// The column, or `otherwise` when the table has none of that name.
  [[nodiscard]] std::string column(std::string_view name, std::string_view otherwise = "NULL") const {
    return has(columns_, name) ? fmt::format("o.{}", name) : std::string(otherwise);
  }
  /// The column with `otherwise` for NULL as well.
  [[nodiscard]] std::string filled(std::string_view name, std::string_view otherwise) const {
    return fmt::format("COALESCE({}, {})", column(name), otherwise);
  }
  /// A time as UTC; NULL when it cannot be read.
  [[nodiscard]] std::string time(std::string_view name) const {
    const std::string value = column(name);
    if (value == "NULL") return sqlite_ ? value : "CAST(NULL AS TIMESTAMPTZ)";
    return sqlite_ ? fmt::format("strftime('%Y-%m-%dT%H:%M:%fZ', {})", value)
                   : fmt::format("({} AT TIME ZONE 'UTC')", value);
  }
  /// JSON that can be read, else NULL.
  [[nodiscard]] std::string json(std::string_view name) const {
    const std::string value = column(name);
    if (value == "NULL") return value;
    if (!sqlite_) return fmt::format("CASE WHEN CAST({0} AS TEXT) <> 'null' THEN {0} END", value);
    return fmt::format("CASE WHEN json_valid({0}) AND {0} <> 'null' THEN {0} END", value);
  }

 private:
  std::string name_;
  bool sqlite_ = true;
  std::vector<std::string> columns_;
};

/// Columns of the new table and the expressions that fill them.
struct Copy {
  std::string columns, expressions;

  Copy& add(std::string_view column, std::string_view expression) {
    if (!columns.empty()) {
      columns += ", ";
      expressions += ", ";
    }
    columns += column;
    expressions += expression;
    return *this;
  }
};

Result<std::int64_t> run(sql::Connection& db, std::string_view table, const Copy& copy, std::string_view from,
                         std::initializer_list<sql::Param> params = {}) {
  return db.execute(fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", table, copy.columns, copy.expressions, from),
                    params);
}

std::string status_of_plan(const OldTable& old) {
  return fmt::format(
      "CASE lower({0}) WHEN 'completed' THEN 'completed' WHEN 'cancelled' THEN 'cancelled' "
      "ELSE 'failed' END",
      old.filled("status", "''"));
}

std::string speed(const OldTable& old) {
  return fmt::format(
      "CASE WHEN lower({0}) LIKE '%fast%' THEN 'fast_but_skip_details' "
      "WHEN lower({0}) LIKE '%balanced%' THEN 'balanced_speed_and_detail' "
      "ELSE 'all_details_but_slow' END",
      old.filled("speed_vs_detail", "''"));
}

std::string progress(const OldTable& old) {
  return fmt::format(
      "CASE WHEN lower({0}) = 'completed' THEN 100 WHEN {1} < 0 THEN 0 WHEN {1} > 99 THEN 99 "
      "ELSE {1} END",
      old.filled("status", "''"), old.filled("progress_percentage", "0"));
}

Result<void> copy_plans(sql::Connection& db, const OldTable& old, TimePoint now) {
  const std::string created = fmt::format("COALESCE({}, {}, ?)", old.time("created_at"), old.time("started_at"));
  const std::string left = fmt::format("lower({}) IN ('pending', 'running')", old.filled("status", "''"));
  Copy copy;
  copy.add("plan_id", "o.plan_id").add("prompt", old.filled("prompt", "''"));
  for (const auto* column : {"user_id", "llm_model", "openrouter_api_key_hash", "estimated_duration_minutes",
                             "actual_duration_minutes", "reasoning_effort"}) {
    copy.add(column, old.column(column));
  }
  copy.add("speed_vs_detail", speed(old)).add("status", status_of_plan(old)).add("progress_percentage", progress(old));
  copy.add("progress_message", old.filled("progress_message", "''"));
  copy.add("error_code", fmt::format("CASE WHEN {} THEN 'RUN_ABANDONED' END", left));
  copy.add("error_message",
           fmt::format("CASE WHEN {} THEN 'The program that ran this plan ended before the plan was done.' ELSE {} END",
                       left, old.column("error_message")));
  copy.add("created_at", created).add("updated_at", "?").add("output_dir", "o.plan_id");
  copy.add("started_at", old.time("started_at"));
  copy.add("completed_at", fmt::format("CASE WHEN {} THEN COALESCE({}, ?) ELSE {} END", left, old.time("completed_at"),
                                       old.time("completed_at")));
  PLANEXE_TRY(run(db, "plans", copy, fmt::format("{} o ORDER BY o.id", old.name()), {now, now, now}));
  return {};
}

Result<void> copy_contents(sql::Connection& db, const OldTable& old, TimePoint now) {
  if (!old.exists()) return {};
  const std::string created = fmt::format("COALESCE({}, p.created_at, ?)", old.time("created_at"));
  const std::string age = fmt::format("COALESCE({}, p.created_at)", old.time("created_at"));
  const auto row_number = [&](std::string_view direction) {
    return fmt::format("ROW_NUMBER() OVER (PARTITION BY o.plan_id, o.filename ORDER BY {0} {1}, o.id {1})", age,
                       direction);
  };
  Copy copy;
  copy.add("plan_id", "o.plan_id").add("filename", "o.filename");
  copy.add("version", row_number("ASC"));
  copy.add("is_current", row_number("DESC") + " = 1");
  copy.add("stage", old.column("stage")).add("content_type", old.filled("content_type", "'unknown'"));
  copy.add("content_size_bytes", "0").add("sha256", "''").add("created_at", created);
  copy.add("content", old.filled("content", "''"));
  PLANEXE_TRY(
      run(db, "plan_content", copy, fmt::format("{} o JOIN plans p ON p.plan_id = o.plan_id", old.name()), {now}));
  return {};
}

/// Rows of which only the newest of each key is kept.
std::string newest_of(const OldTable& old, std::string_view key) {
  return fmt::format(
      "(SELECT r.*, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY r.id DESC) AS age FROM {} r) o "
      "JOIN plans p ON p.plan_id = o.plan_id WHERE o.age = 1",
      key, old.name());
}

Result<void> copy_files(sql::Connection& db, const OldTable& old, TimePoint now) {
  if (!old.exists()) return {};
  const std::string created = fmt::format("COALESCE({}, p.created_at, ?)", old.time("created_at"));
  Copy copy;
  copy.add("plan_id", "o.plan_id").add("filename", "o.filename").add("file_type", old.filled("file_type", "'unknown'"));
  for (const auto* column : {"file_size_bytes", "content_hash", "content_summary", "generated_by_stage"}) {
    copy.add(column, old.column(column));
  }
  copy.add("created_at", created).add("updated_at", created).add("file_path", "o.filename");
  PLANEXE_TRY(run(db, "plan_files", copy, newest_of(old, "r.plan_id, r.filename"), {now, now}));
  return {};
}

std::string status_of_interaction(const OldTable& old) {
  return fmt::format(
      "CASE lower({}) WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed' "
      "WHEN 'cancelled' THEN 'cancelled' ELSE 'abandoned' END",
      old.filled("status", "''"));
}

Result<void> copy_interactions(sql::Connection& db, const OldTable& old) {
  if (!old.exists()) return {};
  const std::string input = old.filled("input_tokens", "0");
  const std::string output = old.filled("output_tokens", "0");
  Copy copy;
  copy.add("id", "o.id").add("plan_id", "p.plan_id");
  copy.add("owner_kind",
           "CASE WHEN p.plan_id IS NOT NULL THEN 'plan' WHEN o.plan_id LIKE 'conv%' THEN 'conversation' "
           "ELSE 'analysis' END");
  copy.add("owner_id", old.filled("plan_id", "''")).add("stage", old.filled("stage", "''"));
  copy.add("llm_model", old.filled("llm_model", "''")).add("status", status_of_interaction(old));
  copy.add("started_at", old.time("started_at")).add("completed_at", old.time("completed_at"));
  copy.add("duration_seconds", old.column("duration_seconds"));
  copy.add("input_tokens", input).add("output_tokens", output);
  copy.add("total_tokens", fmt::format("{} + {}", input, output));
  copy.add("error_code", old.column("error_code")).add("error_message", old.column("error_message"));
  copy.add("prompt_text", old.column("prompt_text")).add("prompt_metadata", old.json("prompt_metadata"));
  copy.add("response_text", old.column("response_text")).add("response_metadata", old.json("response_metadata"));
  PLANEXE_TRY(run(db, "llm_interactions", copy,
                  fmt::format("{} o LEFT JOIN plans p ON p.plan_id = o.plan_id ORDER BY o.id", old.name())));
  PLANEXE_TRY(
      db.execute("UPDATE counters SET next_value = (SELECT COALESCE(MAX(id), 0) + 1 FROM llm_interactions) "
                 "WHERE name = 'llm_interactions'"));
  return {};
}

Result<void> copy_metrics(sql::Connection& db, const OldTable& old, TimePoint now) {
  if (old.exists()) {
    Copy copy;
    copy.add("plan_id", "o.plan_id").add("created_at", fmt::format("COALESCE({}, ?)", old.time("created_at")));
    copy.add("updated_at", "?");
    for (const auto* column : {"plan_complexity_score", "plan_completeness_score", "user_rating", "user_feedback",
                               "peak_memory_mb", "cpu_time_seconds"}) {
      copy.add(column, old.column(column));
    }
    PLANEXE_TRY(run(db, "plan_metrics", copy, newest_of(old, "r.plan_id"), {now, now}));
  }
  PLANEXE_TRY(
      db.execute("INSERT INTO plan_metrics (plan_id, created_at, updated_at) SELECT plan_id, ?, ? FROM plans "
                 "WHERE NOT EXISTS (SELECT 1 FROM plan_metrics m WHERE m.plan_id = plans.plan_id)",
                 {now, now}));
  PLANEXE_TRY(
      db.execute("UPDATE plan_metrics SET "
                 "total_llm_calls = (SELECT COUNT(*) FROM llm_interactions i WHERE i.plan_id = plan_metrics.plan_id), "
                 "total_tokens_used = (SELECT COALESCE(SUM(total_tokens), 0) FROM llm_interactions i WHERE i.plan_id = "
                 "plan_metrics.plan_id), "
                 "input_tokens = (SELECT COALESCE(SUM(input_tokens), 0) FROM llm_interactions i WHERE i.plan_id = "
                 "plan_metrics.plan_id), "
                 "output_tokens = (SELECT COALESCE(SUM(output_tokens), 0) FROM llm_interactions i WHERE i.plan_id = "
                 "plan_metrics.plan_id)"));
  return {};
}

/// What SQL cannot compute on both databases.
Result<void> note_hashes(sql::Connection& db) {
  auto rows = db.query("SELECT id, content FROM plan_content");
  struct Noted {
    std::int64_t id;
    std::size_t size;
    std::string sha256;
  };
  std::vector<Noted> noted;
  while (rows.next()) {
    const auto id = rows.integer();
    const auto bytes = rows.view();
    noted.push_back({id, bytes.size(), sha256_hex(bytes)});
  }
  PLANEXE_TRY(rows.status());
  for (const auto& entry : noted) {
    PLANEXE_TRY(db.execute("UPDATE plan_content SET content_size_bytes = ?, sha256 = ? WHERE id = ?",
                           {entry.size, entry.sha256, entry.id}));
  }
  return {};
}

Result<void> note_search_texts(sql::Connection& db) {
  auto rows = db.query("SELECT plan_id, prompt FROM plans");
  while (rows.next()) {
    const std::string plan_id = rows.string();
    PLANEXE_TRY(
        sql::insert(db, "plan_search", {{"plan_id", plan_id}, {"folded_text", writes::folded_text({}, rows.view())}}));
  }
  return rows.status();
}

/// The reference wrote JSON that its own language accepts; what ours cannot read is left out.
Result<void> drop_unreadable_json(sql::Connection& db, std::string_view column) {
  auto rows = db.query(fmt::format("SELECT id, {0} FROM llm_interactions WHERE {0} IS NOT NULL", column));
  std::vector<std::int64_t> unreadable;
  while (rows.next()) {
    const auto id = rows.integer();
    if (!parse_json(rows.view())) unreadable.push_back(id);
  }
  PLANEXE_TRY(rows.status());
  for (const auto id : unreadable) {
    PLANEXE_TRY(db.execute(fmt::format("UPDATE llm_interactions SET {} = NULL WHERE id = ?", column), {id}));
  }
  return {};
}

Result<void> drop_old_tables(sql::Connection& db) {
  PLANEXE_TRY_ASSIGN(const auto tables, db.tables());
  for (const auto table : kReferenceTables) {
    const std::string name = fmt::format("{}{}", kPrefix, table);
    if (has(tables, name)) PLANEXE_TRY(db.execute(fmt::format("DROP TABLE {}", name)));
  }
  return {};
}

}  // namespace

namespace {

/// Indexes and sequences of the old tables get out of the way too: a new table whose index name is taken gets another
/// one, and a later migration would not find it.
Result<void> rename_companions(sql::Connection& db, std::string_view table) {
  auto rows = db.query(
      "SELECT c.relname::text, c.relkind = 'S' FROM pg_class t JOIN pg_depend d ON d.refobjid = t.oid "
      "JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = t.relnamespace "
      "WHERE n.nspname = current_schema() AND t.relname = ? UNION "
      "SELECT c.relname::text, FALSE FROM pg_class t JOIN pg_index i ON i.indrelid = t.oid "
      "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = t.relnamespace "
      "WHERE n.nspname = current_schema() AND t.relname = ?",
      {table, table});
  std::vector<std::pair<std::string, bool>> companions;
  while (rows.next()) {
    auto name = rows.string();
    companions.emplace_back(std::move(name), rows.boolean());
  }
  PLANEXE_TRY(rows.status());
  for (const auto& [name, sequence] : companions) {
    const auto quoted = replace_all(name, "\"", "\"\"");
    PLANEXE_TRY(db.execute(fmt::format("ALTER {} \"{}\" RENAME TO \"{}{}\"", sequence ? "SEQUENCE" : "INDEX", quoted,
                                       kPrefix, quoted.substr(0, kNameBytesMax - kPrefix.size()))));
  }
  return {};
}

}  // namespace

Result<bool> is_reference_database(sql::Connection& db) {
  PLANEXE_TRY_ASSIGN(const auto columns, db.columns("plans"));
  return has(columns, "id") && has(columns, "plan_id") && has(columns, "prompt") && has(columns, "status") &&
         !has(columns, "fencing");
}

Result<void> set_reference_tables_aside(sql::Connection& db) {
  PLANEXE_TRY_ASSIGN(const auto tables, db.tables());
  for (const auto table : kReferenceTables) {
    if (!has(tables, table)) continue;
    if (db.dialect() == sql::Dialect::postgresql) PLANEXE_TRY(rename_companions(db, table));
    PLANEXE_TRY(db.execute(fmt::format("ALTER TABLE {0} RENAME TO {1}{0}", table, kPrefix)));
  }
  return {};
}

Result<void> copy_reference_tables(sql::Connection& db) {
  PLANEXE_TRY_ASSIGN(const TimePoint now, db.now());
  PLANEXE_TRY_ASSIGN(const auto plans, OldTable::open(db, "plans"));
  PLANEXE_TRY_ASSIGN(const auto contents, OldTable::open(db, "plan_content"));
  PLANEXE_TRY_ASSIGN(const auto files, OldTable::open(db, "plan_files"));
  PLANEXE_TRY_ASSIGN(const auto interactions, OldTable::open(db, "llm_interactions"));
  PLANEXE_TRY_ASSIGN(const auto metrics, OldTable::open(db, "plan_metrics"));
  PLANEXE_TRY(copy_plans(db, plans, now));
  PLANEXE_TRY(copy_contents(db, contents, now));
  PLANEXE_TRY(copy_files(db, files, now));
  PLANEXE_TRY(copy_interactions(db, interactions));
  PLANEXE_TRY(copy_metrics(db, metrics, now));
  PLANEXE_TRY(note_hashes(db));
  PLANEXE_TRY(note_search_texts(db));
  PLANEXE_TRY(drop_unreadable_json(db, "prompt_metadata"));
  PLANEXE_TRY(drop_unreadable_json(db, "response_metadata"));
  PLANEXE_TRY(drop_old_tables(db));
  PLANEXE_TRY_ASSIGN(const auto count, sql::number(db, "SELECT COUNT(*) FROM plans"));
  log_info("took over a database of the reference", {{"plans", count}});
  return {};
}

}  // namespace planexe::store
