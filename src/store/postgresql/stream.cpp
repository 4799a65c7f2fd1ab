#include "store/postgresql/stream.hpp"

namespace planexe::store::postgresql {

Connection::Stream::~Stream() {
  while (owner_ != nullptr) {
    if (auto row = read(); !row || !*row) break;
  }
}

Result<bool> Connection::Stream::next() {
  if (!kept_.empty()) {
    show(std::move(kept_.front()));
    kept_.pop_front();
    return true;
  }
  if (owner_ == nullptr) return false;
  PLANEXE_TRY_ASSIGN(auto row, read());
  if (!row) return false;
  show(std::move(row));
  return true;
}

Result<void> Connection::Stream::keep_rest() {
  while (owner_ != nullptr) {
    PLANEXE_TRY_ASSIGN(auto row, read());
    if (row) kept_.push_back(std::move(row));
  }
  return {};
}

Result<ResultPtr> Connection::Stream::read() {
  auto result = owner_->next_result(owner_->deadline());
  if (!result || !*result) {
    Connection& owner = *std::exchange(owner_, nullptr);
    owner.stream_ = nullptr;
    if (!result) return result;
    return owner.broken("the server gave no answer");
  }
  if (PQresultStatus(result->get()) == PGRES_SINGLE_TUPLE) return result;
  auto judged = owner_->judge({}, result->get());
  auto finished = finish();
  if (!judged) return std::unexpected(std::move(judged).error());
  if (!finished) return std::unexpected(std::move(finished).error());
  // Rows that came all at once, when the server or the library knows no other way, would be more than one.
  if (PQntuples(result->get()) == 0) return ResultPtr();
  return result;
}

/// The end of the statement and of the sync behind it.
Result<void> Connection::Stream::finish() {
  Connection& owner = *std::exchange(owner_, nullptr);
  owner.stream_ = nullptr;
  if (owner.lost_) return {};
  PLANEXE_TRY_ASSIGN(const auto end, owner.next_result(owner.deadline()));
  if (end) return owner.broken("the server gave an answer too many");
  PLANEXE_TRY_ASSIGN(const auto sync, owner.next_result(owner.deadline()));
  if (!sync || PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) return owner.broken("the server lost its place");
  return {};
}

}  // namespace planexe::store::postgresql
