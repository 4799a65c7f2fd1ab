#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "store/apply.hpp"
#include "store/columns.hpp"

namespace planexe::store::writes {

using sql::text_or_null;

Result<void> apply(const Context& context, const PutTask& write) {
  auto fields = task_fields(write.task);
  fields.push_back({"plan_id", context.plan_id});
  fields.push_back({"fencing", context.fence()});
  fields.push_back({"updated_at", context.now});
  return sql::send_upsert(context.db, "plan_tasks", "plan_id,task_key", std::move(fields));
}

Result<void> apply(const Context& context, const PutTaskAttempt& write) {
  return sql::send_upsert(context.db, "plan_task_attempts", "plan_id,task_key,run_attempt,attempt",
                          {{"plan_id", context.plan_id},
                           {"task_key", write.task_key},
                           {"run_attempt", write.run_attempt},
                           {"attempt", write.attempt},
                           {"state", write.state},
                           {"started_at", write.started_at},
                           {"finished_at", write.finished_at},
                           {"error_code", text_or_null(write.error_code)},
                           {"error_message", text_or_null(write.error_message)},
                           {"fencing", context.fence()}});
}

Result<void> apply(const Context& context, const PutItem& write) {
  auto fields = item_fields(write.item);
  fields.push_back({"plan_id", context.plan_id});
  fields.push_back({"fencing", context.fence()});
  fields.push_back({"updated_at", context.now});
  return sql::send_upsert(context.db, "plan_task_items", "plan_id,task_key,item_key", std::move(fields));
}

Result<void> apply(const Context& context, const DeleteItems& write) {
  if (write.keys.empty()) {
    return context.db.send("DELETE FROM plan_task_items WHERE plan_id = ? AND task_key = ?",
                           {context.plan_id, write.task_key});
  }
  for (const auto& key : write.keys) {
    PLANEXE_TRY(context.db.send("DELETE FROM plan_task_items WHERE plan_id = ? AND task_key = ? AND item_key = ?",
                                {context.plan_id, write.task_key, key}));
  }
  return {};
}

namespace {

/// Rows in one statement; each length up to this one is prepared once.
constexpr std::size_t kEventsPerStatement = 16;

Result<void> append(const Context& context, std::span<const EventRow> events) {
  std::string statement = "INSERT INTO plan_events (plan_id, seq, type, created_at, interaction_id, payload) VALUES ";
  std::vector<sql::Param> values;
  for (const auto& event : events) {
    statement += values.empty() ? "(?, ?, ?, ?, ?, ?)" : ", (?, ?, ?, ?, ?, ?)";
    values.insert(values.end(), {context.plan_id, event.seq, event.type, or_now(event.created_at, context.now),
                                 event.interaction_id, sql::json_or_null(event.payload)});
  }
  return context.db.send(statement, values, {});
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
  std::span<const EventRow> events = write.events;
  for (; !events.empty() && events.front().seq <= last; events = events.subspan(1))
    PLANEXE_TRY(expect_stored(context, events.front()));
  for (const auto& event : events) {
    if (event.seq <= last) return fail(ErrorCode::Conflict, fmt::format("Event {} came after a later one.", event.seq));
    last = event.seq;
  }
  for (std::size_t at = 0; at < events.size(); at += kEventsPerStatement)
    PLANEXE_TRY(append(context, events.subspan(at, std::min(kEventsPerStatement, events.size() - at))));
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
  // The row is there from the creation of the plan, except in an adopted database.
  PLANEXE_TRY_ASSIGN(const auto updated, sql::update(context.db, "plan_metrics", fields, "plan_id = ?", {context.plan_id}));
  if (updated > 0) return {};
  fields.push_back({"created_at", context.now});
  return sql::send_insert(context.db, "plan_metrics", std::move(fields));
}

Result<void> apply(const Context& context, const PutRecipe& write) {
  return sql::send_insert(
      context.db, "recipes",
      {{"recipe_hash", write.recipe_hash}, {"created_at", context.now}, {"content", write.content}},
      "ON CONFLICT (recipe_hash) DO NOTHING");
}

}  // namespace planexe::store::writes
