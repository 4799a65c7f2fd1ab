#include "store/columns.hpp"

namespace planexe::store {

using sql::json_or_null;
using sql::text_or_null;

const std::string_view kPlanColumns =
    "plans.plan_id, user_id, title, llm_model, speed_vs_detail, reasoning_effort, status, progress_percentage, "
    "progress_message, error_message, error_code, failed_task_key, created_at, updated_at, started_at, completed_at, "
    "cancel_requested_at, output_dir, eta_seconds, conversation_id, redline_mode, rehearsal, run_attempt, "
    "recovery_count, lease_owner, lease_expires_at, fencing, seq_reserved, max_cost_micros, pipeline_version, "
    "recipe_hash, enriched_intake, prompt";

PlanRow read_plan(sql::Rows& rows) {
  PlanRow plan;
  plan.plan_id = rows.string();
  plan.user_id = rows.string();
  plan.title = rows.string();
  plan.llm_model = rows.string();
  plan.speed_vs_detail = rows.string();
  plan.reasoning_effort = rows.string();
  plan.status = rows.string();
  plan.progress_percentage = rows.small();
  plan.progress_message = rows.string();
  plan.error_message = rows.string();
  plan.error_code = rows.string();
  plan.failed_task_key = rows.string();
  plan.created_at = rows.time();
  plan.updated_at = rows.time();
  plan.started_at = rows.optional_time();
  plan.completed_at = rows.optional_time();
  plan.cancel_requested_at = rows.optional_time();
  plan.output_dir = rows.string();
  plan.eta_seconds = rows.optional_integer();
  plan.conversation_id = rows.string();
  plan.redline_mode = rows.string();
  plan.rehearsal = rows.boolean();
  plan.run_attempt = rows.small();
  plan.recovery_count = rows.small();
  plan.lease_owner = rows.string();
  plan.lease_expires_at = rows.optional_time();
  plan.fencing = rows.integer();
  plan.seq_reserved = rows.integer();
  plan.max_cost_micros = rows.optional_integer();
  plan.pipeline_version = rows.string();
  plan.recipe_hash = rows.string();
  plan.enriched_intake = rows.json();
  plan.prompt = rows.string();
  return plan;
}

sql::Fields plan_identity_fields(const PlanRow& plan, TimePoint now) {
  return {{"plan_id", plan.plan_id},
          {"user_id", text_or_null(plan.user_id)},
          {"prompt", plan.prompt},
          {"created_at", or_now(plan.created_at, now)}};
}

namespace {

constexpr double kMsPerMinute = 60'000.0;

sql::Param minutes_between(std::optional<TimePoint> from, std::optional<TimePoint> to) {
  if (!from || !to) return {};
  return static_cast<double>((*to - *from).count()) / kMsPerMinute;
}

sql::Param estimated_minutes(std::optional<std::int64_t> seconds) {
  if (!seconds) return {};
  return static_cast<double>(*seconds) / 60.0;
}

}  // namespace

sql::Fields plan_state_fields(const PlanRow& plan, TimePoint now) {
  return {{"title", text_or_null(plan.title)},
          {"llm_model", text_or_null(plan.llm_model)},
          {"speed_vs_detail", plan.speed_vs_detail},
          {"reasoning_effort", text_or_null(plan.reasoning_effort)},
          {"progress_percentage", plan.progress_percentage},
          {"progress_message", plan.progress_message},
          {"error_message", text_or_null(plan.error_message)},
          {"error_code", text_or_null(plan.error_code)},
          {"failed_task_key", text_or_null(plan.failed_task_key)},
          {"updated_at", or_now(plan.updated_at, now)},
          {"started_at", plan.started_at},
          {"completed_at", plan.completed_at},
          {"output_dir", text_or_null(plan.output_dir)},
          {"estimated_duration_minutes", estimated_minutes(plan.eta_seconds)},
          {"actual_duration_minutes", minutes_between(plan.started_at, plan.completed_at)},
          {"eta_seconds", plan.eta_seconds},
          {"conversation_id", text_or_null(plan.conversation_id)},
          {"redline_mode", plan.redline_mode},
          {"rehearsal", plan.rehearsal},
          {"run_attempt", plan.run_attempt},
          {"recovery_count", plan.recovery_count},
          {"max_cost_micros", plan.max_cost_micros},
          {"pipeline_version", text_or_null(plan.pipeline_version)},
          {"recipe_hash", text_or_null(plan.recipe_hash)},
          {"enriched_intake", json_or_null(plan.enriched_intake)}};
}

const std::string_view kTaskColumns =
    "task_key, position, phase, state, state_reason, attempt, max_attempts, input_hash, weight, units_total, "
    "units_done, units_failed, started_at, finished_at, duration_ms, model, error_code, error_message, degraded, "
    "ask_anew, run_attempt";

TaskRow read_task(sql::Rows& rows) {
  TaskRow task;
  task.task_key = rows.string();
  task.position = rows.small();
  task.phase = rows.string();
  task.state = rows.string();
  task.state_reason = rows.string();
  task.attempt = rows.small();
  task.max_attempts = rows.small();
  task.input_hash = rows.string();
  task.weight = rows.small();
  task.units_total = rows.small();
  task.units_done = rows.small();
  task.units_failed = rows.small();
  task.started_at = rows.optional_time();
  task.finished_at = rows.optional_time();
  task.duration_ms = rows.integer();
  task.model = rows.string();
  task.error_code = rows.string();
  task.error_message = rows.string();
  task.degraded = rows.boolean();
  task.ask_anew = rows.boolean();
  task.run_attempt = rows.small();
  return task;
}

sql::Fields task_fields(const TaskRow& task) {
  return {{"task_key", task.task_key},
          {"position", task.position},
          {"phase", task.phase},
          {"state", task.state},
          {"state_reason", text_or_null(task.state_reason)},
          {"attempt", task.attempt},
          {"max_attempts", task.max_attempts},
          {"input_hash", text_or_null(task.input_hash)},
          {"weight", task.weight},
          {"units_total", task.units_total},
          {"units_done", task.units_done},
          {"units_failed", task.units_failed},
          {"started_at", task.started_at},
          {"finished_at", task.finished_at},
          {"duration_ms", task.duration_ms},
          {"model", text_or_null(task.model)},
          {"error_code", text_or_null(task.error_code)},
          {"error_message", text_or_null(task.error_message)},
          {"degraded", task.degraded},
          {"ask_anew", task.ask_anew},
          {"run_attempt", task.run_attempt}};
}

const std::string_view kItemColumns =
    "task_key, item_key, position, state, state_reason, attempt, input_hash, error_code, error_message, run_attempt, "
    "meta, result";

ItemRow read_item(sql::Rows& rows) {
  ItemRow item;
  item.task_key = rows.string();
  item.item_key = rows.string();
  item.position = rows.small();
  item.state = rows.string();
  item.state_reason = rows.string();
  item.attempt = rows.small();
  item.input_hash = rows.string();
  item.error_code = rows.string();
  item.error_message = rows.string();
  item.run_attempt = rows.small();
  item.meta = rows.json();
  item.result = rows.json();
  return item;
}

sql::Fields item_fields(const ItemRow& item) {
  return {{"task_key", item.task_key},
          {"item_key", item.item_key},
          {"position", item.position},
          {"state", item.state},
          {"state_reason", text_or_null(item.state_reason)},
          {"attempt", item.attempt},
          {"input_hash", text_or_null(item.input_hash)},
          {"error_code", text_or_null(item.error_code)},
          {"error_message", text_or_null(item.error_message)},
          {"run_attempt", item.run_attempt},
          {"meta", json_or_null(item.meta)},
          {"result", json_or_null(item.result)}};
}

const std::string_view kContentColumns =
    "filename, stage, content_type, task_key, sha256, input_hash, content_blob IS NOT NULL, stale, is_current, "
    "version, "
    "content_size_bytes, created_at";
const std::string_view kContentBody = "content, content_blob";

ContentRow read_content(sql::Rows& rows) {
  ContentRow row;
  row.filename = rows.string();
  row.stage = rows.string();
  row.content_type = rows.string();
  row.task_key = rows.string();
  row.sha256 = rows.string();
  row.input_hash = rows.string();
  row.is_binary = rows.boolean();
  row.stale = rows.boolean();
  row.is_current = rows.boolean();
  row.version = rows.small();
  row.size_bytes = rows.integer();
  row.created_at = rows.time();
  return row;
}

void read_content_body(sql::Rows& rows, ContentRow& row) {
  row.content = rows.string();
  const auto blob = rows.view();
  if (row.is_binary) row.content = blob;
}

const std::string_view kEventColumns = "seq, type, created_at, interaction_id, payload";

EventRow read_event(sql::Rows& rows) {
  EventRow event;
  event.seq = rows.integer();
  event.type = rows.string();
  event.created_at = rows.time();
  event.interaction_id = rows.integer();
  event.payload = rows.json();
  return event;
}

const std::string_view kConversationColumns =
    "id, model_key, status, plan_id, created_at, updated_at, last_error, draft_intake";

ConversationRow read_conversation(sql::Rows& rows) {
  ConversationRow row;
  row.id = rows.string();
  row.model_key = rows.string();
  row.status = rows.string();
  row.plan_id = rows.string();
  row.created_at = rows.time();
  row.updated_at = rows.time();
  row.last_error = rows.json();
  row.draft_intake = rows.json();
  return row;
}

sql::Fields conversation_fields(const ConversationRow& row, TimePoint now) {
  return {{"id", row.id},
          {"model_key", row.model_key},
          {"status", row.status},
          {"plan_id", text_or_null(row.plan_id)},
          {"created_at", or_now(row.created_at, now)},
          {"updated_at", or_now(row.updated_at, now)},
          {"last_error", json_or_null(row.last_error)},
          {"draft_intake", json_or_null(row.draft_intake)}};
}

const std::string_view kTurnColumns =
    "conversation_id, turn, role, status, interaction_id, created_at, completed_at, error, usage, reasoning, text";

TurnRow read_turn(sql::Rows& rows) {
  TurnRow row;
  row.conversation_id = rows.string();
  row.turn = rows.small();
  row.role = rows.string();
  row.status = rows.string();
  row.interaction_id = rows.integer();
  row.created_at = rows.time();
  row.completed_at = rows.optional_time();
  row.error = rows.json();
  row.usage = rows.json();
  row.reasoning = rows.string();
  row.text = rows.string();
  return row;
}

sql::Fields turn_fields(const TurnRow& row, TimePoint now) {
  return {{"conversation_id", row.conversation_id},
          {"turn", row.turn},
          {"role", row.role},
          {"status", row.status},
          {"interaction_id", row.interaction_id},
          {"created_at", or_now(row.created_at, now)},
          {"completed_at", row.completed_at},
          {"error", json_or_null(row.error)},
          {"usage", json_or_null(row.usage)},
          {"reasoning", row.reasoning},
          {"text", row.text}};
}

}  // namespace planexe::store
