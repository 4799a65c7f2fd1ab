#include "server/progress/feed_start.hpp"

#include <algorithm>

namespace planexe::server {

FeedStart feed_start(const FeedFacts& facts) {
  const auto last = std::max(facts.published.value_or(0), facts.stored);
  FeedStart start;
  // What is read of a running plan may be newer than what was published, and is repeated; of an ended one all is known.
  start.live_from = facts.ended ? last : facts.published.value_or(facts.stored);
  start.position = start.live_from;
  if (!facts.after) return start;
  // A delta's number may be known to nobody but the client when the process that sent it was killed: it is below what was
  // reserved, and everything that comes now is above.
  const bool deltas_lost = !facts.ended && !facts.published;
  const auto known = deltas_lost ? std::max(last, facts.reserved) : last;
  start.nothing_left = facts.ended && *facts.after == last;
  if (facts.in_ring) {
    start.way = FeedStart::Way::ring;
    start.position = *facts.after;
  } else if (*facts.after <= known && !facts.too_many) {
    start.way = FeedStart::Way::stored;
    start.position = *facts.after;
  } else {
    start.gap = true;
  }
  return start;
}

std::string_view to_string(FeedStart::Way way) {
  switch (way) {
    case FeedStart::Way::ring: return "ring";
    case FeedStart::Way::stored: return "stored";
    default: return "snapshot";
  }
}

}  // namespace planexe::server
