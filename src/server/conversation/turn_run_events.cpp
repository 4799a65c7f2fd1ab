// What a turn tells its clients, and what it stores at its end.
#include <utility>

#include "server/conversation/turn_run.hpp"

namespace planexe::server {
namespace {

json::value id_or_null(const std::string& id) { return id.empty() ? json::value(nullptr) : json::value(id); }

}  // namespace

json::object TurnRun::event(json::object fields) const {
  json::object data{{"conversation_id", setup_.conversation.id},
                    {"model_key", setup_.conversation.model_key},
                    {"session_id", setup_.token}};
  for (auto& member : fields) data.insert_or_assign(member.key(), std::move(member.value()));
  return data;
}

void TurnRun::tell_created(Moment now) {
  if (std::exchange(created_, true)) return;
  log_.append("response.created", event({{"created_at", format_iso(now.wall)}, {"response_id", id_or_null(end_.response_id)}}));
}

void TurnRun::tell_deltas(std::vector<DeltaGather::Piece> pieces, Moment now) {
  for (const auto& piece : pieces) {
    tell_created(now);  // a provider without response ids says nothing before its first words
    const bool text = piece.kind == TextKind::text;
    log_.append_delta(text ? "response.output_text.delta" : "response.reasoning_summary_text.delta",
                      event({{"response_id", id_or_null(end_.response_id)}, {"delta", piece.text}}), piece.kind, piece.text);
  }
}

/// The draft is shown as soon as it is there and the response was announced, and only when it says something new.
void TurnRun::tell_draft() {
  if (!end_.draft || !created_ || std::exchange(draft_told_, true)) return;
  const auto before = IntakeDraft::from_json(setup_.conversation.draft_intake);
  if (before && same_form(before->form, end_.draft->form)) return;
  log_.append("response.output_json.delta",
              event({{"response_id", id_or_null(end_.response_id)}, {"delta", end_.draft->form}}));
}

void TurnRun::store_end(Moment now) {
  for (auto& [part, call] : calls_) add_usage(end_.usage, call.planned.ledger.usage());
  end_.completed_at = now.wall;
  tell_deltas(gather_.take_all(now.steady), now);
  auto& conversation = setup_.conversation;
  conversation.status = "idle";
  conversation.updated_at = now.wall;
  if (end_.draft) conversation.draft_intake = end_.draft->to_json();
  conversation.last_error = end_.failure ? json::value(last_error_json(*end_.failure, now.wall)) : json::value(nullptr);
  std::vector<store::Write> writes;
  if (setup_.witness) writes.emplace_back(store::PutTurn{*setup_.witness});
  if (auto* reply = state(CallPart::reply)) {
    auto& answer = setup_.answer;
    const bool stopped = end_.failure && end_.failure->code == ErrorCode::Cancelled;
    answer.status = !end_.failure ? "completed" : stopped ? "cancelled" : "failed";
    answer.text = end_.failure ? log_.text(TextKind::text) : end_.text;
    answer.reasoning = end_.reasoning;
    answer.error = end_.failure ? json::value(turn_error_json(*end_.failure)) : json::value(nullptr);
    answer.usage = usage_json(end_.usage);
    answer.interaction_id = reply->planned.ledger.interaction();
    answer.completed_at = now.wall;
    writes.emplace_back(store::PutTurn{answer});
  }
  writes.emplace_back(store::PutConversation{conversation});
  end_token_ = commit(std::move(writes), "turn_end");
}

void TurnRun::tell_end(Moment now) {
  if (end_.failure) return tell_failure();
  tell_draft();
  const auto id = id_or_null(end_.response_id);
  const auto usage = usage_json(end_.usage);
  // The draft that counts is the last one, made in this turn or kept from an earlier one.
  json::array drafts;
  const auto draft = IntakeDraft::from_json(setup_.conversation.draft_intake);
  if (draft) drafts.emplace_back(draft->form);
  tell_created(now);
  log_.append("response.completed",
              event({{"response_id", id}, {"completed_at", format_iso(end_.completed_at)}, {"usage", usage}}));
  log_.append("final", event({{"response", json::object{{"id", id}, {"model", end_.model}, {"status", "completed"}}},
                              {"summary", json::object{{"response_id", id},
                                                       {"text", end_.text},
                                                       {"reasoning", end_.reasoning},
                                                       {"json", std::move(drafts)},
                                                       {"usage", usage}}}}));
}

/// Nothing follows an error.
void TurnRun::tell_failure() {
  log_.append("response.error", event({{"response_id", id_or_null(end_.response_id)},
                                       {"message", end_.failure->message},
                                       {"code", to_string(end_.failure->code)},
                                       {"retryable", end_.failure->retryable}}));
  log_.end();
}

void TurnRun::finish() {
  phase_ = Phase::over;
  log_.end();
  wants_.push_back(wanted::Over{});
}

}  // namespace planexe::server
