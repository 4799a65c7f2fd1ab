#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "store/sqlite/connection.hpp"

namespace planexe::store::sqlite {

/// Connections that only read, lent to one caller at a time. Any thread.
class ReaderPool {
 public:
  /// A borrowed connection inside a read transaction, so that all its statements see one state.
  class Reader {
   public:
    Reader(ReaderPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Reader(Reader&&) = default;
    Reader& operator=(Reader&&) = delete;
    ~Reader();

    Connection& operator*() { return *connection_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  static Result<std::unique_ptr<ReaderPool>> open(const std::filesystem::path& file, int size, Access access);

  /// Waits at most limits::kReaderWait. Error: DATABASE_UNAVAILABLE.
  Result<Reader> borrow();

 private:
  void give_back(std::unique_ptr<Connection> connection);

  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace planexe::store::sqlite
