#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "engine/plan_runner.hpp"
#include "engine/requests.hpp"
#include "engine/run_files.hpp"

namespace planexe::engine {

struct EngineOptions {
  std::string owner;                     ///< name of this node in leases
  std::filesystem::path run_dir;
  bool exclusive = false;                ///< no other process can run plans of this store (SQLite with its lock held): leases of dead ones are void
  std::chrono::minutes run_timeout{240};
  std::chrono::milliseconds lease_ttl{15000};
  std::chrono::milliseconds lease_renewal{5000};
  std::chrono::milliseconds control_poll{250};
  int recoveries_max = 3;                ///< lost leases in a row without a new result, then RUN_ABANDONED
};

/// Runs plans. Everything happens on the thread that runs `loop`, except the store's commits and pool work.
class Engine {
 public:
  using EventSink = std::function<void(const std::string& plan_id, const std::vector<Event>& events)>;
  using EndSink = std::function<void(const std::string& plan_id, const RunEnded& end)>;

  Engine(boost::asio::io_context& loop, store::Store& store, llm::ModelClient& client, const Clock& clock, Random& random,
         std::vector<recipe::RecipeFile> recipe_files, std::shared_ptr<const recipe::Recipe> recipe, EngineOptions options);
  ~Engine();

  void on_events(EventSink sink) { event_sink_ = std::move(sink); }
  void on_end(EndSink sink) { end_sink_ = std::move(sink); }

  /// Creates a plan; `plan_id` only in tests. Nothing runs yet. Waits for the commit.
  Result<store::PlanRow> create(CreateRequest request, std::string plan_id = {});
  /// Takes the lease and starts or goes on with a pending or interrupted plan. LOCKED when another process holds it.
  Result<void> run(const std::string& plan_id);
  /// Makes a failed or cancelled plan pending again; it does not start it.
  Result<store::PlanRow> resume(const std::string& plan_id, const ResumeOptions& options);
  using Retried = std::function<void(Result<std::vector<std::string>>)>;
  /// Has a task made again: any task of a plan that does not run, a failed one of a plan that runs here. A plan that did
  /// not run is pending afterwards and has to be started. `done` gets the reset tasks once they are stored; for a plan that
  /// does not run it is called before this returns.
  void retry(const std::string& plan_id, const std::string& task, const RetryOptions& options, Retried done);
  /// Own runs stop at once; for another process's run a control row is written, which it sees within `control_poll`.
  Result<store::PlanRow> cancel(const std::string& plan_id);
  Result<void> remove(const std::string& plan_id);

  [[nodiscard]] std::size_t running() const { return runs_.size(); }
  [[nodiscard]] const PlanRun* find(const std::string& plan_id) const;
  [[nodiscard]] RunFiles& files() { return files_; }
  /// The recipe that new plans are made with, and its packed form.
  [[nodiscard]] const recipe::Recipe& recipe() const { return *recipe_; }
  [[nodiscard]] const std::string& packed_recipe() const { return packed_recipe_; }
  /// The recipe a plan was made with.
  Result<std::shared_ptr<const recipe::Recipe>> recipe_of(const store::PlanRow& plan);

  /// Stops all runs and hands their leases back; on_end is called for each.
  void shut_down();

 private:
  struct Run {
    std::shared_ptr<PlanRunner> runner;
    std::chrono::steady_clock::time_point lease_until;
    bool renewing = false;
  };

  Result<store::CommitResult> fenced_commit(const std::string& plan_id, store::Transaction transaction);
  Result<std::vector<std::string>> retry_ended(const std::string& plan_id, const std::string& task, const RetryOptions& options);
  Result<std::int64_t> lease(const std::string& plan_id);
  std::int64_t next_interaction_id();
  Result<void> abandon(const store::RunSnapshot& snapshot, std::int64_t fencing);
  void keep_alive();
  void renew_leases();
  void poll_control();
  void ended(const std::string& plan_id, const RunEnded& end);

  boost::asio::io_context& loop_;
  store::Store& store_;
  llm::ModelClient& client_;
  const Clock& clock_;
  Random& random_;
  EngineOptions options_;
  std::shared_ptr<const recipe::Recipe> recipe_;
  std::string packed_recipe_;
  std::map<std::string, std::shared_ptr<const recipe::Recipe>> recipes_;
  boost::asio::thread_pool pool_{2};
  RunFiles files_;
  std::map<std::string, Run> runs_;
  boost::asio::steady_timer timer_;
  bool timer_running_ = false;
  std::chrono::steady_clock::time_point next_renewal_{}, next_tick_{};
  std::int64_t id_next_ = 0, id_end_ = 0;
  EventSink event_sink_;
  EndSink end_sink_;
};

}  // namespace planexe::engine
