#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "server/progress/client_queue.hpp"
#include "server/progress/running_texts.hpp"

namespace planexe::server {

/// One who watches a plan. The hub gives it what it asks for with refill(), and everything new once it has caught up.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  ClientQueue queue;
  std::uint64_t next = 0;            ///< place in the plan's order of the first message that it has not got
  bool live = false;                 ///< has caught up: new messages go to its queue at once
  bool deleted = false;              ///< the plan is gone: nothing more comes
  bool look = false;                 ///< look_again() was called
  /// Something new is there, or the plan is gone.
  virtual void wake() = 0;
};

/// The live messages of all plans: a ring of the latest ones per plan, and those who watch. On the loop's thread.
class ProgressHub {
 public:
  explicit ProgressHub(const Clock& clock) : clock_(clock) {}

  /// Committed events of a plan, in order.
  void publish(const std::string& plan_id, const std::vector<engine::Event>& events);
  /// The plan is gone; who watches is told.
  void deleted(const std::string& plan_id);
  /// The database may know more than what was published; who watches looks there.
  void look_again(const std::string& plan_id);
  /// Plans that somebody watches, in order.
  [[nodiscard]] std::vector<std::string> watched() const;

  struct Position {
    std::optional<std::int64_t> last_seq;      ///< of what was published so far; nothing: nothing was, in this process
    json::array interactions;                  ///< running texts up to then; none when covered
    bool covered = false;                      ///< the ring has everything after the number asked for
  };
  /// From now on refill() gives what is published; with `after`, if the ring has it, what came since then, too.
  Position subscribe(const std::string& plan_id, Subscriber& subscriber, std::optional<std::int64_t> after);
  void unsubscribe(const std::string& plan_id, Subscriber& subscriber);

  /// Moves some of what the subscriber has not got from the ring to its queue; at the ring's end the subscriber is live.
  /// A ring that has gone past it is an overflow of its queue.
  void refill(const std::string& plan_id, Subscriber& subscriber);

  /// Where a snapshot that is taken now stands, and what its running texts are.
  [[nodiscard]] Position position(const std::string& plan_id) const;
  [[nodiscard]] std::optional<std::int64_t> last_seq(const std::string& plan_id) const;

  /// Forgets plans that nobody watches and that ended limits::kRingLife ago, or have been silent for limits::kQuietRingLife.
  void forget_old();

  [[nodiscard]] std::size_t subscribers() const { return count_; }
  [[nodiscard]] std::size_t plans() const { return channels_.size(); }

 private:
  struct Channel {
    std::deque<ProgressMessage> ring;
    std::size_t ring_bytes = 0;
    std::uint64_t first = 0;                   ///< place of the ring's first message
    std::int64_t floor = -1;                   ///< everything after this number is in the ring
    std::optional<std::int64_t> last_seq;
    RunningTexts texts;
    std::set<Subscriber*> subscribers;
    bool over = false;                         ///< the last message was a stream_end
    std::chrono::steady_clock::time_point touched{};

    [[nodiscard]] std::uint64_t end() const { return first + ring.size(); }
  };

  void emit(const std::string& plan_id, Channel& channel, const engine::Event& event);

  const Clock& clock_;
  std::map<std::string, Channel> channels_;
  std::size_t count_ = 0;
};

}  // namespace planexe::server
