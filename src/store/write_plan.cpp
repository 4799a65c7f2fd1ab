#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "store/apply.hpp"
#include "store/columns.hpp"

namespace planexe::store::writes {
namespace {

Error no_plan(const std::string& plan_id) {
  return {ErrorCode::PlanNotFound, fmt::format("There is no plan {}.", plan_id)};
}

Result<void> insert_plan(const Context& context, const PlanRow& plan) {
  auto fields = plan_identity_fields(plan, context.now);
  auto state = plan_state_fields(plan, context.now);
  fields.insert(fields.end(), std::make_move_iterator(state.begin()), std::make_move_iterator(state.end()));
  fields.push_back({"cancel_requested_at", plan.cancel_requested_at});
  fields.push_back({"status", plan.status});
  fields.push_back({"seq_reserved", plan.seq_reserved});
  const auto taken = [&id = plan.plan_id] {
    return Error(ErrorCode::Conflict, fmt::format("The plan {} exists already.", id));
  };
  return sql::send_insert(context.db, "plans", std::move(fields), "ON CONFLICT (plan_id) DO NOTHING", {1, taken});
}

Result<void> insert_companions(const Context& context, const PlanRow& plan) {
  PLANEXE_TRY(sql::send_insert(context.db, "plan_search",
                               {{"plan_id", plan.plan_id}, {"folded_text", folded_text(plan.title, plan.prompt)}}));
  return sql::send_insert(context.db, "plan_metrics",
                          {{"plan_id", plan.plan_id}, {"created_at", context.now}, {"updated_at", context.now}});
}

Result<void> fold_again(const Context& context, const std::string& title) {
  auto rows = context.db.query("SELECT prompt FROM plans WHERE plan_id = ?", {context.plan_id});
  const std::string prompt = rows.next() ? rows.string() : std::string();
  PLANEXE_TRY(rows.status());
  return context.db.send("UPDATE plan_search SET folded_text = ? WHERE plan_id = ?",
                         {folded_text(title, prompt), context.plan_id});
}

}  // namespace

std::string folded_text(std::string_view title, std::string_view prompt) {
  return normalize_name(title) + "\n" + normalize_name(prompt);
}

Result<void> apply(const Context& context, const ExpectPlan& write) {
  if (!context.plan) return std::unexpected(no_plan(context.plan_id));
  const auto& plan = *context.plan;
  const bool status_holds = write.statuses.empty() || std::ranges::find(write.statuses, plan.status) != write.statuses.end();
  if (status_holds && write.run_attempt.value_or(plan.run_attempt) == plan.run_attempt) return {};
  return fail(ErrorCode::Conflict, fmt::format("The plan {} changed meanwhile: it is {}.", context.plan_id, plan.status),
              fmt::format("run attempt {}", plan.run_attempt));
}

Result<void> apply(const Context& context, const CreatePlan& write) {
  if (write.plan.plan_id != context.plan_id || context.plan_id.empty()) {
    return fail(ErrorCode::InvalidArgument, "A plan is created in a transaction of another plan.");
  }
  PLANEXE_TRY(insert_plan(context, write.plan));
  PLANEXE_TRY(insert_companions(context, write.plan));
  for (const auto& task : write.tasks) PLANEXE_TRY(apply(context, PutTask{task}));
  for (const auto& edge : write.edges) {
    PLANEXE_TRY(sql::send_insert(context.db, "plan_task_edges",
                                 {{"plan_id", context.plan_id},
                                  {"from_key", edge.from_key},
                                  {"to_key", edge.to_key},
                                  {"tolerant", edge.tolerant}}));
  }
  return {};
}

Result<void> apply(const Context& context, const PutPlan& write) {
  if (!context.plan) return std::unexpected(no_plan(context.plan_id));
  const auto& before = *context.plan;
  auto fields = plan_state_fields(write.plan, context.now);
  // Of an indexed column that is written SQLite makes the index entry anew, whether it has changed or not.
  if (before.status != write.plan.status) fields.push_back({"status", write.plan.status});
  const bool new_run = write.plan.run_attempt > before.run_attempt;
  const bool keep = !new_run && !write.plan.cancel_requested_at;
  fields.push_back({"cancel_requested_at", keep ? before.cancel_requested_at : write.plan.cancel_requested_at});
  PLANEXE_TRY(sql::send_update(context.db, "plans", std::move(fields), "plan_id = ?", {context.plan_id},
                               {1, [&id = context.plan_id] { return no_plan(id); }}));
  return before.title == write.plan.title ? Result<void>() : fold_again(context, write.plan.title);
}

Result<void> apply(const Context& context, const ReserveSeq& write) {
  return context.db.send("UPDATE plans SET seq_reserved = ? WHERE plan_id = ? AND seq_reserved < ?",
                         {write.up_to, context.plan_id, write.up_to});
}

Result<void> apply(const Context& context, const ReleaseLease&) {
  if (!context.fencing) return fail(ErrorCode::InvalidArgument, "A lease is given back without its fencing number.");
  const auto lost = [] { return Error(ErrorCode::Fenced, "Another process took the plan over."); };
  return context.db.send(
      "UPDATE plans SET lease_owner = NULL, lease_expires_at = NULL WHERE plan_id = ? AND fencing = ?",
      {context.plan_id, *context.fencing}, {1, lost});
}

Result<void> apply(const Context& context, const RequestCancel& write) {
  const TimePoint at = or_now(write.at, context.now);
  PLANEXE_TRY_ASSIGN(const auto ended,
                     context.db.execute("UPDATE plans SET status = 'cancelled', error_code = 'CANCELLED', "
                                        "cancel_requested_at = ?, completed_at = ?, updated_at = ? "
                                        "WHERE plan_id = ? AND status = 'pending'",
                                        {at, at, context.now, context.plan_id}));
  if (ended == 1) return {};
  PLANEXE_TRY_ASSIGN(const auto asked,
                     context.db.execute("UPDATE plans SET cancel_requested_at = COALESCE(cancel_requested_at, ?) "
                                        "WHERE plan_id = ? AND status IN ('running', 'cancelled')",
                                        {at, context.plan_id}));
  if (asked == 1) return {};
  return fail(ErrorCode::PlanNotCancellable, fmt::format("The plan {} has ended already.", context.plan_id));
}

namespace {

Result<std::vector<std::int64_t>> blocks_of(const Context& context) {
  auto rows = context.db.query(
      "SELECT block_id FROM plan_blocks WHERE plan_id = ? UNION "
      "SELECT l.block_id FROM interaction_blocks l JOIN llm_interactions i ON i.id = "
      "l.interaction_id WHERE i.plan_id = ?",
      {context.plan_id, context.plan_id});
  std::vector<std::int64_t> ids;
  while (rows.next()) ids.push_back(rows.integer());
  PLANEXE_TRY(rows.status());
  return ids;
}

/// Where several write at once, a writer that is about to refer to one of these texts holds its row: after this wait the
/// statements that follow see whether it does. All lock in the order of the hashes, so that none waits in a circle.
Result<void> lock_blocks(const Context& context, const std::vector<std::int64_t>& ids) {
  if (context.db.dialect() == sql::Dialect::sqlite || ids.empty()) return {};
  auto rows = context.db.query(
      fmt::format("SELECT id FROM text_blocks WHERE id IN ({}) ORDER BY sha256 FOR UPDATE", fmt::join(ids, ", ")));
  while (rows.next()) {
  }
  return rows.status();
}

}  // namespace

Result<void> drop_unused_blocks(const Context& context, const std::vector<std::int64_t>& ids) {
  PLANEXE_TRY(lock_blocks(context, ids));
  for (const auto id : ids) {
    PLANEXE_TRY(
        context.db.send("DELETE FROM text_blocks WHERE id = ? "
                        "AND NOT EXISTS (SELECT 1 FROM plan_blocks p WHERE p.block_id = text_blocks.id) "
                        "AND NOT EXISTS (SELECT 1 FROM interaction_blocks l WHERE l.block_id = "
                        "text_blocks.id)",
                        {id}));
  }
  return {};
}

Result<void> apply(const Context& context, const DeletePlan&) {
  PLANEXE_TRY_ASSIGN(const auto blocks, blocks_of(context));
  PLANEXE_TRY(context.db.send("DELETE FROM idempotency_keys WHERE plan_id = ?", {context.plan_id}));
  PLANEXE_TRY(context.db.send("DELETE FROM plans WHERE plan_id = ?", {context.plan_id},
                              {1, [&id = context.plan_id] { return no_plan(id); }}));
  return drop_unused_blocks(context, blocks);
}

}  // namespace planexe::store::writes
