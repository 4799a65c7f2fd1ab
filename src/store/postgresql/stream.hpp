#pragma once

#include <deque>
#include <string>

#include "store/postgresql/connection.hpp"

namespace planexe::store::postgresql {

/// The rows of a result that is there as a whole.
class Connection::Source : public sql::RowSource {
 public:
  explicit Source(ResultPtr result) : result_(std::move(result)) {}

  Result<bool> next() override {
    words_.clear();
    return ++row_ < PQntuples(result_.get());
  }
  [[nodiscard]] bool is_null(int column) const override { return PQgetisnull(result_.get(), row_, column) != 0; }
  [[nodiscard]] std::int64_t integer(int column) const override {
    return is_null(column) ? 0 : read_integer(result_.get(), row_, column);
  }
  [[nodiscard]] double real(int column) const override {
    return is_null(column) ? 0 : read_real(result_.get(), row_, column);
  }
  [[nodiscard]] bool boolean(int column) const override {
    return !is_null(column) && read_boolean(result_.get(), row_, column);
  }
  [[nodiscard]] std::string_view text(int column) const override {
    return read_text(result_.get(), row_, column, words_);
  }
  [[nodiscard]] std::optional<TimePoint> time(int column) const override {
    return read_time(result_.get(), row_, column);
  }

 protected:
  Source() = default;
  void show(ResultPtr result) {
    words_.clear();
    result_ = std::move(result);
    row_ = 0;
  }

 private:
  ResultPtr result_;
  int row_ = -1;
  /// Numbers and times as words, for those who ask for text.
  mutable std::deque<std::string> words_;
};

/// The rows of a result as the server sends them, so that a large one is never in memory as a whole.
class Connection::Stream final : public Connection::Source {
 public:
  explicit Stream(Connection& owner) : owner_(&owner) { owner.stream_ = this; }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() override;

  Result<bool> next() override;
  /// Takes what is still to come into memory, since the connection is wanted for something else.
  Result<void> keep_rest();

 private:
  /// The next row; null at the end.
  Result<ResultPtr> read();
  Result<void> finish();

  Connection* owner_;  ///< null when all is read
  std::deque<ResultPtr> kept_;
};

}  // namespace planexe::store::postgresql
