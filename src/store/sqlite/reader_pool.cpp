#include "store/sqlite/reader_pool.hpp"

#include "store/limits.hpp"

namespace planexe::store::sqlite {

Result<std::unique_ptr<ReaderPool>> ReaderPool::open(const std::filesystem::path& file, int size, Access access) {
  auto pool = std::make_unique<ReaderPool>();
  const int count = std::clamp(size, 1, limits::kReadersMax);
  for (int i = 0; i < count; ++i) {
    PLANEXE_TRY_ASSIGN(auto connection, Connection::open(file, access));
    pool->idle_.push_back(std::move(connection));
  }
  return pool;
}

Result<ReaderPool::Reader> ReaderPool::borrow() {
  std::unique_ptr<Connection> connection;
  {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, limits::kReaderWait, [this] { return !idle_.empty(); })) {
      return fail(ErrorCode::DatabaseUnavailable, "The database is busy with other reads. Try again in a moment.");
    }
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  Reader reader(*this, std::move(connection));
  PLANEXE_TRY((*reader).execute("BEGIN"));
  return reader;
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
  }
  free_.notify_one();
}

ReaderPool::Reader::~Reader() {
  if (!connection_) return;
  // A reader that stays in its transaction would hold the log back for ever.
  if (connection_->in_transaction()) {
    [[maybe_unused]] const auto rolled_back = connection_->execute("ROLLBACK");
  }
  pool_->give_back(std::move(connection_));
}

}  // namespace planexe::store::sqlite
