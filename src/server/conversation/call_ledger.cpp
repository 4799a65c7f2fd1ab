#include "server/conversation/call_ledger.hpp"

#include <utility>

#include "base/hash.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {
namespace {

/// The shortest wait after which the client gives up on an answer that does not come.
constexpr std::int64_t kTimeoutMs = 60'000;

void copy_record(const llm::AttemptRecord& record, store::InteractionRow& row) {
  row.status = record.status;
  row.llm_model = record.model;
  row.provider = record.provider;
  row.response_id = record.response_id;
  row.provider_request_id = record.provider_request_id;
  row.request_hash = record.request_hash;
  row.response_text = record.text.empty() ? record.refusal : record.text;
  row.reasoning_text = record.reasoning;
  row.input_tokens = record.usage.input_tokens;
  row.cached_input_tokens = record.usage.cached_input_tokens;
  row.cache_write_tokens = record.usage.cache_write_tokens;
  row.output_tokens = record.usage.output_tokens;
  row.reasoning_tokens = record.usage.reasoning_tokens;
  row.usage_source = record.usage.estimated ? "estimate" : "provider";
  row.cost_micros = record.cost_micros;
  row.price_version = record.price_version;
  row.queue_ms = record.queue_ms;
  row.first_byte_ms = record.first_byte_ms;
  row.first_token_ms = record.first_token_ms;
  row.http_status = record.http_status;
  row.background = record.background;
  row.last_event_sequence = record.last_event_sequence;
  row.error_code = record.error ? std::string(to_string(record.error->code)) : "";
  row.error_message = record.error ? record.error->message : "";
  json::object metadata{{"provider_model", record.provider_model}, {"duration_ms", record.duration_ms}};
  if (!record.service_tier.empty()) metadata["service_tier"] = record.service_tier;
  if (!record.counters.empty()) metadata["counters"] = record.counters;
  row.response_metadata = std::move(metadata);
}

void add_texts(const std::vector<llm::Message>& messages, std::vector<std::string>& texts) {
  for (const auto& message : messages) texts.insert(texts.end(), message.parts.begin(), message.parts.end());
}

}  // namespace

json::object usage_json(const llm::Usage& usage) {
  return {{"input_tokens", usage.input_tokens},
          {"cached_input_tokens", usage.cached_input_tokens},
          {"output_tokens", usage.output_tokens},
          {"reasoning_tokens", usage.reasoning_tokens},
          {"total_tokens", usage.total()}};
}

void add_usage(llm::Usage& sum, const llm::Usage& usage) {
  sum.input_tokens += usage.input_tokens;
  sum.cached_input_tokens += usage.cached_input_tokens;
  sum.cache_write_tokens += usage.cache_write_tokens;
  sum.output_tokens += usage.output_tokens;
  sum.reasoning_tokens += usage.reasoning_tokens;
  sum.estimated = sum.estimated || usage.estimated;
}

CallLedger::CallLedger(LedgerOwner owner, const llm::CallSpec& spec, std::int64_t first_id)
    : owner_(std::move(owner)), call_key_(spec.call_key), model_(spec.model), first_id_(first_id) {
  if (spec.parent) {
    parent_call_key_ = spec.parent->call_key;
    add_texts(spec.parent->transcript, texts_);
  }
  const bool has_rules = spec.parent && !spec.parent->transcript.empty();
  for (const auto& message : spec.messages) {
    if (has_rules && message.role == llm::Message::Role::developer) continue;
    texts_.insert(texts_.end(), message.parts.begin(), message.parts.end());
  }
}

std::optional<CallLedger::Writes> CallLedger::attempt_ready(const llm::AttemptStart& start, TimePoint now) {
  if (used_ >= limits::kAttemptsPerCall) return std::nullopt;
  store::InteractionRow row;
  row.id = first_id_ + used_++;
  row.owner_kind = owner_.kind;
  row.owner_id = owner_.id;
  row.stage = owner_.stage;
  row.call_key = call_key_;
  row.parent_call_key = parent_call_key_;
  row.attempt = start.attempt;
  row.attempt_reason = to_string(start.reason);
  row.llm_model = start.model;
  row.provider = start.provider;
  row.status = "running";
  row.request_hash = start.request_hash;
  row.queue_ms = start.queue_ms;
  row.background = start.background;
  row.started_at = now;
  if (!owner_.metadata.empty()) row.prompt_metadata = owner_.metadata;
  auto texts = texts_;
  add_texts(start.extra_messages, texts);
  store::PutBlocks blocks;
  for (auto& text : texts) {
    row.prompt_blocks.push_back(sha256_hex(text));
    blocks.blocks.push_back({row.prompt_blocks.back(), std::move(text)});
  }
  Writes writes;
  if (!blocks.blocks.empty()) writes.emplace_back(std::move(blocks));
  writes.emplace_back(store::PutInteraction{row});
  row_ = std::move(row);
  open_ = true;
  return writes;
}

CallLedger::Writes CallLedger::response_id(int attempt, const std::string& id) {
  if (!open_ || row_->attempt != attempt) return {};
  row_->response_id = id;
  return {store::SetResponseId{row_->id, id, -1}};
}

CallLedger::Writes CallLedger::attempt_ended(const llm::AttemptRecord& record, TimePoint now) {
  add_usage(usage_, record.usage);
  reasoning_ = record.reasoning;
  const bool answered = record.http_status != 0 && record.http_status != 200;
  timed_out_ = record.error && !answered && record.duration_ms >= kTimeoutMs;
  if (!open_ || row_->attempt != record.attempt) return {};
  copy_record(record, *row_);
  row_->completed_at = now;
  if (!record.will_retry) return {};
  open_ = false;
  return {store::UpdateInteraction{*row_}};
}

CallLedger::Writes CallLedger::call_ended(const llm::CallOutcome& outcome, TimePoint now) {
  if (!std::exchange(open_, false)) return {};
  if (row_->status == "running") {  // refused or stopped before it was sent
    row_->status = "cancelled";
    row_->completed_at = now;
    if (outcome.error) row_->error_message = outcome.error->message;
  }
  // A later turn may go on with this response only where the provider keeps it.
  if (outcome.ok && row_->response_metadata.is_object()) row_->response_metadata.as_object()["stored"] = outcome.stored;
  return {store::UpdateInteraction{*row_}};
}

}  // namespace planexe::server
