#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "store/rows.hpp"

namespace planexe::engine {

/// One numbered message of a plan, as watchers get it. Stored ones are in the database before they are published.
struct Event {
  std::int64_t seq = 0;
  std::string type;  ///< status task artefact log stream_end llm_stream
  TimePoint at{};
  json::object payload;
  std::int64_t interaction_id = 0;
};

/// Numbers the events of one plan and releases them in that order, each not before its transaction is committed.
/// Deltas are never stored, but wait behind stored events that came before them, so no number overtakes another.
class EventLog {
 public:
  /// `last_seq`: the highest number ever handed out for this plan (stored or reserved).
  explicit EventLog(std::int64_t last_seq);

  /// Appends an event to the open transaction.
  void store(std::string type, json::object payload, TimePoint at, std::int64_t interaction_id = 0);
  /// Appends an event that lives in memory only.
  void pass(std::string type, json::object payload, TimePoint at, std::int64_t interaction_id = 0);

  /// The rows of the open transaction, now bound to `token`; empties the open set.
  std::vector<store::EventRow> seal(std::uint64_t token);
  /// True while stored events wait for a transaction.
  [[nodiscard]] bool unsealed() const;
  /// The transaction of `token` is committed.
  void committed(std::uint64_t token);
  /// Events that may be published now, in order.
  std::vector<Event> drain();

  /// A new upper bound to reserve in the database, or 0 when the reserved block still lasts.
  std::int64_t wanted_reservation();
  [[nodiscard]] std::int64_t last_seq() const { return last_; }

 private:
  struct Waiting {
    Event event;
    bool stored = false;
    std::uint64_t token = 0;  ///< 0: not sealed yet
    bool ready = false;
  };
  std::deque<Waiting> queue_;
  std::int64_t last_ = 0;
  std::int64_t reserved_ = 0;
};

}  // namespace planexe::engine
