#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "store/sql.hpp"

/// Values on their way to and from the server.
namespace planexe::store::postgresql {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

/// Parameters as libpq takes them. The server infers their types from the statement; texts and bytes go as they are
/// (binary), the rest as words. Views into the values given, so it must not outlive them.
class Bound {
 public:
  explicit Bound(sql::Params params);

  [[nodiscard]] int size() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }
  [[nodiscard]] const int* lengths() const { return lengths_.data(); }
  [[nodiscard]] const int* formats() const { return formats_.data(); }

 private:
  struct Add;
  void add_bytes(std::string_view bytes);
  void add_words(std::string words);

  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
  std::deque<std::string> storage_;
};

/// A field of a result in binary format, by the type of its column. A value of another type reads as 0, false or "".
std::int64_t read_integer(const PGresult* result, int row, int column);
double read_real(const PGresult* result, int row, int column);
bool read_boolean(const PGresult* result, int row, int column);
/// Empty when the column holds no time, or one without end.
std::optional<TimePoint> read_time(const PGresult* result, int row, int column);
/// Text, JSON and bytes as they are; other values as words, made in `storage`.
std::string_view read_text(const PGresult* result, int row, int column, std::deque<std::string>& storage);

}  // namespace planexe::store::postgresql
