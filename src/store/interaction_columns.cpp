#include "store/columns.hpp"

namespace planexe::store {

using sql::json_or_null;
using sql::text_or_null;

const std::string_view kInteractionColumns =
    "id, plan_id, owner_kind, owner_id, stage, call_key, parent_call_key, run_attempt, attempt, attempt_reason, "
    "llm_model, provider, status, started_at, completed_at, queue_ms, first_byte_ms, first_token_ms, input_tokens, "
    "cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_micros, price_version, "
    "usage_source, http_status, error_code, error_message, response_id, provider_request_id, background, "
    "last_event_sequence, request_hash, transcript_hash, input_hash, prompt_metadata, response_metadata, "
    "reasoning_text, response_text";

namespace {

void read_attempt(sql::Rows& rows, InteractionRow& row) {
  row.id = rows.integer();
  row.plan_id = rows.string();
  row.owner_kind = rows.string();
  row.owner_id = rows.string();
  row.stage = rows.string();
  row.call_key = rows.string();
  row.parent_call_key = rows.string();
  row.run_attempt = rows.small();
  row.attempt = rows.small();
  row.attempt_reason = rows.string();
  row.llm_model = rows.string();
  row.provider = rows.string();
  row.status = rows.string();
}

void read_measures(sql::Rows& rows, InteractionRow& row) {
  row.started_at = rows.optional_time();
  row.completed_at = rows.optional_time();
  row.queue_ms = rows.integer();
  row.first_byte_ms = rows.integer();
  row.first_token_ms = rows.integer();
  row.input_tokens = rows.integer();
  row.cached_input_tokens = rows.integer();
  row.cache_write_tokens = rows.integer();
  row.output_tokens = rows.integer();
  row.reasoning_tokens = rows.integer();
  row.cost_micros = rows.optional_integer();
  row.price_version = rows.string();
  row.usage_source = rows.string();
}

void read_outcome(sql::Rows& rows, InteractionRow& row) {
  row.http_status = rows.small();
  row.error_code = rows.string();
  row.error_message = rows.string();
  row.response_id = rows.string();
  row.provider_request_id = rows.string();
  row.background = rows.boolean();
  row.last_event_sequence = rows.integer();
  row.request_hash = rows.string();
  row.transcript_hash = rows.string();
  row.input_hash = rows.string();
  row.prompt_metadata = rows.json();
  row.response_metadata = rows.json();
  row.reasoning_text = rows.string();
  row.response_text = rows.string();
}

sql::Param seconds_between(std::optional<TimePoint> from, std::optional<TimePoint> to) {
  if (!from || !to) return {};
  return static_cast<double>((*to - *from).count()) / 1000.0;
}

}  // namespace

InteractionRow read_interaction(sql::Rows& rows) {
  InteractionRow row;
  read_attempt(rows, row);
  read_measures(rows, row);
  read_outcome(rows, row);
  return row;
}

sql::Fields interaction_identity_fields(const InteractionRow& row) {
  return {{"id", row.id},
          {"plan_id", text_or_null(row.plan_id)},
          {"owner_kind", row.owner_kind},
          {"owner_id", row.owner_id},
          {"stage", row.stage},
          {"call_key", text_or_null(row.call_key)},
          {"parent_call_key", text_or_null(row.parent_call_key)},
          {"run_attempt", row.run_attempt},
          {"attempt", row.attempt},
          {"attempt_reason", text_or_null(row.attempt_reason)},
          {"prompt_metadata", json_or_null(row.prompt_metadata)}};
}

sql::Fields interaction_result_fields(const InteractionRow& row) {
  return {{"llm_model", row.llm_model},
          {"provider", text_or_null(row.provider)},
          {"status", row.status},
          {"started_at", row.started_at},
          {"completed_at", row.completed_at},
          {"duration_seconds", seconds_between(row.started_at, row.completed_at)},
          {"queue_ms", row.queue_ms},
          {"first_byte_ms", row.first_byte_ms},
          {"first_token_ms", row.first_token_ms},
          {"input_tokens", row.input_tokens},
          {"cached_input_tokens", row.cached_input_tokens},
          {"cache_write_tokens", row.cache_write_tokens},
          {"output_tokens", row.output_tokens},
          {"reasoning_tokens", row.reasoning_tokens},
          {"total_tokens", row.input_tokens + row.output_tokens},
          {"cost_micros", row.cost_micros},
          {"price_version", text_or_null(row.price_version)},
          {"usage_source", text_or_null(row.usage_source)},
          {"http_status", row.http_status},
          {"error_code", text_or_null(row.error_code)},
          {"error_message", text_or_null(row.error_message)},
          {"response_id", text_or_null(row.response_id)},
          {"provider_request_id", text_or_null(row.provider_request_id)},
          {"background", row.background},
          {"last_event_sequence", row.last_event_sequence},
          {"request_hash", text_or_null(row.request_hash)},
          {"transcript_hash", text_or_null(row.transcript_hash)},
          {"input_hash", text_or_null(row.input_hash)},
          {"response_metadata", json_or_null(row.response_metadata)},
          {"reasoning_text", text_or_null(row.reasoning_text)},
          {"response_text", text_or_null(row.response_text)}};
}

}  // namespace planexe::store
