#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/time.hpp"
#include "server/progress/client_queue.hpp"
#include "server/progress/delta_gatherer.hpp"
#include "server/progress/running_texts.hpp"

namespace planexe::server {

/// One who watches a plan.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  ClientQueue queue;
  bool ended = false;                ///< the plan was deleted or its stream has ended: nothing more comes
  /// Something is in the queue, or it has ended.
  virtual void wake() = 0;
};

/// The live messages of all plans: a ring of the latest ones per plan, and those who watch. On the loop's thread.
class ProgressHub {
 public:
  ProgressHub(boost::asio::any_io_executor loop, const Clock& clock);

  /// Committed events of a plan, in order.
  void publish(const std::string& plan_id, const std::vector<engine::Event>& events);
  /// The plan is gone; who watches is told.
  void deleted(const std::string& plan_id);

  struct Subscription {
    std::optional<std::int64_t> last_seq;      ///< of what was published before; nothing: nothing was, in this process
    json::array interactions;                  ///< running texts up to then
    bool covered = false;                      ///< the ring has everything after the number asked for; it is in the queue
  };
  /// From now on the subscriber gets everything that is published; with `after`, if the ring has it, what came since then, too.
  Subscription subscribe(const std::string& plan_id, Subscriber& subscriber, std::optional<std::int64_t> after);
  void unsubscribe(const std::string& plan_id, Subscriber& subscriber);

  /// Where a snapshot that is asked for later stands.
  Subscription position(const std::string& plan_id);

  [[nodiscard]] std::size_t subscribers() const { return count_; }
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }

 private:
  struct Channel {
    std::deque<ProgressMessage> ring;
    std::size_t ring_bytes = 0;
    std::int64_t floor = -1;                   ///< everything after this number is in the ring
    std::optional<std::int64_t> last_seq;
    RunningTexts texts;
    DeltaGatherer gatherer;
    std::set<Subscriber*> subscribers;
    std::optional<std::chrono::steady_clock::time_point> ended_at;
    bool release_pending = false;
  };

  void emit(const std::string& plan_id, Channel& channel, const engine::Event& event);
  void send(Channel& channel, const ProgressMessage& message);
  void release(const std::string& plan_id, Channel& channel, bool all);
  void release_later(const std::string& plan_id, Channel& channel);
  void forget_old();

  boost::asio::any_io_executor loop_;
  const Clock& clock_;
  std::map<std::string, Channel> channels_;
  std::size_t count_ = 0;
  std::int64_t dropped_ = 0;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace planexe::server
