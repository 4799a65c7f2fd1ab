#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

/// The few things the store asks of a database connection. Everything above is written once against it: the SQL is
/// common to SQLite and PostgreSQL, values cross this line typed, and text is always valid UTF-8 without NUL.
namespace planexe::store::sql {

enum class Dialect { sqlite, postgresql };

/// Bytes, not text.
struct Blob {
  std::string_view bytes;
};

/// A value of a statement. Text and blobs are views: what they point to must live until the call returns.
class Param {
 public:
  using Value =
      std::variant<std::monostate, bool, std::int64_t, double, std::string_view, std::string, Blob, TimePoint>;

  Param() = default;
  Param(std::nullptr_t) {}
  Param(bool flag) : value_(flag) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Param(T number) : value_(static_cast<std::int64_t>(number)) {}
  Param(double number) : value_(number) {}
  Param(std::string_view text) : value_(text) {}
  Param(const char* text) : value_(std::string_view(text)) {}
  Param(const std::string& text) : value_(std::string_view(text)) {}
  Param(std::string&& text) : value_(std::move(text)) {}
  Param(Blob blob) : value_(blob) {}
  Param(TimePoint time) : value_(time) {}
  template <class T>
  Param(const std::optional<T>& maybe) : value_(maybe ? Param(*maybe).value_ : Value{}) {}

  [[nodiscard]] const Value& value() const { return value_; }

 private:
  Value value_;
};

using Params = std::span<const Param>;

/// NULL for an empty text: how "none" is stored in columns that may be empty.
inline Param text_or_null(std::string_view text) { return text.empty() ? Param() : Param(text); }
/// NULL for JSON null, else the compact text.
Param json_or_null(const json::value& value);

/// What a backend gives per result row. Columns count from 0; views are valid until the next row.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// True: a row is there.
  virtual Result<bool> next() = 0;
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual double real(int column) const = 0;
  [[nodiscard]] virtual bool boolean(int column) const = 0;
  /// Text as it is, a blob as its bytes.
  [[nodiscard]] virtual std::string_view text(int column) const = 0;
  /// Empty when the value is no time.
  [[nodiscard]] virtual std::optional<TimePoint> time(int column) const;
};

/// The rows of a query. Columns are read in order with the typed readers; a NULL reads as the type's empty value.
/// Errors of the query, of a step and of a value stick: next() is false from then on and status() says why.
///
///     auto rows = db.query("SELECT …", {plan_id});
///     while (rows.next()) result.push_back(rows.string());
///     PLANEXE_TRY(rows.status());
class Rows {
 public:
  explicit Rows(std::unique_ptr<RowSource> source) : source_(std::move(source)) {}
  explicit Rows(Error error) : error_(std::move(error)) {}

  bool next();
  [[nodiscard]] Result<void> status() const;

  bool null() const { return source_->is_null(column_); }
  std::int64_t integer() { return source_->integer(column_++); }
  int small() { return static_cast<int>(integer()); }
  double real() { return source_->real(column_++); }
  bool boolean() { return source_->boolean(column_++); }
  std::string_view view() { return source_->text(column_++); }
  std::string string() { return std::string(view()); }
  std::optional<std::int64_t> optional_integer();
  TimePoint time();
  std::optional<TimePoint> optional_time();
  json::value json();
  void skip() { ++column_; }

 private:
  void broken(std::string_view what);

  std::unique_ptr<RowSource> source_;
  std::optional<Error> error_;
  int column_ = 0;
};

/// What the number of changed rows must be, where a write depends on it. `otherwise` makes the error; it may be asked
/// later, at the latest before COMMIT, so what it refers to must live until then.
struct Expected {
  std::int64_t rows = 0;
  std::function<Error()> otherwise;
};

/// One database connection; one thread at a time. Statements use '?' for parameters, in order.
class Connection {
 public:
  virtual ~Connection() = default;

  [[nodiscard]] virtual Dialect dialect() const = 0;
  virtual Rows query(std::string_view statement, Params params) = 0;
  /// The number of rows that were inserted, changed or deleted.
  virtual Result<std::int64_t> execute(std::string_view statement, Params params) = 0;
  /// As execute() when nobody looks at the number of rows: a database behind a network does not wait for the answer. What
  /// went wrong is told by a later call, at the latest by COMMIT.
  virtual Result<void> send(std::string_view statement, Params params, Expected expected);
  /// Several statements without parameters, for migrations.
  virtual Result<void> script(std::string_view statements) = 0;
  /// The database's own clock: the only one that decides about leases.
  virtual Result<TimePoint> now() = 0;
  /// The names of the user's tables, sorted.
  virtual Result<std::vector<std::string>> tables() = 0;
  /// The columns of a table in order; none when there is no such table.
  virtual Result<std::vector<std::string>> columns(std::string_view table) = 0;

  Rows query(std::string_view statement, std::initializer_list<Param> params = {}) {
    return query(statement, Params(params.begin(), params.size()));
  }
  Result<std::int64_t> execute(std::string_view statement, std::initializer_list<Param> params = {}) {
    return execute(statement, Params(params.begin(), params.size()));
  }
  Result<void> send(std::string_view statement, std::initializer_list<Param> params = {}, Expected expected = {}) {
    return send(statement, Params(params.begin(), params.size()), std::move(expected));
  }
};

/// A column and its value.
struct Field {
  std::string_view column;
  Param value;
};
using Fields = std::vector<Field>;

/// INSERT of one row; `on_conflict` is a whole clause such as "ON CONFLICT (id) DO NOTHING".
Result<std::int64_t> insert(Connection& db, std::string_view table, Fields fields, std::string_view on_conflict = {});

/// As insert(), sent as Connection::send() does.
Result<void> send_insert(Connection& db, std::string_view table, Fields fields, std::string_view on_conflict = {},
                         Expected expected = {});

/// INSERT, or UPDATE of all other columns when a row with these `key` columns (comma-separated) exists. Sent.
Result<void> send_upsert(Connection& db, std::string_view table, std::string_view key, Fields fields);

/// UPDATE of these columns; `where` is a condition with '?'.
Result<std::int64_t> update(Connection& db, std::string_view table, Fields fields, std::string_view where,
                            std::initializer_list<Param> where_params);

/// As update(), sent as Connection::send() does.
Result<void> send_update(Connection& db, std::string_view table, Fields fields, std::string_view where,
                         std::initializer_list<Param> where_params, Expected expected = {});

/// The number in the first column of the only row; 0 without a row.
Result<std::int64_t> number(Connection& db, std::string_view statement, std::initializer_list<Param> params = {});

}  // namespace planexe::store::sql
