#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "store/job.hpp"
#include "store/sqlite/connection.hpp"

namespace planexe::store::sqlite {

/// The one thread that writes to a SQLite database. All jobs that wait together, up to the limits of a group, share one
/// COMMIT and its flush to the disk; each has its own savepoint, so a failing one leaves the others alone. There is no
/// delay to fill a group: while one COMMIT runs, the next group gathers.
///
/// `submit` from any thread. `done` runs on the writer's thread, in the order of submission, once per job, and must
/// neither throw nor wait for the store. The destructor finishes what is queued.
class GroupWriter {
 public:
  explicit GroupWriter(std::unique_ptr<Connection> connection);
  ~GroupWriter();
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  /// A full queue refuses the job (QUEUE_FULL); its `done` still comes in order.
  void submit(Job job);

 private:
  using Group = std::vector<Job>;
  using Outcomes = std::vector<Outcome>;

  void run();
  /// Waits for work; empty when the writer shall end. Uses a pause for a checkpoint.
  Group next_group();
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  Group take_locked();

  void process(Group group);
  Outcomes commit_group(Group& group);
  /// False when SQLite has rolled the whole group back.
  bool apply_job(Job& job, TimePoint now, bool alone, Outcome& outcome);
  Outcome run_job(Job& job, TimePoint now);
  void end_group(const Group& group, Outcomes& outcomes);
  /// What COMMIT gave all jobs that were applied.
  Outcome commit(const Group& group, const Outcomes& outcomes);
  void roll_back();
  void checkpoint(std::uint64_t at_least_pages);
  void stop_writing(int code);

  std::unique_ptr<Connection> db_;
  /// After a failed flush nothing is written any more; see must_stop_writing().
  std::optional<Error> broken_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Job> queue_;
  std::size_t queued_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace planexe::store::sqlite
