#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "server/progress/message.hpp"

namespace planexe::server {

/// What waits for one client. Bounded: on overflow everything is dropped and a snapshot is due. Pure.
class ClientQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Keeps the message, or drops it and everything that waits when that would be too much. While a snapshot is due
  /// nothing is kept, only counted.
  void push(const ProgressMessage& message, Time now);
  std::optional<ProgressMessage> pop();
  [[nodiscard]] bool empty() const { return messages_.empty(); }
  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// The client cannot be given `missed` messages any more: an overflow like any other.
  void overflow(std::int64_t missed, Time now);
  /// Messages dropped since the last snapshot that was taken; 0: no snapshot is due.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }
  /// The snapshot is being made: what comes from now on is kept again.
  void begin_snapshot() { dropped_ = 0; }
  /// The number of the first waiting message, or nothing.
  [[nodiscard]] std::optional<std::int64_t> first_seq() const;

  /// The client overflowed too often to be able to follow.
  [[nodiscard]] bool too_slow() const { return too_slow_; }

 private:
  std::deque<ProgressMessage> messages_;
  std::deque<Time> overflows_;
  std::size_t bytes_ = 0;
  std::int64_t dropped_ = 0;
  bool too_slow_ = false;
};

}  // namespace planexe::server
