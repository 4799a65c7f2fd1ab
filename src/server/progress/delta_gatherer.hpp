#pragma once

#include <map>
#include <vector>

#include "engine/event_log.hpp"

namespace planexe::server {

/// Merges the deltas of each call, so that a fast model does not cost a message per token. Pure; the caller releases what was
/// gathered after limits::kDeltaGather, and before any other event, so that numbers never fall.
class DeltaGatherer {
 public:
  /// True when the event was taken; it comes out of release().
  bool take(engine::Event& event);

  /// The gathered deltas by their last numbers. Reasoning is held back to the end of its line, because clients show each
  /// delta as a line of its own, unless `all` or the line is long.
  std::vector<engine::Event> release(bool all);
  /// The same for one call that ends.
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  struct Key {
    std::int64_t interaction_id;
    bool reasoning;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, engine::Event> waiting_;
};

}  // namespace planexe::server
