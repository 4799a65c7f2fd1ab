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

  /// A plan that is pending now; one that waits or runs already stays where it is.
  void enqueue(const std::string& plan_id);
  /// Keeps a plan for the one request that makes it pending again, until that has put it into the queue or ends.
  class Claim {
   public:
    Claim(PlanService& plans, std::string plan_id)
        : plans_(plans), plan_id_(std::move(plan_id)), granted_(plans_.known_.insert(plan_id_).second) {}
    ~Claim() {
      if (granted_ && !plans_.position(plan_id_)) plans_.forget(plan_id_);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    /// False: the plan waits or runs, or another request has it.
    [[nodiscard]] bool granted() const { return granted_; }

   private:
    PlanService& plans_;
    std::string plan_id_;
    bool granted_;
  };
  /// A plan that does not wait any more: cancelled or deleted.
  void forget(const std::string& plan_id);
  /// Starts a plan that waits although it was begun, before its turn: so that it can be ended.
  void take_up(const std::string& plan_id);
  /// The engine's word that a run is over.
  void ended(const std::string& plan_id, const engine::RunEnded& end);

  [[nodiscard]] bool stopping() const { return stopping_; }
  /// No place for another plan in the queue.
  [[nodiscard]] bool full() const;
  /// Place in the queue from 1; nothing for a plan that does not wait.
  [[nodiscard]] std::optional<int> position(const std::string& plan_id) const;
  /// The places of all plans that wait.
  [[nodiscard]] std::map<std::string, int, std::less<>> positions() const;
  /// The place that a new plan would get now; nothing when it would start at once.
  [[nodiscard]] std::optional<int> next_position() const;
  /// Keeps a place for a plan that is being stored, so that many at once do not overfill the queue.
  class Seat {
   public:
    explicit Seat(PlanService& plans) : plans_(plans) { ++plans_.being_stored_; }
    ~Seat() { --plans_.being_stored_; }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

   private:
    PlanService& plans_;
  };
  [[nodiscard]] bool running(const std::string& plan_id) const { return running_.contains(plan_id); }

  /// Waits until the plan does not run in this process; false when it still does at the end of that time.
  boost::asio::awaitable<bool> wait_until_idle(std::string plan_id, std::chrono::milliseconds most);

 private:
  void start_next();
  [[nodiscard]] bool may_start() const;
  void start_one(const std::string& plan_id);
  void look_for_more(bool ignore_leases);
  void took(std::vector<std::string> plans);
  void wait_for_turn(const std::string& plan_id);
  void tell_metrics() const;

  const Services& services_;
  std::deque<std::string> waiting_;
  std::map<std::string, std::chrono::steady_clock::time_point> since_;  ///< when those that wait began to
  std::set<std::string> known_;  ///< waiting, running or claimed
  std::set<std::string> running_;
  std::size_t being_stored_ = 0;  ///< new plans that are not in the queue yet
  std::map<std::string, std::vector<std::shared_ptr<boost::asio::steady_timer>>> waiters_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
};

}  // namespace planexe::server
