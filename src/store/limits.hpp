#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

/// The limits of the store, each with its reason.
namespace planexe::store::limits {

using planexe::limits::kKiB;
using planexe::limits::kMiB;

/// One artefact, text block or answer: the biggest report with everything in it stays below 10 MiB.
inline constexpr std::size_t kContentBytesMax = 32 * kMiB;
/// One transaction: two of the biggest artefacts; more in one transaction would hold all other plans up.
inline constexpr std::size_t kTransactionBytesMax = 64 * kMiB;
/// One COMMIT: enough to make the flush cheap per transaction, little enough that the first one does not wait long.
inline constexpr std::size_t kGroupTransactionsMax = 256;
inline constexpr std::size_t kGroupBytesMax = 2 * kMiB;
/// What may wait for the writer: some seconds of work. More means that the disk has stopped.
inline constexpr std::size_t kQueueTransactionsMax = 65'536;
inline constexpr std::size_t kQueueBytesMax = 256 * kMiB;

/// How long a statement waits for another process that writes to the same SQLite file.
inline constexpr std::chrono::milliseconds kBusyTimeout{5'000};
/// Between two tries where SQLite does not wait by itself.
inline constexpr std::chrono::milliseconds kBusyPause{10};
/// How long a caller waits for its result: several busy timeouts and a slow disk.
inline constexpr std::chrono::milliseconds kCommitWait{60'000};
/// How long a read waits for a free connection.
inline constexpr std::chrono::milliseconds kReaderWait{10'000};
/// Reading connections; each holds file descriptors and a page cache.
inline constexpr int kReadersMax = 32;

/// The writer's checkpoint when it has nothing to do: after this pause, when the log has at least so many pages.
inline constexpr std::chrono::milliseconds kCheckpointPause{50};
inline constexpr std::uint64_t kCheckpointIdlePages = 64;
/// The writer's checkpoint under load: the log must not grow without end. 32 MiB of pages.
inline constexpr std::uint64_t kCheckpointBusyPages = 8'192;

/// Prepared statements per connection; the store has about a hundred.
inline constexpr std::size_t kStatementsMax = 256;

/// PostgreSQL. How long a connection may take: a server across an ocean needs a second, one that is away never answers.
inline constexpr std::chrono::milliseconds kConnectWait{10'000};
/// What the server may spend on one statement, and on waiting for one lock of another transaction.
inline constexpr std::chrono::milliseconds kStatementTime{30'000};
inline constexpr std::chrono::milliseconds kLockTime{10'000};
/// Only a stopped or cut-off process leaves a transaction that does nothing. It holds the rows of its plans, and others
/// are to take them over within two lease times.
inline constexpr std::chrono::milliseconds kIdleTransactionTime{10'000};
/// A migration of a large database, and the wait for that of another process.
inline constexpr std::chrono::milliseconds kMigrationTime{600'000};
/// Beyond what the server was given: time of the network, before a connection counts as lost.
inline constexpr std::chrono::milliseconds kAnswerGrace{5'000};
/// How long writes wait for a server that is away; a restart takes seconds. Below kCommitWait.
inline constexpr std::chrono::milliseconds kWritePatience{30'000};
/// The same for reads: somebody waits for each.
inline constexpr std::chrono::milliseconds kReadPatience{3'000};
/// Pause between two tries to connect, doubled up to the second one.
inline constexpr std::chrono::milliseconds kReconnectPause{50};
inline constexpr std::chrono::milliseconds kReconnectPauseMax{2'000};
/// How often a group is tried again after a deadlock or a conflict with another process.
inline constexpr int kConflictRetries = 10;
/// Writing connections of a process: beyond a few the server's disk decides.
inline constexpr int kWritersMax = 16;

/// Rows of one page of a list, and of one read of events.
inline constexpr int kPageRowsMax = 1'000;
inline constexpr int kEventRowsMax = 20'000;
/// An opaque cursor of the HTTP contract.
inline constexpr std::size_t kCursorBytesMax = 256;
/// What a search compares, in code points; more is no search but a prompt.
inline constexpr std::size_t kSearchCharsMax = 200;
/// Interaction ids that may be reserved at once.
inline constexpr int kIdBlockMax = 100'000;
/// Findings of one check: after so many the database is beyond a list.
inline constexpr std::size_t kFindingsMax = 200;

}  // namespace planexe::store::limits
