#include <fmt/format.h>

#include "store/apply.hpp"
#include "store/columns.hpp"

namespace planexe::store::writes {

Result<void> apply(const Context& context, const PutIdempotencyKey& write) {
  const IdempotencyRow& row = write.row;
  PLANEXE_TRY(context.db.send("DELETE FROM idempotency_keys WHERE expires_at <= ?", {context.now}));
  PLANEXE_TRY_ASSIGN(const auto inserted, sql::insert(context.db, "idempotency_keys",
                                                      {{"identity", row.identity},
                                                       {"key", row.key},
                                                       {"body_hash", row.body_hash},
                                                       {"plan_id", row.plan_id},
                                                       {"expires_at", row.expires_at},
                                                       {"reply", row.reply}},
                                                      "ON CONFLICT (identity, key) DO NOTHING"));
  if (inserted == 1) return {};
  PLANEXE_TRY_ASSIGN(const auto same, sql::number(context.db,
                                                  "SELECT COUNT(*) FROM idempotency_keys WHERE identity = ? "
                                                  "AND key = ? AND body_hash = ? AND plan_id = ?",
                                                  {row.identity, row.key, row.body_hash, row.plan_id}));
  if (same == 1) return {};
  return fail(ErrorCode::IdempotencyKeyReused, "This Idempotency-Key was used for another request.");
}

namespace {

sql::Expected one_conversation(const std::string& id) {
  return {1, [&id] { return Error(ErrorCode::ConversationNotFound, fmt::format("There is no conversation {}.", id)); }};
}

}  // namespace

Result<void> apply(const Context& context, const PutConversation& write) {
  return sql::send_insert(context.db, "conversations", conversation_fields(write.row, context.now),
                          "ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at, "
                          "last_error = excluded.last_error, draft_intake = excluded.draft_intake");
}

Result<void> apply(const Context& context, const SetConversation& write) {
  PLANEXE_TRY(context.db.send("UPDATE conversations SET plan_id = COALESCE(?, plan_id) WHERE id = ?",
                              {write.plan_id, write.id}, one_conversation(write.id)));
  if (!write.model_key) return {};
  return context.db.send("UPDATE conversations SET model_key = ?, updated_at = ? WHERE id = ? AND status <> 'running'",
                         {*write.model_key, context.now, write.id});
}

Result<void> apply(const Context& context, const PutTurn& write) {
  PLANEXE_TRY_ASSIGN(const auto known, sql::number(context.db, "SELECT COUNT(*) FROM conversations WHERE id = ?",
                                                   {write.row.conversation_id}));
  if (known == 0) {
    return fail(ErrorCode::ConversationNotFound,
                fmt::format("There is no conversation {}.", write.row.conversation_id));
  }
  return sql::send_upsert(context.db, "conversation_turns", "conversation_id,turn",
                          turn_fields(write.row, context.now));
}

namespace {

Result<std::vector<std::int64_t>> blocks_of(const Context& context, const std::string& conversation) {
  auto rows = context.db.query(
      "SELECT DISTINCT l.block_id FROM interaction_blocks l JOIN llm_interactions i "
      "ON i.id = l.interaction_id WHERE i.owner_kind = 'conversation' AND i.owner_id = ?",
      {conversation});
  std::vector<std::int64_t> ids;
  while (rows.next()) ids.push_back(rows.integer());
  PLANEXE_TRY(rows.status());
  return ids;
}

}  // namespace

Result<void> apply(const Context& context, const DeleteConversation& write) {
  PLANEXE_TRY_ASSIGN(const auto blocks, blocks_of(context, write.id));
  PLANEXE_TRY(context.db.send("DELETE FROM llm_interactions WHERE owner_kind = 'conversation' AND owner_id = ?",
                              {write.id}));
  PLANEXE_TRY(context.db.send("DELETE FROM conversations WHERE id = ?", {write.id}, one_conversation(write.id)));
  return drop_unused_blocks(context, blocks);
}

}  // namespace planexe::store::writes
