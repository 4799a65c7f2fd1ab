#include "server/conversation/conversation_store.hpp"

#include <algorithm>
#include <utility>

#include "server/conversation/conversation_view.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {
namespace {

constexpr int kIdsPerTurn = 2 * limits::kAttemptsPerCall;

std::unexpected<Error> unavailable(const Error& error) {
  return fail(ErrorCode::DatabaseUnavailable, "The database does not answer.", std::string(to_string(error.code)));
}

}  // namespace

Result<Dialogue> read_dialogue(store::Store& store, const std::string& id) {
  auto row = store.conversation(id);
  if (!row) return unavailable(row.error());
  if (!*row) return fail(ErrorCode::ConversationNotFound, "There is no conversation with this id.");
  auto turns = store.turns(id);
  if (!turns) return unavailable(turns.error());
  Dialogue dialogue{**std::move(row), *std::move(turns), std::nullopt};
  const auto* answer = last_answer(dialogue);
  if (!answer || answer->interaction_id == 0) return dialogue;
  auto interaction = store.interaction(answer->interaction_id);
  if (!interaction) return unavailable(interaction.error());
  dialogue.last_answer = *std::move(interaction);
  return dialogue;
}

Result<Dialogue> recover_dialogue(store::Store& store, Dialogue dialogue, TimePoint now) {
  std::vector<store::InteractionRow> open;
  for (const auto& turn : dialogue.turns) {
    if (turn.status != "running" || turn.interaction_id == 0) continue;
    for (int i = 0; i < kIdsPerTurn; ++i) {
      auto row = store.interaction(turn.interaction_id + i);
      if (!row) return unavailable(row.error());
      const bool own = *row && (*row)->owner_kind == "conversation" && (*row)->owner_id == dialogue.conversation.id;
      if (own && ((*row)->status == "pending" || (*row)->status == "running")) open.push_back(**std::move(row));
    }
  }
  auto writes = recovery_writes(dialogue, open, now);
  PLANEXE_TRY(commit_conversation(store, std::move(writes), "conversation_recover"));
  return dialogue;
}

Result<void> commit_conversation(store::Store& store, std::vector<store::Write> writes, std::string label) {
  const auto result = store.commit(store::Transaction{"", std::nullopt, std::move(writes), std::move(label)});
  if (result.ok()) return {};
  if (result.status == store::CommitStatus::conflict || (result.error && result.error->code == ErrorCode::ConversationNotFound))
    return fail(ErrorCode::ConversationNotFound, "There is no conversation with this id.");
  return fail(ErrorCode::DatabaseUnavailable, "The database does not answer.");
}

Result<void> abandon_calls(store::Store& store, TimePoint before) {
  return commit_conversation(store, {store::AbandonCalls{before, std::string(kLeftBehind)}}, "calls_abandon");
}

Result<std::int64_t> reserve_turn_ids(store::Store& store) {
  auto first = store.reserve_interaction_ids(kIdsPerTurn);
  if (!first) return unavailable(first.error());
  return *first;
}

int next_turn(const Dialogue& dialogue) {
  int last = 0;
  for (const auto& turn : dialogue.turns) last = std::max(last, turn.turn);
  return last + 1;
}

}  // namespace planexe::server
