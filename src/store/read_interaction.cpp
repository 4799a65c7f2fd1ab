#include <fmt/format.h>

#include "base/text.hpp"
#include "store/columns.hpp"
#include "store/limits.hpp"
#include "store/page_cursor.hpp"
#include "store/reads.hpp"

namespace planexe::store::reads {
namespace {

constexpr std::string_view kCursorKind = "i";
constexpr std::string_view kPageWhere =
    "WHERE plan_id = ? AND id > ? AND (? OR id = ?) AND (? OR stage = ?) AND (? OR status = ?) "
    "ORDER BY id LIMIT ?";

Result<std::int64_t> place_after(const InteractionQuery& query) {
  if (query.cursor.empty()) return 0;
  PLANEXE_TRY_ASSIGN(const auto keys, read_cursor(kCursorKind, 1, query.cursor));
  return keys[0];
}

Result<void> add_blocks(sql::Connection& db, InteractionRow& row) {
  auto rows = db.query(
      "SELECT b.sha256 FROM interaction_blocks l JOIN text_blocks b ON b.id = l.block_id "
      "WHERE l.interaction_id = ? ORDER BY l.position",
      {row.id});
  while (rows.next()) row.prompt_blocks.push_back(rows.string());
  return rows.status();
}

Result<std::vector<InteractionRow>> collect(sql::Connection& db, sql::Rows rows) {
  std::vector<InteractionRow> result;
  while (rows.next()) result.push_back(read_interaction(rows));
  PLANEXE_TRY(rows.status());
  for (auto& row : result) PLANEXE_TRY(add_blocks(db, row));
  return result;
}

}  // namespace

Result<InteractionPage> interactions(sql::Connection& db, const InteractionQuery& query) {
  PLANEXE_TRY_ASSIGN(const std::int64_t after, place_after(query));
  const auto limit = static_cast<std::size_t>(std::clamp(query.limit, 1, limits::kPageRowsMax));
  InteractionPage page;
  PLANEXE_TRY_ASSIGN(
      page.rows,
      collect(db, db.query(fmt::format("SELECT {} FROM llm_interactions {}", kInteractionColumns, kPageWhere),
                           {query.plan_id, after, query.id == 0, query.id, query.task_key.empty(), query.task_key,
                            query.status.empty(), query.status, limit + 1})));
  if (page.rows.size() > limit) {
    page.rows.pop_back();
    page.next_cursor = make_cursor(kCursorKind, {page.rows.back().id});
  }
  return page;
}

Result<InteractionPreviewPage> interaction_previews(sql::Connection& db, const InteractionQuery& query, int chars) {
  // The long texts stay in the database; SUBSTR counts characters.
  static const std::string columns =
      replace_all(kInteractionColumns, "reasoning_text, response_text", "NULL, SUBSTR(response_text, 1, ?)");
  PLANEXE_TRY_ASSIGN(const std::int64_t after, place_after(query));
  const auto limit = static_cast<std::size_t>(std::clamp(query.limit, 1, limits::kPageRowsMax));
  auto rows = db.query(
      fmt::format("SELECT {}, COALESCE((SELECT SUBSTR(b.text, 1, ?) FROM interaction_blocks l JOIN text_blocks b "
                  "ON b.id = l.block_id WHERE l.interaction_id = llm_interactions.id ORDER BY l.position DESC LIMIT 1), "
                  "SUBSTR(prompt_text, 1, ?), '') FROM llm_interactions {}",
                  columns, kPageWhere),
      {chars, chars, chars, query.plan_id, after, query.id == 0, query.id, query.task_key.empty(), query.task_key,
       query.status.empty(), query.status, limit + 1});
  InteractionPreviewPage page;
  while (rows.next()) {
    auto& entry = page.rows.emplace_back();
    entry.row = read_interaction(rows);
    entry.prompt = rows.string();
  }
  PLANEXE_TRY(rows.status());
  if (page.rows.size() > limit) {
    page.rows.pop_back();
    page.next_cursor = make_cursor(kCursorKind, {page.rows.back().row.id});
  }
  return page;
}

Result<std::vector<InteractionRow>> open_interactions(sql::Connection& db, const std::string& plan_id) {
  return collect(db, db.query(fmt::format("SELECT {} FROM llm_interactions WHERE plan_id = ? "
                                          "AND status IN ('pending', 'running') ORDER BY id",
                                          kInteractionColumns),
                              {plan_id}));
}

Result<std::optional<InteractionRow>> interaction(sql::Connection& db, std::int64_t id) {
  PLANEXE_TRY_ASSIGN(
      auto rows,
      collect(db, db.query(fmt::format("SELECT {} FROM llm_interactions WHERE id = ?", kInteractionColumns), {id})));
  std::optional<InteractionRow> row;
  if (!rows.empty()) row = std::move(rows.front());
  return row;
}

Result<std::string> prompt_text(sql::Connection& db, std::int64_t interaction_id) {
  auto rows = db.query("SELECT prompt_text FROM llm_interactions_full WHERE id = ?", {interaction_id});
  if (!rows.next()) {
    PLANEXE_TRY(rows.status());
    return fail(ErrorCode::InteractionNotFound, fmt::format("There is no interaction {}.", interaction_id));
  }
  std::string text = rows.string();
  PLANEXE_TRY(rows.status());
  return text;
}

}  // namespace planexe::store::reads
