#include "store/postgresql/reader_pool.hpp"

#include <algorithm>
#include <thread>

#include "store/limits.hpp"

namespace planexe::store::postgresql {

ReaderPool::ReaderPool(Address address, int size)
    : address_(std::move(address)), idle_(static_cast<std::size_t>(std::clamp(size, 1, limits::kReadersMax))) {}

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
  if (!connection) {
    auto opened = connect();
    if (!opened) {
      give_back(nullptr);
      return std::unexpected(std::move(opened).error());
    }
    connection = *std::move(opened);
  }
  Reader reader(*this, std::move(connection));
  PLANEXE_TRY((*reader).sql::Connection::send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  return reader;
}

Result<std::unique_ptr<Connection>> ReaderPool::connect() {
  while (true) {
    if (auto error = still_away()) return std::unexpected(*std::move(error));
    auto opened = Connection::open(address_, Access::reader);
    if (opened) {
      const std::lock_guard lock(mutex_);
      away_.reset();
      return opened;
    }
    if (opened.error().code != ErrorCode::DatabaseUnavailable || note_away(opened.error())) return opened;
    std::this_thread::sleep_for(limits::kReconnectPause);
  }
}

std::optional<Error> ReaderPool::still_away() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (!away_ || now >= away_->next_try || now - away_->since < limits::kReadPatience) return std::nullopt;
  return away_->error;
}

bool ReaderPool::note_away(const Error& error) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const auto since = away_ ? away_->since : now;
  const auto pause = away_ ? std::min(away_->pause * 2, limits::kReconnectPauseMax) : limits::kReconnectPause;
  away_.emplace(since, now + pause, pause, error);
  return now - since >= limits::kReadPatience;
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
  }
  free_.notify_one();
}

ReaderPool::Reader::~Reader() {
  if (pool_ == nullptr) return;
  // A reader that stays in its transaction would keep the server from cleaning up. Its answer comes with the next read.
  if (!connection_->lost() && connection_->sql::Connection::send("COMMIT")) connection_->flush();
  if (connection_->lost()) connection_.reset();
  pool_->give_back(std::move(connection_));
}

}  // namespace planexe::store::postgresql
