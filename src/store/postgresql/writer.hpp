#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "store/job.hpp"
#include "store/postgresql/address.hpp"
#include "store/postgresql/connection.hpp"

namespace planexe::store::postgresql {

/// One thread with one connection that writes. All jobs that wait together, up to the limits of a group, share one
/// database transaction; when one of them fails, those before it, it alone, and those behind it are done again, so that
/// a failing job leaves the others alone. (A savepoint for each would cost two statements per job, and the server grows
/// slow with many of them.) Deadlocks and conflicts with other processes are tried again; a lost connection is opened
/// again and the group repeated, unless COMMIT was already sent.
///
/// `submit` from any thread. `done` runs on the writer's thread, in the order of submission, once per job, and must
/// neither throw nor wait for the store. The destructor finishes what is queued; without a server that fails at once.
class Writer {
 public:
  explicit Writer(Address address);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// A full queue refuses the job (QUEUE_FULL); its `done` still comes in order.
  void submit(Job job);

 private:
  using Jobs = std::span<Job>;
  using Outcomes = std::span<Outcome>;
  using Clock = std::chrono::steady_clock;
  enum class Next {
    done,       ///< the outcome is final
    again,      ///< somebody was in the way
    reconnect,  ///< the connection is lost and nothing was written
  };
  /// What one try to commit some jobs gave.
  struct Try {
    Outcome outcome;
    std::optional<std::size_t> culprit;  ///< the job that failed, when it was one
    Next next = Next::done;
  };

  void run();
  std::vector<Job> next_group();
  void process(std::vector<Job> group);
  void commit_all(Jobs jobs, Outcomes outcomes);
  /// Tries until the outcome is final.
  Try settle(Jobs jobs);
  Try attempt(Jobs jobs);
  Result<TimePoint> begin(Jobs jobs);
  Result<void> run_job(Job& job, TimePoint now);
  Try failed(Error error, std::optional<std::size_t> culprit);
  Try commit(Jobs jobs);
  Result<void> connect();
  /// Waits; false when the writer shall end.
  bool pause(std::chrono::milliseconds time);

  const Address address_;
  std::unique_ptr<Connection> db_;
  /// Since when the server is away.
  std::optional<Clock::time_point> away_since_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Job> queue_;
  std::size_t queued_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace planexe::store::postgresql
