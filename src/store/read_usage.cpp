#include <fmt/format.h>

#include <bit>

#include "store/reads.hpp"

/// Sums over tasks and over the ledger.
namespace planexe::store::reads {
namespace {

constexpr std::string_view kLedgerSums =
    "COUNT(*), COALESCE(SUM(CASE WHEN attempt_reason NOT IN ('first', 'repair') THEN 1 ELSE 0 END), 0), "
    "COALESCE(SUM(CASE WHEN attempt_reason = 'repair' THEN 1 ELSE 0 END), 0), "
    "CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(cached_input_tokens), 0) AS BIGINT), "
    "CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(reasoning_tokens), 0) AS BIGINT), "
    "CAST(COALESCE(SUM(cost_micros), 0) AS BIGINT), "
    "COALESCE(SUM(CASE WHEN cost_micros IS NULL AND total_tokens > 0 THEN 1 ELSE 0 END), 0), "
    "COALESCE(SUM(CASE WHEN usage_source = 'estimate' THEN 1 ELSE 0 END), 0)";

UsageTotals read_totals(sql::Rows& rows) {
  UsageTotals totals;
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
  return totals;
}

/// The values of an IN list. Its length is a power of two, filled up with the last id, so that few statements have to
/// be prepared.
struct IdList {
  std::string marks;
  std::vector<sql::Param> params;

