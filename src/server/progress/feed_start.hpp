#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace planexe::server {

/// What is known when a client begins to watch.
struct FeedFacts {
  std::optional<std::int64_t> after = {};  ///< the number that the client has seen last
  std::optional<std::int64_t> published = {};  ///< last number that was published in this process
  bool in_ring = false;                    ///< the ring has everything after `after`
  std::int64_t stored = 0;                 ///< last number in the database
  std::int64_t reserved = 0;               ///< numbers up to this one may have been handed out by a process that is gone
  bool ended = false;                      ///< the plan has ended
  bool too_many = false;                   ///< more stored events after `after` than may be replayed
};

/// How a client's feed begins.
struct FeedStart {
  enum class Way { snapshot, ring, stored };
  Way way = Way::snapshot;
  std::int64_t position = 0;               ///< number of the message before the first one
  std::int64_t live_from = 0;              ///< what the hub gives comes after this number
  bool gap = false;                        ///< the number asked for cannot be gone on from
  bool nothing_left = false;               ///< the plan has ended and the client has everything
};

/// Pure; section "Events" of the contract.
FeedStart feed_start(const FeedFacts& facts);
std::string_view to_string(FeedStart::Way way);

}  // namespace planexe::server
