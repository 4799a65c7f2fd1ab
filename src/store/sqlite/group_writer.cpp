#include "store/sqlite/group_writer.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "store/apply.hpp"
#include "store/limits.hpp"
#include "store/sqlite/error.hpp"

namespace planexe::store::sqlite {

GroupWriter::GroupWriter(std::unique_ptr<Connection> connection) : db_(std::move(connection)) {
  thread_ = std::thread([this] { run(); });
}

GroupWriter::~GroupWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void GroupWriter::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    PLANEXE_ASSERT(!stopping_);
    const bool full = queue_.size() >= limits::kQueueTransactionsMax ||
                      (!queue_.empty() && queued_bytes_ + job.bytes > limits::kQueueBytesMax);
    if (full) refuse(job);
    queued_bytes_ += job.bytes;
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
}

void GroupWriter::run() {
  for (;;) {
    Group group = next_group();
    if (group.empty()) return;
    process(std::move(group));
    checkpoint(limits::kCheckpointBusyPages);
  }
}

GroupWriter::Group GroupWriter::next_group() {
  std::unique_lock lock(mutex_);
  wait_for_work(lock);
  return take_locked();
}

void GroupWriter::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto ready = [this] { return stopping_ || !queue_.empty(); };
  if (db_->log_pages() >= limits::kCheckpointIdlePages && !work_.wait_for(lock, limits::kCheckpointPause, ready)) {
    lock.unlock();
    checkpoint(limits::kCheckpointIdlePages);
    lock.lock();
  }
  work_.wait(lock, ready);
}

GroupWriter::Group GroupWriter::take_locked() {
  Group group;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < limits::kGroupTransactionsMax) {
    Job& next = queue_.front();
    if (!group.empty() && bytes + next.bytes > limits::kGroupBytesMax) break;
    bytes += next.bytes;
    queued_bytes_ -= next.bytes;
    group.push_back(std::move(next));
    queue_.pop_front();
  }
  return group;
}

void GroupWriter::process(Group group) {
  Outcomes outcomes = commit_group(group);
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i].done(CommitResult{outcomes[i].status, std::move(outcomes[i].error)});
  }
}

GroupWriter::Outcomes GroupWriter::commit_group(Group& group) {
  Outcomes outcomes(group.size());
  const auto fail_all = [&](const Error& error) {
    for (auto& outcome : outcomes) outcome = {CommitStatus::failed, error};
    return outcomes;
  };
  if (broken_) return fail_all(*broken_);
  if (auto begun = db_->execute("BEGIN IMMEDIATE"); !begun) {
    stop_writing(db_->last_code());
    return fail_all(begun.error());
  }
  const auto now = db_->now();
  if (!now) {
    roll_back();
    return fail_all(now.error());
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (apply_job(group[i], *now, group.size() == 1, outcomes[i])) continue;
    roll_back();
    const Error error = *outcomes[i].error;
    return fail_all(error);
  }
  end_group(group, outcomes);
  return outcomes;
}

bool GroupWriter::apply_job(Job& job, TimePoint now, bool alone, Outcome& outcome) {
  // A job that is alone needs no savepoint: the transaction is its own.
  if (!alone) {
    if (auto saved = db_->execute("SAVEPOINT job"); !saved) {
      outcome = {CommitStatus::failed, std::move(saved).error()};
      return false;
    }
  }
  outcome = run_job(job, now);
  const bool failed = outcome.status != CommitStatus::committed;
  // Some errors (disk full, out of memory) make SQLite roll everything back by itself.
  if (!db_->in_transaction()) {
    if (!failed) outcome = {CommitStatus::failed, Error(ErrorCode::DatabaseError, "The database rolled back.")};
    return false;
  }
  if (alone) return true;
  if (failed && !db_->execute("ROLLBACK TO job")) return false;
  if (auto released = db_->execute("RELEASE job"); !released) {
    outcome = {CommitStatus::failed, std::move(released).error()};
    return false;
  }
  return true;
}

Outcome GroupWriter::run_job(Job& job, TimePoint now) {
  try {
    auto applied = job.apply(*db_, now);
    if (applied) return {};
    const CommitStatus status = status_of(applied.error());
    if (status == CommitStatus::failed) stop_writing(db_->last_code());
    return {status, std::move(applied).error()};
  } catch (const std::exception& exception) {
    return {CommitStatus::failed, Error(ErrorCode::Internal, "Storing a result failed.", exception.what())};
  }
}

void GroupWriter::end_group(const Group& group, Outcomes& outcomes) {
  const auto applied = [](const Outcome& outcome) { return outcome.status == CommitStatus::committed; };
  if (std::none_of(outcomes.begin(), outcomes.end(), applied)) {
    roll_back();
    return;
  }
  const Outcome common = commit(group, outcomes);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!applied(outcomes[i])) continue;
    if (!applied(common)) {
      outcomes[i] = common;
      continue;
    }
    test_point("after_commit", group[i].label);
    if (test_point("commit_answer_lost", group[i].label)) {
      outcomes[i] = {CommitStatus::unknown, Error(ErrorCode::DatabaseUnavailable, "The answer to COMMIT was lost.")};
    }
  }
}

Outcome GroupWriter::commit(const Group& group, const Outcomes& outcomes) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (outcomes[i].status != CommitStatus::committed) continue;
    if (test_point("before_commit", group[i].label) || test_point("io_error", group[i].label)) {
      roll_back();
      return {CommitStatus::failed, make_error(SQLITE_FULL, "injected by a test point", db_->file())};
    }
  }
  auto committed = db_->execute("COMMIT");
  if (committed) return {};
  const int code = db_->last_code();
  stop_writing(code);
  roll_back();
  const bool unknown = classify_commit_failure(code) == CommitFailure::unknown;
  return {unknown ? CommitStatus::unknown : CommitStatus::failed, std::move(committed).error()};
}

void GroupWriter::roll_back() {
  if (db_->in_transaction()) {
    [[maybe_unused]] const auto rolled_back = db_->execute("ROLLBACK");
  }
}

void GroupWriter::checkpoint(std::uint64_t at_least_pages) {
  if (broken_ || db_->log_pages() < at_least_pages) return;
  const int code = db_->checkpoint();
  if (code == SQLITE_OK || code == SQLITE_BUSY) return;
  log_warn("the write-ahead log could not be copied into the database", {{"sqlite", code}});
  stop_writing(code);
}

void GroupWriter::stop_writing(int code) {
  if (broken_ || !must_stop_writing(code)) return;
  broken_ = make_error(code, "nothing is written until the program is started again", db_->file());
  log_error("the database cannot be written any more; restart the program", {{"sqlite", code}});
}

}  // namespace planexe::store::sqlite
