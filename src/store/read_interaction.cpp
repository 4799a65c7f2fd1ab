#include <fmt/format.h>

#include "store/columns.hpp"
#include "store/limits.hpp"
#include "store/page_cursor.hpp"
#include "store/reads.hpp"

namespace planexe::store::reads {
namespace {

constexpr std::string_view kCursorKind = "i";

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
  std::int64_t after = 0;
  if (!query.cursor.empty()) {
    PLANEXE_TRY_ASSIGN(const auto keys, read_cursor(kCursorKind, 1, query.cursor));
    after = keys[0];
  }
  const auto limit = static_cast<std::size_t>(std::clamp(query.limit, 1, limits::kPageRowsMax));
  InteractionPage page;
  PLANEXE_TRY_ASSIGN(page.rows,
                     collect(db, db.query(fmt::format("SELECT {} FROM llm_interactions WHERE plan_id = ? AND id > ? "
                                                      "AND (? OR stage = ?) AND (? OR status = ?) ORDER BY id LIMIT ?",
                                                      kInteractionColumns),
                                          {query.plan_id, after, query.task_key.empty(), query.task_key,
                                           query.status.empty(), query.status, limit + 1})));
  if (page.rows.size() > limit) {
    page.rows.pop_back();
    page.next_cursor = make_cursor(kCursorKind, {page.rows.back().id});
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

Result<UsageTotals> usage(sql::Connection& db, const std::string& plan_id, const std::string& task_key) {
  auto rows = db.query(
      "SELECT COUNT(*), COALESCE(SUM(CASE WHEN attempt_reason NOT IN ('first', 'repair') THEN 1 ELSE 0 END), 0), "
      "COALESCE(SUM(CASE WHEN attempt_reason = 'repair' THEN 1 ELSE 0 END), 0), "
      "CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(cached_input_tokens), 0) AS BIGINT), "
      "CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(reasoning_tokens), 0) AS BIGINT), "
      "CAST(COALESCE(SUM(cost_micros), 0) AS BIGINT), "
      "COALESCE(SUM(CASE WHEN cost_micros IS NULL AND total_tokens > 0 THEN 1 ELSE 0 END), 0), "
      "COALESCE(SUM(CASE WHEN usage_source = 'estimate' THEN 1 ELSE 0 END), 0) "
      "FROM llm_interactions WHERE plan_id = ? AND (? OR stage = ?)",
      {plan_id, task_key.empty(), task_key});
  UsageTotals totals;
  if (rows.next()) {
    totals.calls = rows.integer();
    totals.retries = rows.integer();
    totals.repairs = rows.integer();
    totals.input_tokens = rows.integer();
    totals.cached_input_tokens = rows.integer();
    totals.output_tokens = rows.integer();
    totals.reasoning_tokens = rows.integer();
    totals.cost_micros = rows.integer();
    totals.unpriced = rows.integer();
    totals.estimated = rows.integer();
  }
  PLANEXE_TRY(rows.status());
  return totals;
}

}  // namespace planexe::store::reads
