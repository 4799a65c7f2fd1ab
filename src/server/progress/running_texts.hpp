#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/json.hpp"
#include "engine/event_log.hpp"

namespace planexe::server {

/// The texts of a plan's calls in progress, as far as they have come: what a snapshot shows. Pure.
class RunningTexts {
 public:
  void take(const engine::Event& event);

  /// `interactions` of a snapshot: the last part of each text.
  [[nodiscard]] json::array snapshot() const;
  void clear() { calls_.clear(); }

 private:
  struct Call {
    std::string stage, call_key, model;
    std::int64_t attempt = 1, sequence = 0;
    TimePoint started_at{};
    std::string text, reasoning;
    bool truncated = false;
  };
  static void append(std::string& text, std::string_view delta, bool& truncated);

  std::map<std::int64_t, Call> calls_;
};

}  // namespace planexe::server
