#pragma once

#include <chrono>
#include <cstddef>

#include "base/limits.hpp"

/// The limits of conversations and analyses, each with its reason. Lifetimes of tokens are the contract's.
namespace planexe::server::limits {

using planexe::limits::kKiB;
using planexe::limits::kMiB;

inline constexpr std::chrono::seconds kTurnTokenLife{60};
inline constexpr std::chrono::seconds kAnalysisTokenLife{45};
/// A stream that has ended can be read again for so long; afterwards its token is known, and answered with 204, for a day.
inline constexpr std::chrono::minutes kReplayLife{10};
inline constexpr std::chrono::hours kEndedTokenLife{24};
/// Tokens that are remembered. Ended ones are a few hundred bytes each; the oldest go first.
inline constexpr std::size_t kSessionsMax = 20'000;
/// Text of prepared requests and of ended streams in memory, all together; the oldest go first.
inline constexpr std::size_t kSessionBytesMax = 128 * kMiB;

/// The contract's ten delta events per second.
inline constexpr std::chrono::milliseconds kTurnDeltaInterval{100};
/// Text, and reasoning, of one answer. The largest answer that can be asked for has about 0.5 MiB; a server that sends
/// more does not keep to its budget.
inline constexpr std::size_t kAnswerBytesMax = 2 * kMiB;
inline constexpr std::chrono::seconds kSessionSweep{10};
/// What one write to a client gathers, unless a single event is larger.
inline constexpr std::size_t kStreamWriteBytes = 64 * kKiB;

/// After the reply is complete the form may take so much longer; a person waits for it.
inline constexpr std::chrono::seconds kFormWait{60};
/// The form has about 25 short fields.
inline constexpr int kFormTokensMax = 8'192;
/// Ledger ids of one model call: a call has at most so many attempts.
inline constexpr int kAttemptsPerCall = 8;
/// A transaction whose answer was lost is sent again; every write here may be repeated.
inline constexpr int kCommitRepeatsMax = 3;

/// Where another process may share the database, a turn that has been running for so long was left behind: no call takes
/// longer than half an hour, and its form ends soon after it.
inline constexpr std::chrono::minutes kTurnLifeMax{45};

/// Entries of a conversation. A person who writes more has found another use for it.
inline constexpr int kTurnsMax = 400;
/// What is given to the model of a conversation; older messages in between are left out, the first one stays.
inline constexpr std::size_t kTranscriptBytesMax = 512 * kKiB;

/// The prompt that a plan is made from (the contract's largest).
inline constexpr std::size_t kEnrichedPromptCharsMax = planexe::limits::kPromptCharsMax;

}  // namespace planexe::server::limits
