#include <fmt/format.h>

#include <array>

#include "store/apply.hpp"
#include "store/columns.hpp"

namespace planexe::store::writes {

using sql::text_or_null;

Result<void> apply(const Context& context, const PutTask& write) {
  auto fields = task_fields(write.task);
  fields.push_back({"plan_id", context.plan_id});
  fields.push_back({"fencing", context.fence()});
  fields.push_back({"updated_at", context.now});
  PLANEXE_TRY(sql::upsert(context.db, "plan_tasks", "plan_id,task_key", std::move(fields)));
  return {};
}

Result<void> apply(const Context& context, const PutTaskAttempt& write) {
  PLANEXE_TRY(sql::upsert(context.db, "plan_task_attempts", "plan_id,task_key,run_attempt,attempt",
                          {{"plan_id", context.plan_id},
                           {"task_key", write.task_key},
                           {"run_attempt", write.run_attempt},
                           {"attempt", write.attempt},
                           {"state", write.state},
                           {"started_at", write.started_at},
                           {"finished_at", write.finished_at},
                           {"error_code", text_or_null(write.error_code)},
                           {"error_message", text_or_null(write.error_message)},
                           {"fencing", context.fence()}}));
  return {};
}

Result<void> apply(const Context& context, const PutItem& write) {
  auto fields = item_fields(write.item);
  fields.push_back({"plan_id", context.plan_id});
  fields.push_back({"fencing", context.fence()});
  fields.push_back({"updated_at", context.now});
  PLANEXE_TRY(sql::upsert(context.db, "plan_task_items", "plan_id,task_key,item_key", std::move(fields)));
  return {};
}

Result<void> apply(const Context& context, const DeleteItems& write) {
  if (write.keys.empty()) {
    PLANEXE_TRY(context.db.execute("DELETE FROM plan_task_items WHERE plan_id = ? AND task_key = ?",
                                   {context.plan_id, write.task_key}));
    return {};
  }
  for (const auto& key : write.keys) {
    PLANEXE_TRY(context.db.execute("DELETE FROM plan_task_items WHERE plan_id = ? AND task_key = ? AND item_key = ?",
                                   {context.plan_id, write.task_key, key}));
  }
  return {};
}

namespace {

Result<void> append(const Context& context, const EventRow& event) {
  PLANEXE_TRY(sql::insert(context.db, "plan_events",
                          {{"plan_id", context.plan_id},
                           {"seq", event.seq},
                           {"type", event.type},
                           {"created_at", or_now(event.created_at, context.now)},
                           {"interaction_id", event.interaction_id},
                           {"payload", sql::json_or_null(event.payload)}}));
  return {};
}

/// A caller that lost the answer sends the same events again.
Result<void> expect_stored(const Context& context, const EventRow& event) {
  auto rows = context.db.query("SELECT type, payload FROM plan_events WHERE plan_id = ? AND seq = ?",
                               {context.plan_id, event.seq});
  bool same = false;
  if (rows.next()) same = rows.view() == event.type && rows.json() == event.payload;
  PLANEXE_TRY(rows.status());
  if (same) return {};
  return fail(ErrorCode::Conflict,
              fmt::format("Event {} of plan {} came after a later one.", event.seq, context.plan_id));
}

}  // namespace

Result<void> apply(const Context& context, const AppendEvents& write) {
  PLANEXE_TRY_ASSIGN(auto last,
                     sql::number(context.db, "SELECT MAX(seq) FROM plan_events WHERE plan_id = ?", {context.plan_id}));
  for (const auto& event : write.events) {
    if (event.seq <= last) {
      PLANEXE_TRY(expect_stored(context, event));
      continue;
    }
    PLANEXE_TRY(append(context, event));
    last = event.seq;
  }
  return {};
}

namespace {

constexpr std::array<std::string_view, 7> kMetricColumns = {
    "plan_complexity_score", "plan_completeness_score", "user_rating", "user_feedback",
    "peak_memory_mb",        "cpu_time_seconds",        "wall_ms"};
constexpr std::array<std::string_view, 10> kLedgerColumns = {
    "total_llm_calls",     "total_tokens_used", "total_cost_usd",   "total_cost_micros", "input_tokens",
    "cached_input_tokens", "output_tokens",     "reasoning_tokens", "retries",           "repairs"};

bool contains(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<sql::Param> metric(std::string_view column, const json::value& value) {
  const bool whole = column == "user_rating" || column == "wall_ms";
  if (value.is_null()) return sql::Param();
  if (column == "user_feedback" && value.is_string()) return sql::Param(std::string_view(value.get_string()));
  if (const auto number = as_int(value); number && whole) return sql::Param(*number);
  if (value.is_number() && !whole && column != "user_feedback") return sql::Param(value.to_number<double>());
  return fail(ErrorCode::InvalidArgument, fmt::format("plan_metrics.{} cannot hold this value.", column));
}

}  // namespace

Result<void> apply(const Context& context, const PutMetrics& write) {
  sql::Fields fields;
  for (const auto& [name, value] : write.values) {
    if (contains(kLedgerColumns, name)) continue;
    if (!contains(kMetricColumns, name)) {
      return fail(ErrorCode::InvalidArgument, fmt::format("plan_metrics has no column {}.", std::string_view(name)));
    }
    PLANEXE_TRY_ASSIGN(auto param, metric(name, value));
    fields.push_back({name, std::move(param)});
  }
  fields.push_back({"plan_id", context.plan_id});
  fields.push_back({"updated_at", context.now});
  PLANEXE_TRY(
      context.db.execute("INSERT INTO plan_metrics (plan_id, created_at, updated_at) VALUES (?, ?, ?) "
                         "ON CONFLICT (plan_id) DO NOTHING",
                         {context.plan_id, context.now, context.now}));
  PLANEXE_TRY(sql::update(context.db, "plan_metrics", std::move(fields), "plan_id = ?", {context.plan_id}));
  return {};
}

Result<void> apply(const Context& context, const PutRecipe& write) {
  PLANEXE_TRY(sql::insert(context.db, "recipes",
                          {{"recipe_hash", write.recipe_hash}, {"created_at", context.now}, {"content", write.content}},
                          "ON CONFLICT (recipe_hash) DO NOTHING"));
  return {};
}

}  // namespace planexe::store::writes
