#include "store/sql.hpp"

#include <fmt/format.h>

namespace planexe::store::sql {

Param json_or_null(const json::value& value) {
  if (value.is_null()) return {};
  return Param(to_json(value));
}

std::optional<TimePoint> RowSource::time(int column) const {
  auto parsed = parse_iso(text(column));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

Result<void> Connection::send(std::string_view statement, Params params, Expected expected) {
  PLANEXE_TRY_ASSIGN(const auto rows, execute(statement, params));
  if (!expected.otherwise || rows == expected.rows) return {};
  return std::unexpected(expected.otherwise());
}

bool Rows::next() {
  column_ = 0;
  if (error_ || !source_) return false;
  auto more = source_->next();
  if (!more) {
    error_ = std::move(more).error();
    return false;
  }
  return *more;
}

Result<void> Rows::status() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

void Rows::broken(std::string_view what) {
  if (error_) return;
  error_.emplace(ErrorCode::DatabaseError,
                 fmt::format("The database holds a value that is no {}; run `planexe db check`.", what),
                 fmt::format("result column {}", column_));
}

std::optional<std::int64_t> Rows::optional_integer() {
  if (null()) {
    skip();
    return std::nullopt;
  }
  return integer();
}

TimePoint Rows::time() { return optional_time().value_or(TimePoint{}); }

std::optional<TimePoint> Rows::optional_time() {
  if (null()) {
    skip();
    return std::nullopt;
  }
  auto time = source_->time(column_++);
  if (!time) broken("time");
  return time;
}

json::value Rows::json() {
  if (null()) {
    skip();
    return nullptr;
  }
  auto parsed = parse_json(view());
  if (!parsed) {
    broken("JSON");
    return nullptr;
  }
  return *std::move(parsed);
}

namespace {

std::vector<Param> values_of(Fields fields) {
  std::vector<Param> values;
  values.reserve(fields.size() + 4);
  for (auto& field : fields) values.push_back(std::move(field.value));
  return values;
}

/// Room for the longest statement; these texts are made for every write, so they are made without a second allocation.
constexpr std::size_t kStatementBytes = 2048;

std::string insert_text(std::string_view table, const Fields& fields) {
  std::string text;
  text.reserve(kStatementBytes);
  text.append("INSERT INTO ").append(table);
  std::string_view before = " (";
  for (const auto& field : fields) text.append(std::exchange(before, ", ")).append(field.column);
  before = ") VALUES (?";
  for (std::size_t i = 0; i < fields.size(); ++i) text.append(std::exchange(before, ", ?"));
  return text += ')';
}

bool is_key(std::string_view key, std::string_view column) {
  for (std::size_t start = 0; start <= key.size();) {
    const auto end = std::min(key.find(',', start), key.size());
    if (key.substr(start, end - start) == column) return true;
    start = end + 1;
  }
  return false;
}

std::string insert_text(std::string_view table, const Fields& fields, std::string_view on_conflict) {
  std::string text = insert_text(table, fields);
  if (!on_conflict.empty()) text.append(" ").append(on_conflict);
  return text;
}

std::string update_text(std::string_view table, const Fields& fields, std::string_view where) {
  std::string text;
  text.reserve(kStatementBytes);
  text.append("UPDATE ").append(table);
  std::string_view before = " SET ";
  for (const auto& field : fields) text.append(std::exchange(before, ", ")).append(field.column).append(" = ?");
  return text.append(" WHERE ").append(where);
}

std::vector<Param> values_of(Fields fields, std::initializer_list<Param> more) {
  auto values = values_of(std::move(fields));
  values.insert(values.end(), more.begin(), more.end());
  return values;
}

}  // namespace

Result<std::int64_t> insert(Connection& db, std::string_view table, Fields fields, std::string_view on_conflict) {
  const std::string statement = insert_text(table, fields, on_conflict);
  return db.execute(statement, values_of(std::move(fields)));
}

Result<void> send_insert(Connection& db, std::string_view table, Fields fields, std::string_view on_conflict,
                         Expected expected) {
  const std::string statement = insert_text(table, fields, on_conflict);
  return db.send(statement, values_of(std::move(fields)), std::move(expected));
}

Result<void> send_upsert(Connection& db, std::string_view table, std::string_view key, Fields fields) {
  std::string statement = insert_text(table, fields);
  statement.append(" ON CONFLICT (").append(key);
  std::string_view before = ") DO UPDATE SET ";
  for (const auto& field : fields) {
    if (is_key(key, field.column)) continue;
    statement.append(std::exchange(before, ", ")).append(field.column).append(" = excluded.").append(field.column);
  }
  return db.send(statement, values_of(std::move(fields)), {});
}

Result<std::int64_t> update(Connection& db, std::string_view table, Fields fields, std::string_view where,
                            std::initializer_list<Param> where_params) {
  const std::string statement = update_text(table, fields, where);
  return db.execute(statement, values_of(std::move(fields), where_params));
}

Result<void> send_update(Connection& db, std::string_view table, Fields fields, std::string_view where,
                         std::initializer_list<Param> where_params, Expected expected) {
  const std::string statement = update_text(table, fields, where);
  return db.send(statement, values_of(std::move(fields), where_params), std::move(expected));
}


Result<std::int64_t> number(Connection& db, std::string_view statement, std::initializer_list<Param> params) {
  auto rows = db.query(statement, params);
  std::int64_t value = 0;
  if (rows.next()) value = rows.integer();
  PLANEXE_TRY(rows.status());
  return value;
}

}  // namespace planexe::store::sql
