#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/conversation/event_log.hpp"

namespace planexe::server {

/// Gathers the deltas of an answer so that at most one is given per interval, whole characters only. Pure.
class DeltaGather {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  struct Piece {
    TextKind kind;
    std::string text;
  };

  explicit DeltaGather(std::chrono::milliseconds interval) : interval_(interval) {}

  void add(TextKind kind, std::string_view delta);
  /// What may be sent now; reasoning first, since it comes before the text.
  std::optional<Piece> take(Steady now);
  /// Everything that waits, whatever the time; bytes that never became a character are replaced.
  std::vector<Piece> take_all(Steady now);
  /// When take() gives something; nothing while nothing waits.
  [[nodiscard]] std::optional<Steady> due() const;
  void clear();

 private:
  std::string& waiting(TextKind kind) { return kind == TextKind::text ? text_ : reasoning_; }

  std::chrono::milliseconds interval_;
  std::string text_, reasoning_;
  std::optional<Steady> last_;
};

}  // namespace planexe::server
