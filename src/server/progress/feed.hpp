#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <string>

#include "server/progress/feed_start.hpp"
#include "server/progress/hub.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// What one client gets of a plan's progress, in order: the beginning (snapshot or replay), then everything that is
/// published. The same for the WebSocket and the event stream. On the loop's thread.
class ProgressFeed final : public Subscriber {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `kind`: label of the client in the metrics.
  ProgressFeed(const Services& services, std::string plan_id, std::string_view kind);
  ~ProgressFeed() override;
  ProgressFeed(const ProgressFeed&) = delete;
  ProgressFeed& operator=(const ProgressFeed&) = delete;

  /// Subscribes and reads what the beginning needs. PLAN_NOT_FOUND, DATABASE_UNAVAILABLE.
  boost::asio::awaitable<Result<void>> open(std::optional<std::int64_t> after);

  /// The next message; nothing when there is none until then, after interrupt(), or when finished().
  boost::asio::awaitable<std::optional<ProgressMessage>> next(Time until);
  /// Ends a wait in next(): the client sent something or left.
  void interrupt();

  /// Nothing more comes: the last message was given, or failed().
  [[nodiscard]] bool finished() const { return finished_; }
  /// The database did not answer; the client has to come back.
  [[nodiscard]] bool failed() const { return failed_; }
  /// The plan has ended and the client, who asked for what comes after a number, has everything.
  [[nodiscard]] bool nothing_left() const { return start_.nothing_left; }
  /// The client wants a snapshot; it comes after the messages that it covers.
  void ask_for_snapshot() { snapshot_wanted_ = true; }
  [[nodiscard]] std::int64_t last_seq() const { return last_seq_; }
  /// A message that repeats the last number: heartbeat, error.
  [[nodiscard]] ProgressMessage unnumbered(std::string_view type, const json::object& payload) const;

  void wake() override;

 private:
  using Message = std::optional<ProgressMessage>;
  struct View;
  /// A snapshot that waits for its place.
  struct Waiting {
    std::int64_t seq = 0;
    ProgressMessage message;
  };

  boost::asio::awaitable<Result<View>> read(std::optional<std::int64_t> count_after) const;
  void begin(const View& view, const ProgressHub::Position& position, std::optional<std::int64_t> after);
  [[nodiscard]] ProgressMessage snapshot(const View& view, const json::array& interactions, std::int64_t seq, std::string_view reason,
                                         std::int64_t dropped) const;
  void notice_end(const View& view);

  /// The next message that is at hand, without waiting; nothing also when something has to be read first.
  Message at_hand();
  [[nodiscard]] bool must_read() const;
  boost::asio::awaitable<void> read_more();
  boost::asio::awaitable<void> read_stored();
  boost::asio::awaitable<void> replace_dropped();
  boost::asio::awaitable<void> take_snapshot();
  boost::asio::awaitable<void> look_in_database();
  Message from_hub();
  Message end_of_plan();
  Message give(ProgressMessage message);
  void fail_now();

  const Services& services_;
  std::string plan_id_;
  std::string kind_;
  FeedStart start_;
  std::deque<ProgressMessage> first_;       ///< before anything else
  std::deque<ProgressMessage> stored_;      ///< a page of stored events
  std::optional<std::int64_t> stored_to_;   ///< stored events up to this number are to be read
  std::optional<Waiting> snapshot_;
  std::int64_t last_seq_ = 0;
  std::int64_t settled_ = 0;                ///< a stream_end up to this number is one that the plan has gone on after
  std::string end_state_;                   ///< of a plan that had ended when it was looked at
  std::int64_t end_seq_ = 0;                ///< its last stored number
  std::optional<ProgressMessage> end_status_;
  boost::asio::steady_timer timer_;
  bool subscribed_ = false;
  bool snapshot_wanted_ = false;
  bool interrupted_ = false;
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace planexe::server
