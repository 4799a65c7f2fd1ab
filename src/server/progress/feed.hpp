#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <string>

#include "server/progress/hub.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// What one client gets of a plan's progress, in order: the beginning (snapshot or replay), then everything that is
/// published. The same for the WebSocket and the event stream. On the loop's thread.
class ProgressFeed final : public Subscriber {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ProgressFeed(const Services& services, std::string plan_id);
  ~ProgressFeed() override;
  ProgressFeed(const ProgressFeed&) = delete;
  ProgressFeed& operator=(const ProgressFeed&) = delete;

  /// Subscribes and reads what the beginning needs. PLAN_NOT_FOUND, DATABASE_UNAVAILABLE.
  boost::asio::awaitable<Result<void>> open(std::optional<std::int64_t> after);

  /// The next message; nothing when there is none until then, after interrupt(), or when finished().
  boost::asio::awaitable<std::optional<ProgressMessage>> next(Time until);
  /// Ends a wait in next(): the client sent something or left.
  void interrupt();

  /// The last message was given: a stream_end with nothing after it.
  [[nodiscard]] bool finished() const { return finished_; }
  /// The plan has ended and the client, who asked for what comes after a number, has everything.
  [[nodiscard]] bool nothing_left() const { return nothing_left_; }
  void ask_for_snapshot() { snapshot_wanted_ = true; }
  [[nodiscard]] std::int64_t last_seq() const { return last_seq_; }
  /// A message that repeats the last number: heartbeat, error.
  [[nodiscard]] ProgressMessage unnumbered(std::string_view type, const json::object& payload) const;

  void wake() override;

 private:
  struct View;
  boost::asio::awaitable<Result<View>> read(std::optional<std::int64_t> events_after) const;
  void begin(const View& view, const ProgressHub::Subscription& subscription, std::optional<std::int64_t> after);
  void begin_with_snapshot(const View& view, const ProgressHub::Subscription& subscription);
  [[nodiscard]] ProgressMessage snapshot(const View& view, const json::array& interactions, std::string_view reason, std::int64_t dropped) const;
  [[nodiscard]] ProgressMessage status(const View& view) const;
  boost::asio::awaitable<std::optional<ProgressMessage>> fresh_snapshot();
  std::optional<ProgressMessage> give(ProgressMessage message);
  std::optional<ProgressMessage> end_of_ended_plan();

  const Services& services_;
  std::string plan_id_;
  std::deque<ProgressMessage> beginning_;
  boost::asio::steady_timer timer_;
  std::int64_t last_seq_ = 0;
  std::string terminal_;            ///< status of a plan that had ended when it was looked at
  bool subscribed_ = false;
  bool snapshot_wanted_ = false;
  bool interrupted_ = false;
  bool finished_ = false;
  bool nothing_left_ = false;
};

}  // namespace planexe::server
