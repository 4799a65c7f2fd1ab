#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "engine/plan_run.hpp"
#include "engine/run_files.hpp"
#include "llm/client.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// What the runner of a plan shares with all others; outlives every runner.
struct RunnerServices {
  boost::asio::any_io_executor loop;
  boost::asio::thread_pool* pool = nullptr;
  store::Store* store = nullptr;
  llm::ModelClient* client = nullptr;
  const Clock* clock = nullptr;
  RunFiles* files = nullptr;
};

/// Performs the actions of one plan run. Lives on the loop thread and keeps itself alive until the run has ended.
class PlanRunner : public std::enable_shared_from_this<PlanRunner> {
 public:
  struct Callbacks {
    std::function<void(const std::string& plan_id, const std::vector<Event>& events)> events;  ///< committed, in order
    std::function<void(const std::string& plan_id, const RunEnded& end)> ended;                ///< once, last
  };

  PlanRunner(RunnerServices services, std::shared_ptr<const recipe::Recipe> recipe, std::unique_ptr<PlanRun> run,
             Callbacks callbacks);

  void start();
  using Stored = std::function<void(Result<void>)>;
  /// Makes a failed task again; gives the tasks that are pending now. `stored` is called once, when that is in the
  /// database or will never be (the run has ended before); never when the retry is refused.
  Result<std::vector<std::string>> retry(const std::string& task_key, const RetryOptions& options, Stored stored);
  void cancel();
  void shut_down();
  void lease_lost();
  void tick();

  [[nodiscard]] const PlanRun& run() const { return *run_; }

 private:
  class Host;

  void perform(Actions actions);
  void perform_one(Commit action);
  void perform_one(StartCall action);
  void perform_one(LetGo action);
  void perform_one(CancelCall action);
  void perform_one(Compute action);
  void perform_one(WriteFiles action);
  void perform_one(Acknowledge action);
  void perform_one(Publish action);
  void perform_one(Wake action);
  void perform_one(RunEnded action);

  RunnerServices services_;
  std::shared_ptr<const recipe::Recipe> recipe_;
  std::unique_ptr<PlanRun> run_;
  Callbacks callbacks_;
  struct Call {
    llm::CallId id = 0;
    std::shared_ptr<Host> host;
  };
  std::map<std::string, Call> calls_;
  std::map<std::string, std::function<void(bool, ErrorCode)>> waiting_;  ///< attempts that wait for their ledger row
  std::map<std::uint64_t, Stored> unstored_;  ///< by ticket
  std::uint64_t last_ticket_ = 0;
  bool ended_ = false;
};

}  // namespace planexe::engine