  explicit IdList(const std::vector<std::string>& ids) {
    const std::size_t length = std::bit_ceil(ids.size());
    for (std::size_t i = 0; i < length; ++i) {
      marks += i == 0 ? "?" : ", ?";
      params.emplace_back(ids[std::min(i, ids.size() - 1)]);
    }
  }
};

using Sums = std::map<std::string, PlanSums>;

Result<void> add_facts(sql::Connection& db, const IdList& ids, const std::string& filename, Sums& sums) {
  std::vector<sql::Param> params{filename};
  params.insert(params.end(), ids.params.begin(), ids.params.end());
  auto rows = db.query(
      fmt::format("SELECT p.plan_id, (SELECT MAX(e.seq) FROM plan_events e WHERE e.plan_id = p.plan_id), "
                  "(SELECT i.llm_model FROM llm_interactions i WHERE i.plan_id = p.plan_id AND i.llm_model <> '' "
                  "ORDER BY i.id LIMIT 1), EXISTS (SELECT 1 FROM plan_content c WHERE c.plan_id = p.plan_id "
                  "AND c.filename = ? AND c.is_current) FROM plans p WHERE p.plan_id IN ({})",
                  ids.marks),
      params);
  while (rows.next()) {
    auto& plan = sums[rows.string()];
    plan.last_seq = rows.integer();
    plan.first_model = rows.string();
    plan.has_file = rows.boolean();
  }
  return rows.status();
}

void add_state(PlanSums& plan, std::string_view state, std::int64_t count) {
  plan.total += count;
  if (state == "completed") plan.completed = count;
  if (state == "running") plan.running = count;
  if (state == "failed") plan.failed = count;
  if (state == "blocked") plan.blocked = count;
  if (state == "skipped") plan.skipped = count;
}

Result<void> add_tasks(sql::Connection& db, const IdList& ids, Sums& sums) {
  constexpr std::string_view kFansOut = "t.state = 'running' AND t.units_total > 1";
  auto rows = db.query(
      fmt::format(
          "SELECT plan_id, state, COUNT(*), SUM(CASE WHEN state IN ('completed', 'failed', 'skipped') THEN weight "
          "WHEN units = 0 THEN 0 WHEN settled >= units THEN weight ELSE weight * settled / units END) FROM ("
          "SELECT t.plan_id, t.state, CAST(CASE WHEN t.weight > 1 THEN t.weight ELSE 1 END AS DOUBLE PRECISION) AS "
          "weight, CASE WHEN {0} THEN t.units_total ELSE 0 END AS units, CASE WHEN {0} THEN (SELECT COUNT(*) "
          "FROM plan_task_items i WHERE i.plan_id = t.plan_id AND i.task_key = t.task_key "
          "AND i.state IN ('done', 'missing', 'skipped')) ELSE 0 END AS settled "
          "FROM plan_tasks t WHERE t.plan_id IN ({1})) AS task GROUP BY plan_id, state",
          kFansOut, ids.marks),
      ids.params);
  while (rows.next()) {
    auto& plan = sums[rows.string()];
    const std::string state = rows.string();
    add_state(plan, state, rows.integer());
    plan.weight_done += rows.real();
  }
  return rows.status();
}

Result<void> add_ledger(sql::Connection& db, const IdList& ids, Sums& sums) {
  auto rows = db.query(fmt::format("SELECT plan_id, {} FROM llm_interactions WHERE plan_id IN ({}) GROUP BY plan_id",
                                   kLedgerSums, ids.marks),
                       ids.params);
  while (rows.next()) {
    auto& plan = sums[rows.string()];
    plan.usage = read_totals(rows);
  }
  return rows.status();
}

Result<std::vector<TaskAttempt>> attempts(sql::Connection& db, const std::string& plan_id) {
  auto rows = db.query(
      "SELECT task_key, run_attempt, attempt, state, started_at, finished_at, error_code, error_message "
      "FROM plan_task_attempts WHERE plan_id = ? ORDER BY task_key, run_attempt, attempt",
      {plan_id});
  std::vector<TaskAttempt> result;
  while (rows.next()) {
    auto& attempt = result.emplace_back();
    attempt.task_key = rows.string();
    attempt.run_attempt = rows.small();
    attempt.attempt = rows.small();
    attempt.state = rows.string();
    attempt.started_at = rows.optional_time();
    attempt.finished_at = rows.optional_time();
    attempt.error_code = rows.string();
    attempt.error_message = rows.string();
  }
  PLANEXE_TRY(rows.status());
  return result;
}

}  // namespace

Result<UsageTotals> usage(sql::Connection& db, const std::string& plan_id, const std::string& task_key) {
  auto rows =
      db.query(fmt::format("SELECT {} FROM llm_interactions WHERE plan_id = ? AND (? OR stage = ?)", kLedgerSums),
               {plan_id, task_key.empty(), task_key});
  UsageTotals totals;
  if (rows.next()) totals = read_totals(rows);
  PLANEXE_TRY(rows.status());
  return totals;
}

Result<std::map<std::string, PlanSums>> plan_sums(sql::Connection& db, const std::vector<std::string>& plan_ids,
                                                  const std::string& filename) {
  Sums sums;
  if (plan_ids.empty()) return sums;
  const IdList ids(plan_ids);
  PLANEXE_TRY(add_facts(db, ids, filename, sums));
  PLANEXE_TRY(add_tasks(db, ids, sums));
  PLANEXE_TRY(add_ledger(db, ids, sums));
  return sums;
}

Result<std::map<std::string, TaskUsage, std::less<>>> task_usage(sql::Connection& db, const std::string& plan_id) {
  std::map<std::string, TaskUsage, std::less<>> usage;
  auto rows = db.query(fmt::format("SELECT stage, CAST(COALESCE(SUM(queue_ms), 0) AS BIGINT), {} FROM llm_interactions "
                                   "WHERE plan_id = ? GROUP BY stage",
                                   kLedgerSums),
                       {plan_id});
  while (rows.next()) {
    auto& task = usage[rows.string()];
    task.queue_ms = rows.integer();
    task.totals = read_totals(rows);
  }
  PLANEXE_TRY(rows.status());
  return usage;
}

Result<TaskBoard> task_board(sql::Connection& db, const std::string& plan_id) {
  TaskBoard board;
  PLANEXE_TRY_ASSIGN(board.tasks, tasks(db, plan_id));
  PLANEXE_TRY_ASSIGN(board.edges, edges(db, plan_id));
  PLANEXE_TRY_ASSIGN(board.attempts, attempts(db, plan_id));
  PLANEXE_TRY_ASSIGN(board.contents, contents(db, plan_id, Body::without));
  PLANEXE_TRY_ASSIGN(board.last_seq, last_event_seq(db, plan_id));
  PLANEXE_TRY_ASSIGN(board.usage, task_usage(db, plan_id));
  return board;
}

}  // namespace planexe::store::reads
