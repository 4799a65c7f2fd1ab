#include "server/interaction_view.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"
#include "engine/requests.hpp"
#include "llm/types.hpp"
#include "server/limits.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

/// Records of older versions name tasks by other words.
std::string task_key_of(const store::InteractionRow& row, const recipe::Recipe& recipe) {
  if (view::is_task_key(row.stage)) return engine::canonical_task_key(recipe, row.stage).value_or(row.stage);
  std::string key;
  for (const char c : cut_code_points(row.stage, 100)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool word = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    key += word ? lower : '_';
  }
  return view::is_task_key(key) ? key : "task_" + key;
}

json::value attempt_reason(const store::InteractionRow& row) {
  using Reason = llm::AttemptReason;
  for (int i = 0; i <= static_cast<int>(Reason::recovery); ++i)
    if (llm::to_string(static_cast<Reason>(i)) == row.attempt_reason) return json::value(row.attempt_reason);
  return nullptr;
}

json::value error_code(const store::InteractionRow& row) {
  const std::string_view code = row.error_code;
  const auto letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  const bool fits = !code.empty() && letter(code.front()) &&
                    std::ranges::all_of(code, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; });
  return fits ? json::value(code) : json::value(nullptr);
}

json::value duration(const store::InteractionRow& row) {
  if (!row.started_at || !row.completed_at) return nullptr;
  return std::max(0.0, static_cast<double>((*row.completed_at - *row.started_at).count()) / 1000.0);
}

store::UsageTotals totals_of(const store::InteractionRow& row) {
  store::UsageTotals totals;
  totals.input_tokens = row.input_tokens;
  totals.cached_input_tokens = row.cached_input_tokens;
  totals.output_tokens = row.output_tokens;
  totals.reasoning_tokens = row.reasoning_tokens;
  return totals;
}

json::value usage_source(const store::InteractionRow& row) {
  const bool known = row.usage_source == "provider" || row.usage_source == "estimate";
  return known ? json::value(row.usage_source) : json::value(nullptr);
}

/// What is kept of the payload beside its messages, which are the prompt.
json::value request_of(const store::InteractionRow& row) {
  if (const auto* stored = get_object(row.prompt_metadata, "request")) return *stored;
  if (row.request_hash.empty()) return nullptr;
  return json::object{{"model", row.llm_model}, {"background", row.background}, {"request_hash", row.request_hash}};
}

}  // namespace

json::object interaction_entry(const store::InteractionPreview& call, const recipe::Recipe& recipe) {
  const auto& row = call.row;
  const auto task_key = task_key_of(row, recipe);
  json::object entry{
      {"id", row.id},
      {"task_key", task_key},
      {"stage", task_key},
      {"call_key", view::text_or_null(row.call_key)},
      {"attempt", std::max(1, row.attempt)},
      {"attempt_reason", attempt_reason(row)},
      {"provider", view::text_or_null(row.provider)},
      {"llm_model", row.llm_model},
      {"status", row.status},
      {"started_at", view::time_or_null(row.started_at)},
      {"completed_at", view::time_or_null(row.completed_at)},
      {"duration_seconds", duration(row)},
      {"queue_ms", row.queue_ms},
      {"first_token_ms", row.first_token_ms > 0 ? json::value(row.first_token_ms) : json::value(nullptr)},
      {"cache_write_tokens", row.cache_write_tokens},
      {"cost_micros", row.cost_micros ? json::value(*row.cost_micros) : json::value(nullptr)},
      {"usage_source", usage_source(row)},
      {"error_code", error_code(row)},
      {"error_message", view::text_or_null(redact(row.error_message))},
      {"prompt_preview", cut_code_points(call.prompt, limits::kPreviewCharsMax)},
      {"response_preview", view::text_or_null(cut_code_points(row.response_text, limits::kPreviewCharsMax))}};
  for (auto& [name, value] : view::token_fields(totals_of(row))) entry[name] = value;
  return entry;
}

json::object interaction_detail(const store::InteractionRow& row, const std::string& preview, const std::string& prompt,
                                const recipe::Recipe& recipe) {
  auto object = interaction_entry({row, preview}, recipe);
  object["prompt_text"] = prompt;
  object["prompt_metadata"] = row.prompt_metadata.is_object() ? row.prompt_metadata : json::value(nullptr);
  object["response_text"] = view::text_or_null(row.response_text);
  object["reasoning_text"] = view::text_or_null(row.reasoning_text);
  const auto totals = totals_of(row);
  const bool counted = totals.input_tokens > 0 || totals.output_tokens > 0;
  object["usage"] = counted ? json::value(view::token_fields(totals)) : json::value(nullptr);
  object["response_id"] = view::text_or_null(row.response_id);
  object["parent_call_key"] = view::text_or_null(row.parent_call_key);
  object["request"] = request_of(row);
  return object;
}

}  // namespace planexe::server
