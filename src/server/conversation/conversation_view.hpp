#pragma once

#include <string_view>

#include "base/json.hpp"
#include "server/conversation/interview.hpp"
#include "store/store.hpp"

namespace planexe::server {

/// What the ledger says of a call whose process is gone.
inline constexpr std::string_view kLeftBehind = "The process ended while this call was in flight; the provider may have billed it.";

/// The contract's Conversation. `text_so_far`: of the answer that is being written.
json::object conversation_view(const Dialogue& dialogue, std::string_view text_so_far = {}, std::string_view reasoning_so_far = {});

/// The contract's TurnResult: the last answer, the form and what it still lacks.
json::object turn_result(const Dialogue& dialogue);

/// True when the draft was made after the last message of the person; also when there is nothing to make one from.
bool draft_is_current(const Dialogue& dialogue);

/// What makes a conversation that was running when the server stopped usable again, and what changes in `dialogue`.
std::vector<store::Write> recovery_writes(Dialogue& dialogue, const std::vector<store::InteractionRow>& open_calls, TimePoint now);

}  // namespace planexe::server
