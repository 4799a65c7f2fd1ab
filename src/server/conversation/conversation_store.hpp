#pragma once

#include <optional>
#include <string>

#include "server/conversation/interview.hpp"
#include "store/store.hpp"

// What conversations read and write, blocking: for the pool's threads, never the loop's.
namespace planexe::server {

/// CONVERSATION_NOT_FOUND, DATABASE_UNAVAILABLE.
Result<Dialogue> read_dialogue(store::Store& store, const std::string& id);

/// A dialogue whose turn was running when an earlier process ended; stores that it is idle again.
Result<Dialogue> recover_dialogue(store::Store& store, Dialogue dialogue, TimePoint now);

/// Commits, and says it in the codes of the contract: a conflict means that the conversation is gone.
Result<void> commit_conversation(store::Store& store, std::vector<store::Write> writes, std::string label);

/// Ids for the model calls of one turn: the first of limits::kAttemptsPerCall for the reply, then as many for the form.
Result<std::int64_t> reserve_turn_ids(store::Store& store);

/// Closes the ledger rows of turns and analyses whose process is gone; they were begun before `before`.
Result<void> abandon_calls(store::Store& store, TimePoint before);

/// The next number of a turn.
int next_turn(const Dialogue& dialogue);

}  // namespace planexe::server
