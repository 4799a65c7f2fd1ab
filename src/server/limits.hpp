#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

/// The limits of the HTTP side, each with its reason. Figures of the contract stand in api/openapi.yaml as well; a test
/// compares them.
namespace planexe::server::limits {

using planexe::limits::kKiB;
using planexe::limits::kMiB;

/// The contract's limits of a request line, of all headers and of a body.
inline constexpr std::size_t kTargetBytesMax = 8 * kKiB;
inline constexpr std::uint32_t kHeaderBytesMax = 32 * kKiB;
inline constexpr std::uint64_t kBodyBytesMax = kMiB;
/// How long a client may take to send its headers, and then its body.
inline constexpr std::chrono::seconds kHeaderWait{10};
inline constexpr std::chrono::seconds kBodyWait{30};
/// An idle connection is kept a little longer than browsers and proxies keep theirs, so that they end it.
inline constexpr std::chrono::seconds kIdleWait{75};
/// A client that takes nothing of an answer for so long is gone.
inline constexpr std::chrono::seconds kWriteWait{30};

/// An id that a caller gives its request.
inline constexpr std::size_t kRequestIdCharsMax = 64;
/// What stands in the path for a file of a plan.
inline constexpr std::size_t kFileNameCharsMax = 255;
/// `details` names larger data instead of sending it, and sends this much of the log's end.
inline constexpr std::size_t kDetailsDataBytesMax = 32 * kKiB;
inline constexpr std::size_t kDetailsLogBytesMax = 64 * kKiB;
/// Previews of prompts and answers in lists.
inline constexpr std::size_t kPreviewCharsMax = 400;

/// Buckets of the rate limits: identities that are remembered. Beyond it the least recently seen one is forgotten.
inline constexpr std::size_t kIdentitiesMax = 20'000;
/// A stored reply of an idempotent request.
inline constexpr std::chrono::hours kIdempotencyLife{24};

/// The ring of one plan's latest messages, and how long it stays after the plan's end.
inline constexpr std::size_t kRingMessagesMax = 4096;
inline constexpr std::size_t kRingBytesMax = 8 * kMiB;
inline constexpr std::chrono::minutes kRingLife{10};
/// The ring of a plan whose end was not seen here, since another process took it over; longer than any call is silent.
inline constexpr std::chrono::minutes kQuietRingLife{60};
/// Stored events that a client may replay; a longer gap is answered with a snapshot.
inline constexpr int kReplayEventsMax = 10'000;
/// What may wait for one client: about a minute of a busy plan.
inline constexpr std::size_t kClientMessagesMax = 1024;
inline constexpr std::size_t kClientBytesMax = 4 * kMiB;
/// A client that overflows so often within the window, or takes no byte for so long, is too slow to follow.
inline constexpr int kOverflowsMax = 3;
inline constexpr std::chrono::seconds kOverflowWindow{60};
inline constexpr std::chrono::seconds kSilentWriteMax{30};
/// Text of a call in progress that a snapshot carries.
inline constexpr std::size_t kSnapshotTextBytesMax = 64 * kKiB;
/// What a client of the socket may send, and how many malformed messages it may send before it is closed.
inline constexpr std::size_t kClientMessageBytesMax = 4 * kKiB;
inline constexpr int kMalformedMax = 10;
/// Liveness: JSON heartbeat, protocol ping, no answer to it, comment line of an event stream.
inline constexpr std::chrono::seconds kHeartbeat{30};
inline constexpr std::chrono::seconds kPing{20};
inline constexpr std::chrono::seconds kPongWait{60};
inline constexpr std::chrono::seconds kComment{15};

/// From a request to stop until the process ends whatever is still open, and how long that may take to end then.
inline constexpr std::chrono::seconds kShutdownGrace{20};
inline constexpr std::chrono::seconds kAbortWait{2};
/// A client that does not answer a socket's close for so long is dropped when the server stops.
inline constexpr std::chrono::milliseconds kCloseAnswerWait{500};

}  // namespace planexe::server::limits
