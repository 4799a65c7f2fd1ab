#include <fmt/format.h>

#include "base/text.hpp"
#include "store/columns.hpp"
#include "store/limits.hpp"
#include "store/page_cursor.hpp"
#include "store/reads.hpp"

namespace planexe::store::reads {
namespace {

/// A condition that grows, with its values.
struct Where {
  std::string text = "WHERE TRUE";
  std::vector<sql::Param> params;

  void add(std::string_view condition, std::initializer_list<sql::Param> values) {
    text += " AND ";
    text += condition;
    params.insert(params.end(), values.begin(), values.end());
  }
};

void add_statuses(Where& where, const std::vector<std::string>& statuses) {
  if (statuses.empty()) return;
  std::string marks;
  for (std::size_t i = 0; i < statuses.size(); ++i) marks += i == 0 ? "?" : ", ?";
  where.add(fmt::format("status IN ({})", marks), {});
  for (const auto& status : statuses) where.params.emplace_back(status);
}

void add_search(Where& where, const std::string& text) {
  const std::string folded = normalize_name(cut_code_points(text, limits::kSearchCharsMax));
  if (folded.empty()) return;
  std::string pattern = "%";
  for (const char c : folded) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  pattern += '%';
  where.add("EXISTS (SELECT 1 FROM plan_search s WHERE s.plan_id = plans.plan_id AND s.folded_text LIKE ? ESCAPE '\\')",
            {sql::Param(std::move(pattern))});
}

std::string_view cursor_kind(bool ascending) { return ascending ? "pa" : "pd"; }

Result<void> add_cursor(Where& where, const PlanQuery& query) {
  if (query.cursor.empty()) return {};
  PLANEXE_TRY_ASSIGN(const auto keys, read_cursor(cursor_kind(query.ascending), 2, query.cursor));
  where.add(query.ascending ? "(created_at, id) > (?, ?)" : "(created_at, id) < (?, ?)",
            {TimePoint(std::chrono::milliseconds(keys[0])), keys[1]});
  return {};
}

}  // namespace

Result<std::optional<PlanRow>> plan(sql::Connection& db, const std::string& plan_id) {
  auto rows = db.query(fmt::format("SELECT {} FROM plans WHERE plan_id = ?", kPlanColumns), {plan_id});
  std::optional<PlanRow> row;
  if (rows.next()) row = read_plan(rows);
  PLANEXE_TRY(rows.status());
  return row;
}

Result<PlanPage> plans(sql::Connection& db, const PlanQuery& query) {
  Where where;
  add_statuses(where, query.statuses);
  add_search(where, query.text);
  PLANEXE_TRY(add_cursor(where, query));
  const auto limit = static_cast<std::size_t>(std::clamp(query.limit, 1, limits::kPageRowsMax));
  where.params.emplace_back(limit + 1);
  const std::string_view order = query.ascending ? "created_at, id" : "created_at DESC, id DESC";
  auto rows = db.query(fmt::format("SELECT id, {} FROM plans {} ORDER BY {} LIMIT ?", kPlanColumns, where.text, order),
                       where.params);
  PlanPage page;
  std::int64_t last_id = 0;
  while (rows.next()) {
    if (page.plans.size() == limit) {
      page.next_cursor =
          make_cursor(cursor_kind(query.ascending), {page.plans.back().created_at.time_since_epoch().count(), last_id});
      break;
    }
    last_id = rows.integer();
    page.plans.push_back(read_plan(rows));
  }
  PLANEXE_TRY(rows.status());
  return page;
}

Result<std::map<std::string, std::int64_t>> plan_counts(sql::Connection& db) {
  auto rows = db.query("SELECT status, count(*) FROM plans GROUP BY status");
  std::map<std::string, std::int64_t> counts;
  while (rows.next()) {
    auto status = rows.string();
    counts[std::move(status)] = rows.integer();
  }
  PLANEXE_TRY(rows.status());
  return counts;
}

Result<std::vector<std::string>> runnable_plans(sql::Connection& db, int limit, bool ignore_leases) {
  PLANEXE_TRY_ASSIGN(const TimePoint now, db.now());
  auto rows = db.query(
      "SELECT plan_id FROM plans WHERE status IN ('pending', 'running') "
      "AND (? OR lease_owner IS NULL OR lease_expires_at IS NULL OR lease_expires_at <= ?) "
      "ORDER BY created_at, id LIMIT ?",
      {ignore_leases, now, std::max(limit, 0)});
  std::vector<std::string> ids;
  while (rows.next()) ids.push_back(rows.string());
  PLANEXE_TRY(rows.status());
  return ids;
}

Result<std::vector<std::string>> cancel_requests(sql::Connection& db) {
  auto rows = db.query(
      "SELECT plan_id FROM plans WHERE status = 'running' AND cancel_requested_at IS NOT NULL "
      "ORDER BY cancel_requested_at, id");
  std::vector<std::string> ids;
  while (rows.next()) ids.push_back(rows.string());
  PLANEXE_TRY(rows.status());
  return ids;
}

Result<std::vector<TaskRow>> tasks(sql::Connection& db, const std::string& plan_id) {
  auto rows = db.query(
      fmt::format("SELECT {} FROM plan_tasks WHERE plan_id = ? ORDER BY position, task_key", kTaskColumns), {plan_id});
  std::vector<TaskRow> result;
  while (rows.next()) result.push_back(read_task(rows));
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::vector<EdgeRow>> edges(sql::Connection& db, const std::string& plan_id) {
  auto rows = db.query(
      "SELECT from_key, to_key, tolerant FROM plan_task_edges WHERE plan_id = ? "
      "ORDER BY from_key, to_key",
      {plan_id});
  std::vector<EdgeRow> result;
  while (rows.next()) {
    auto& edge = result.emplace_back();
    edge.from_key = rows.string();
    edge.to_key = rows.string();
    edge.tolerant = rows.boolean();
  }
  PLANEXE_TRY(rows.status());
  return result;
}

Result<std::vector<ItemRow>> items(sql::Connection& db, const std::string& plan_id, const std::string& task_key) {
  auto rows = db.query(fmt::format("SELECT {} FROM plan_task_items WHERE plan_id = ? AND (? OR task_key = ?) "
                                   "ORDER BY task_key, position, item_key",
                                   kItemColumns),
                       {plan_id, task_key.empty(), task_key});
  std::vector<ItemRow> result;
  while (rows.next()) result.push_back(read_item(rows));
  PLANEXE_TRY(rows.status());
  return result;
}

Result<RunSnapshot> snapshot(sql::Connection& db, const std::string& plan_id) {
  RunSnapshot result;
  PLANEXE_TRY_ASSIGN(auto row, plan(db, plan_id));
  if (!row) return fail(ErrorCode::PlanNotFound, fmt::format("There is no plan {}.", plan_id));
  result.plan = *std::move(row);
  PLANEXE_TRY_ASSIGN(result.tasks, tasks(db, plan_id));
  PLANEXE_TRY_ASSIGN(result.edges, edges(db, plan_id));
  PLANEXE_TRY_ASSIGN(result.items, items(db, plan_id, {}));
  PLANEXE_TRY_ASSIGN(result.contents, contents(db, plan_id, Body::with));
  PLANEXE_TRY_ASSIGN(result.open_interactions, open_interactions(db, plan_id));
  PLANEXE_TRY_ASSIGN(result.last_seq, sql::number(db, "SELECT MAX(seq) FROM plan_events WHERE plan_id = ?", {plan_id}));
  PLANEXE_TRY_ASSIGN(result.log_events,
                     sql::number(db, "SELECT COUNT(*) FROM plan_events WHERE plan_id = ? AND type = 'log'", {plan_id}));
  PLANEXE_TRY_ASSIGN(const auto usage, task_usage(db, plan_id));
  for (const auto& [task_key, sums] : usage) result.usage_by_task.emplace(task_key, sums.totals);
  return result;
}

}  // namespace planexe::store::reads
