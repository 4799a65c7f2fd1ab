#include "server/conversation/conversation_view.hpp"

#include "server/conversation/call_ledger.hpp"
#include "server/conversation/turn_failure.hpp"

namespace planexe::server {
namespace {

json::object turn_view(const store::TurnRow& turn, std::string_view text, std::string_view reasoning) {
  const bool running = turn.status == "running";
  return {{"turn", turn.turn},
          {"role", turn.role},
          {"text", running ? text : std::string_view(turn.text)},
          {"reasoning", running ? reasoning : std::string_view(turn.reasoning)},
          {"status", turn.status},
          {"error", turn.error},
          {"created_at", format_iso(turn.created_at)},
          {"usage", turn.usage}};
}

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

}  // namespace

json::object conversation_view(const Dialogue& dialogue, std::string_view text_so_far, std::string_view reasoning_so_far) {
  const auto& row = dialogue.conversation;
  const auto draft = IntakeDraft::from_json(row.draft_intake);
  json::array turns;
  for (const auto& turn : dialogue.turns) turns.push_back(turn_view(turn, text_so_far, reasoning_so_far));
  return {{"conversation_id", row.id},
          {"model_key", row.model_key},
          {"status", row.status},
          {"plan_id", text_or_null(row.plan_id)},
          {"draft_intake", draft ? json::value(draft->form) : json::value(nullptr)},
          {"missing_fields", missing_fields(draft)},
          {"last_error", row.last_error},
          {"turns", std::move(turns)}};
}

json::object turn_result(const Dialogue& dialogue) {
  const auto& row = dialogue.conversation;
  const auto* answer = last_answer(dialogue);
  const auto draft = IntakeDraft::from_json(row.draft_intake);
  json::array drafts;
  if (draft) drafts.emplace_back(draft->form);
  const bool has_usage = answer && answer->usage.is_object();
  const bool completed = answer && answer->completed_at;
  return {{"conversation_id", row.id},
          {"response_id", dialogue.last_answer ? text_or_null(dialogue.last_answer->response_id) : json::value(nullptr)},
          {"model_key", row.model_key},
          {"aggregated_text", answer ? answer->text : std::string()},
          {"reasoning_text", answer ? answer->reasoning : std::string()},
          {"json_chunks", std::move(drafts)},
          {"usage", has_usage ? answer->usage : json::value(usage_json({}))},
          {"completed_at", completed ? json::value(format_iso(*answer->completed_at)) : json::value(nullptr)},
          {"enriched_intake", complete_form(draft)},
          {"enriched_prompt", enriched_prompt(first_prompt(dialogue), draft)},
          {"missing_fields", missing_fields(draft)}};
}

bool draft_is_current(const Dialogue& dialogue) {
  const auto* message = last_message(dialogue);
  if (!message) return true;
  const auto draft = IntakeDraft::from_json(dialogue.conversation.draft_intake);
  return draft && draft->turn > message->turn;
}

std::vector<store::Write> recovery_writes(Dialogue& dialogue, const std::vector<store::InteractionRow>& open_calls, TimePoint now) {
  const auto failure = turn_failure(ErrorCode::ShuttingDown);
  auto& row = dialogue.conversation;
  row.status = "idle";
  row.last_error = last_error_json(failure, now);
  row.updated_at = now;
  std::vector<store::Write> writes;
  // Turns first: they are refused for a conversation that was deleted meanwhile, and nothing brings it back.
  for (auto& turn : dialogue.turns) {
    if (turn.status != "running") continue;
    turn.status = "failed";
    turn.error = turn_error_json(failure);
    turn.completed_at = now;
    writes.emplace_back(store::PutTurn{turn});
  }
  writes.emplace_back(store::PutConversation{row});
  for (auto call : open_calls) {
    call.status = "abandoned";
    call.completed_at = now;
    call.usage_source = "estimate";
    call.error_message = kLeftBehind;
    writes.emplace_back(store::UpdateInteraction{std::move(call)});
  }
  return writes;
}

}  // namespace planexe::server
