#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/postgresql/connection.hpp"

namespace planexe::store::postgresql {

/// Connections that only read, opened when they are first needed, lent to one caller at a time. Any thread.
class ReaderPool {
 public:
  /// A borrowed connection inside a read transaction, so that all its statements see one state.
  class Reader {
   public:
    Reader(ReaderPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Reader(Reader&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
    Reader& operator=(Reader&&) = delete;
    ~Reader();

    Connection& operator*() { return *connection_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  ReaderPool(Address address, int size);

  /// Waits at most limits::kReaderWait for a connection that others use, and limits::kReadPatience for a server that is
  /// away; when it has been away that long already, says so at once. Error: DATABASE_UNAVAILABLE, or that of
  /// connecting.
  Result<Reader> borrow();

 private:
  using Clock = std::chrono::steady_clock;
  struct Away {
    Clock::time_point since, next_try;
    std::chrono::milliseconds pause;
    Error error;
  };

  Result<std::unique_ptr<Connection>> connect();
  /// The known error, while it is too early for another try.
  std::optional<Error> still_away();
  /// Notes it; true when nobody should wait for the server any more.
  bool note_away(const Error& error);
  void give_back(std::unique_ptr<Connection> connection);

  const Address address_;
  std::mutex mutex_;
  std::condition_variable free_;
  /// Null: not open.
  std::vector<std::unique_ptr<Connection>> idle_;
  std::optional<Away> away_;
};

}  // namespace planexe::store::postgresql
