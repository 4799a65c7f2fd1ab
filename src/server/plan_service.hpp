#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/services.hpp"

namespace planexe::server {

/// Decides which plans run in this process: in order of creation, at most so many at a time; those that another process left
/// are taken up. On the loop's thread.
class PlanService {
 public:
  explicit PlanService(const Services& services);

  /// Takes up what waits or was interrupted, and looks for more from time to time.
  void start();
  /// Starts nothing more; runs stop and hand their leases back.
  void stop();

  /// A plan that is pending now.
  void enqueue(const std::string& plan_id);
  /// A plan that does not wait any more: cancelled or deleted.
  void forget(const std::string& plan_id);
  /// The engine's word that a run is over.
  void ended(const std::string& plan_id, const engine::RunEnded& end);

  [[nodiscard]] bool stopping() const { return stopping_; }
  /// No place for another plan in the queue.
  [[nodiscard]] bool full() const;
  /// Place in the queue from 1; nothing for a plan that does not wait.
  [[nodiscard]] std::optional<int> position(const std::string& plan_id) const;
  [[nodiscard]] bool running(const std::string& plan_id) const { return running_.contains(plan_id); }

  /// Waits until the plan does not run in this process; false when it still does at the end of that time.
  boost::asio::awaitable<bool> wait_until_idle(std::string plan_id, std::chrono::milliseconds most);

 private:
  void start_next();
  void start_one(const std::string& plan_id);
  void look_for_more();
  void took(std::vector<std::string> plans);
  void tell_metrics() const;

  const Services& services_;
  std::deque<std::string> waiting_;
  std::set<std::string> known_;  ///< waiting or running
  std::set<std::string> running_;
  std::map<std::string, std::vector<std::shared_ptr<boost::asio::steady_timer>>> waiters_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
};

}  // namespace planexe::server
