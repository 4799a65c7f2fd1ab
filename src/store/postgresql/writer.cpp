#include "store/postgresql/writer.hpp"

#include <algorithm>
#include <limits>

#include "base/log.hpp"
#include "store/apply.hpp"
#include "store/limits.hpp"
#include "store/postgresql/blocks.hpp"
#include "store/postgresql/error.hpp"

namespace planexe::store::postgresql {
namespace {

/// What belongs to no job of a group.
constexpr std::size_t kNoJob = std::numeric_limits<std::size_t>::max() - 1;
/// A row that is referred to and deleted at the same time is gone at the second look.
constexpr int kReferenceRetries = 2;

/// A deletion takes rows that others share; alone in its transaction it never holds one for what another job waits for.
bool wants_to_be_alone(const Job& job) {
  if (!job.transaction) return false;
  return std::ranges::any_of(job.transaction->writes, [](const Write& write) {
    return std::holds_alternative<DeletePlan>(write) || std::holds_alternative<DeleteConversation>(write);
  });
}

int retries_of(std::string_view sqlstate) { return sqlstate == "23503" ? kReferenceRetries : limits::kConflictRetries; }

}  // namespace

Writer::Writer(Address address) : address_(std::move(address)) {
  thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void Writer::submit(Job job) {
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

void Writer::run() {
  for (;;) {
    auto group = next_group();
    if (group.empty()) return;
    process(std::move(group));
  }
}

std::vector<Job> Writer::next_group() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::vector<Job> group;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < limits::kGroupTransactionsMax) {
    Job& next = queue_.front();
    const bool alone = wants_to_be_alone(next);
    if (!group.empty() && (alone || bytes + next.bytes > limits::kGroupBytesMax)) break;
    bytes += next.bytes;
    queued_bytes_ -= next.bytes;
    group.push_back(std::move(next));
    queue_.pop_front();
    if (alone) break;
  }
  return group;
}

void Writer::process(std::vector<Job> group) {
  std::vector<Outcome> outcomes(group.size());
  commit_all(group, outcomes);
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i].done(CommitResult{outcomes[i].status, std::move(outcomes[i].error)});
  }
}

void Writer::commit_all(Jobs jobs, Outcomes outcomes) {
  while (!jobs.empty()) {
    const auto result = settle(jobs);
    const bool one_failed = jobs.size() > 1 && result.culprit && *result.culprit < jobs.size();
    if (!one_failed) {
      std::ranges::fill(outcomes, result.outcome);
      break;
    }
    const auto culprit = *result.culprit;
    commit_all(jobs.first(culprit), outcomes.first(culprit));
    outcomes[culprit] = settle(jobs.subspan(culprit, 1)).outcome;
    jobs = jobs.subspan(culprit + 1);
    outcomes = outcomes.subspan(culprit + 1);
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!outcomes[i].ok()) continue;
    test_point("after_commit", jobs[i].label);
    if (test_point("commit_answer_lost", jobs[i].label))
      outcomes[i] = {CommitStatus::unknown, Error(ErrorCode::DatabaseUnavailable, "The answer to COMMIT was lost.")};
  }
}

Writer::Try Writer::settle(Jobs jobs) {
  auto wait = limits::kReconnectPause;
  for (int conflicts = 0, losses = 0;;) {
    auto result = attempt(jobs);
    if (result.next == Next::done) return result;
    if (result.next == Next::again) {
      if (++conflicts > retries_of(db_->sqlstate()) || !pause(limits::kBusyPause * conflicts)) return result;
      continue;
    }
    // A connection that was idle may have been closed long ago; the first new one needs no pause.
    if (++losses == 1 && !away_since_) continue;
    const bool patient = !away_since_ || Clock::now() - *away_since_ < limits::kWritePatience;
    if (!patient || !pause(wait)) return result;
    wait = std::min(wait * 2, limits::kReconnectPauseMax);
  }
}

Writer::Try Writer::attempt(Jobs jobs) {
  if (auto connected = connect(); !connected) {
    const bool away = connected.error().code == ErrorCode::DatabaseUnavailable;
    return {{CommitStatus::failed, std::move(connected).error()}, {}, away ? Next::reconnect : Next::done};
  }
  const auto now = begin(jobs);
  if (!now) return failed(now.error(), {});
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    db_->set_part(i);
    if (auto applied = run_job(jobs[i], *now); !applied)
      return failed(std::move(applied).error(), db_->failed_part().value_or(i));
  }
  return commit(jobs);
}

Result<TimePoint> Writer::begin(Jobs jobs) {
  db_->set_part(kNoJob);
  PLANEXE_TRY(db_->sql::Connection::send("BEGIN"));
  PLANEXE_TRY_ASSIGN(const auto now, db_->now());
  PLANEXE_TRY(store_blocks(*db_, jobs));
  return now;
}

Result<void> Writer::run_job(Job& job, TimePoint now) {
  try {
    if (job.transaction) return apply(*db_, *job.transaction, now, Blocks::stored);
    return job.apply(*db_, now);
  } catch (const std::exception& exception) {
    return fail(ErrorCode::Internal, "Storing a result failed.", exception.what());
  }
}

Writer::Try Writer::failed(Error error, std::optional<std::size_t> culprit) {
  const bool conflict = is_conflict(db_->sqlstate());
  const bool lost = db_->lost() || !db_->roll_back();
  if (lost) {
    db_.reset();
    culprit.reset();
  }
  const auto next = lost ? Next::reconnect : conflict ? Next::again : Next::done;
  const auto status = status_of(error);
  return {{status, std::move(error)}, culprit, next};
}

Writer::Try Writer::commit(Jobs jobs) {
  bool lose_answer = false;
  for (const auto& job : jobs) {
    if (test_point("before_commit", job.label) || test_point("io_error", job.label)) {
      if (!db_->roll_back()) db_.reset();
      return {{CommitStatus::failed, make_error("53100", "injected by a test point", address_)}, {}, Next::done};
    }
    lose_answer = test_point("connection_lost_in_commit", job.label) || lose_answer;
  }
  std::optional<Error> error;
  db_->set_part(kNoJob);
  switch (db_->commit(error, lose_answer)) {
    case CommitAnswer::committed: return {};
    case CommitAnswer::rolled_back: return failed(*std::move(error), db_->failed_part());
    case CommitAnswer::unknown: break;
  }
  db_.reset();
  log_warn("the connection to the database broke during COMMIT", {{"server", address_.server()}});
  return {{CommitStatus::unknown, std::move(error)}, {}, Next::done};
}

Result<void> Writer::connect() {
  if (db_ && !db_->lost()) return {};
  auto opened = Connection::open(address_, Access::writer);
  if (opened) {
    if (away_since_) log_info("the database server is there again", {{"server", address_.server()}});
    away_since_.reset();
    db_ = *std::move(opened);
    return {};
  }
  if (!away_since_) {
    away_since_ = Clock::now();
    log_warn("the database server cannot be reached",
             {{"server", address_.server()}, {"error", opened.error().message}});
  }
  return std::unexpected(std::move(opened).error());
}

bool Writer::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !work_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace planexe::store::postgresql
