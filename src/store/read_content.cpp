#include <fmt/format.h>

#include "store/columns.hpp"
#include "store/limits.hpp"
#include "store/reads.hpp"

namespace planexe::store::reads {

Result<std::vector<ContentRow>> contents(sql::Connection& db, const std::string& plan_id, Body body) {
  const bool with_body = body == Body::with;
  auto rows = db.query(fmt::format("SELECT {}{}{} FROM plan_content WHERE plan_id = ? AND is_current ORDER BY filename",
                                   kContentColumns, with_body ? ", " : "", with_body ? kContentBody : ""),
                       {plan_id});
  std::vector<ContentRow> result;
  while (rows.next()) {
    result.push_back(read_content(rows));
    if (with_body) read_content_body(rows, result.back());
  }
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::optional<ContentRow>> content(sql::Connection& db, const std::string& plan_id, const std::string& filename,
                                          int version) {
  auto rows =
      db.query(fmt::format("SELECT {}, {} FROM plan_content WHERE plan_id = ? AND filename = ? AND {}", kContentColumns,
                           kContentBody, version == 0 ? "is_current AND ? = 0" : "version = ?"),
               {plan_id, filename, version});
  std::optional<ContentRow> row;
  if (rows.next()) {
    row = read_content(rows);
    read_content_body(rows, *row);
  }
  PLANEXE_TRY(rows.status());
  return row;
}

Result<std::int64_t> last_event_seq(sql::Connection& db, const std::string& plan_id) {
  return sql::number(db, "SELECT MAX(seq) FROM plan_events WHERE plan_id = ?", {plan_id});
}

Result<std::int64_t> count_events(sql::Connection& db, const std::string& plan_id, std::int64_t after, int most) {
  return sql::number(db, "SELECT COUNT(*) FROM (SELECT 1 FROM plan_events WHERE plan_id = ? AND seq > ? LIMIT ?)",
                     {plan_id, after, std::max(most, 0)});
}

Result<std::vector<EventRow>> events(sql::Connection& db, const std::string& plan_id, std::int64_t after, int limit) {
  auto rows = db.query(
      fmt::format("SELECT {} FROM plan_events WHERE plan_id = ? AND seq > ? ORDER BY seq LIMIT ?", kEventColumns),
      {plan_id, after, std::clamp(limit, 0, limits::kEventRowsMax)});
  std::vector<EventRow> result;
  while (rows.next()) result.push_back(read_event(rows));
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::vector<EventRow>> log_events(sql::Connection& db, const std::string& plan_id, std::int64_t after,
                                         int limit) {
  // The type stands in the statement, so that the index of the log lines is used.
  auto rows = db.query(fmt::format("SELECT {} FROM plan_events WHERE plan_id = ? AND type = 'log' AND seq > ? "
                                   "ORDER BY seq LIMIT ?",
                                   kEventColumns),
                       {plan_id, after, std::clamp(limit, 0, limits::kEventRowsMax)});
  std::vector<EventRow> result;
  while (rows.next()) result.push_back(read_event(rows));
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::optional<std::string>> recipe(sql::Connection& db, const std::string& recipe_hash) {
  auto rows = db.query("SELECT content FROM recipes WHERE recipe_hash = ?", {recipe_hash});
  std::optional<std::string> content;
  if (rows.next()) content = rows.string();
  PLANEXE_TRY(rows.status());
  return content;
}

Result<std::optional<IdempotencyRow>> idempotency_key(sql::Connection& db, const std::string& identity,
                                                      const std::string& key) {
  auto rows = db.query(
      "SELECT body_hash, plan_id, reply, expires_at FROM idempotency_keys "
      "WHERE identity = ? AND key = ?",
      {identity, key});
  std::optional<IdempotencyRow> row;
  if (rows.next()) {
    row.emplace();
    row->identity = identity;
    row->key = key;
    row->body_hash = rows.string();
    row->plan_id = rows.string();
    row->reply = rows.string();
    row->expires_at = rows.time();
  }
  PLANEXE_TRY(rows.status());
  return row;
}

Result<std::optional<ConversationRow>> conversation(sql::Connection& db, const std::string& id) {
  auto rows = db.query(fmt::format("SELECT {} FROM conversations WHERE id = ?", kConversationColumns), {id});
  std::optional<ConversationRow> row;
  if (rows.next()) row = read_conversation(rows);
  PLANEXE_TRY(rows.status());
  return row;
}

Result<std::vector<TurnRow>> turns(sql::Connection& db, const std::string& conversation_id) {
  auto rows =
      db.query(fmt::format("SELECT {} FROM conversation_turns WHERE conversation_id = ? ORDER BY turn", kTurnColumns),
               {conversation_id});
  std::vector<TurnRow> result;
  while (rows.next()) result.push_back(read_turn(rows));
  PLANEXE_TRY(rows.status());
  return result;
}

}  // namespace planexe::store::reads
