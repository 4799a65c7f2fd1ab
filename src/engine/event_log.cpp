#include "engine/event_log.hpp"

#include <algorithm>
#include <utility>

namespace planexe::engine {
namespace {

constexpr std::int64_t kSeqBlock = 4096;

}  // namespace

EventLog::EventLog(std::int64_t last_seq) : last_(last_seq), reserved_(last_seq) {}

void EventLog::store(std::string type, json::object payload, TimePoint at, std::int64_t interaction_id) {
  queue_.push_back({{++last_, std::move(type), at, std::move(payload), interaction_id}, true, 0, false});
}

void EventLog::pass(std::string type, json::object payload, TimePoint at, std::int64_t interaction_id) {
  queue_.push_back({{++last_, std::move(type), at, std::move(payload), interaction_id}, false, 0, true});
}

std::vector<store::EventRow> EventLog::seal(std::uint64_t token) {
  std::vector<store::EventRow> rows;
  for (auto& waiting : queue_) {
    if (!waiting.stored || waiting.token != 0) continue;
    waiting.token = token;
    rows.push_back({waiting.event.seq, waiting.event.type, waiting.event.at, waiting.event.payload,
                    waiting.event.interaction_id});
  }
  return rows;
}

bool EventLog::unsealed() const {
  return std::any_of(queue_.begin(), queue_.end(), [](const Waiting& w) { return w.stored && w.token == 0; });
}

void EventLog::committed(std::uint64_t token) {
  for (auto& waiting : queue_)
    if (waiting.token == token) waiting.ready = true;
}

std::vector<Event> EventLog::drain() {
  std::vector<Event> out;
  while (!queue_.empty() && queue_.front().ready) {
    out.push_back(std::move(queue_.front().event));
    queue_.pop_front();
  }
  return out;
}

std::int64_t EventLog::wanted_reservation() {
  // Half a block ahead, so that deltas between two transactions never use an unreserved number.
  if (last_ + kSeqBlock / 2 <= reserved_) return 0;
  reserved_ = last_ + kSeqBlock;
  return reserved_;
}

}  // namespace planexe::engine
