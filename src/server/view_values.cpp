#include "server/view_values.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace planexe::server::view {
namespace {

constexpr std::array kFailureCodes{ErrorCode::PromptRefused,
                                   ErrorCode::TaskFailed,
                                   ErrorCode::UpstreamFailed,
                                   ErrorCode::ModelRefused,
                                   ErrorCode::ContentFiltered,
                                   ErrorCode::OutputTruncated,
                                   ErrorCode::SchemaRepairExhausted,
                                   ErrorCode::ContextTooLong,
                                   ErrorCode::ProviderAuth,
                                   ErrorCode::ProviderQuota,
                                   ErrorCode::ProviderUnavailable,
                                   ErrorCode::BudgetExceeded,
                                   ErrorCode::RunTimeout,
                                   ErrorCode::RunAbandoned,
                                   ErrorCode::Cancelled,
                                   ErrorCode::Internal};

constexpr std::array<std::string_view, 14> kPhases{"setup",
                                                   "initial_analysis",
                                                   "strategic_planning",
                                                   "scenario_planning",
                                                   "contextual_analysis",
                                                   "assumption_management",
                                                   "project_planning",
                                                   "governance",
                                                   "resource_planning",
                                                   "documentation",
                                                   "work_breakdown",
                                                   "scheduling",
                                                   "reporting",
                                                   "completion"};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

json::value text_or_null(std::string_view text) { return text.empty() ? json::value(nullptr) : json::value(text); }

json::value time_or_null(const std::optional<TimePoint>& time) {
  return time ? json::value(format_iso(*time)) : json::value(nullptr);
}

json::value cost_or_null(const store::UsageTotals& totals) {
  return totals.unpriced > 0 && totals.cost_micros == 0 ? json::value(nullptr) : json::value(totals.cost_micros);
}

json::object token_fields(const store::UsageTotals& totals) {
  return {{"input_tokens", totals.input_tokens},
          {"cached_input_tokens", totals.cached_input_tokens},
          {"output_tokens", totals.output_tokens},
          {"reasoning_tokens", totals.reasoning_tokens},
          {"total_tokens", totals.input_tokens + totals.output_tokens}};
}

json::value failure_code(std::string_view code) {
  if (code.empty()) return nullptr;
  const auto known = error_code_from(code);
  if (known && std::ranges::find(kFailureCodes, *known) != kFailureCodes.end()) return json::value(code);
  const bool of_provider = known == ErrorCode::ProviderError || known == ErrorCode::ProviderTimeout ||
                           known == ErrorCode::RateLimited || known == ErrorCode::ProviderNotConfigured;
  return json::value(to_string(of_provider ? ErrorCode::ProviderUnavailable : ErrorCode::TaskFailed));
}

json::value task_error(std::string_view code, std::string_view message) {
  if (code.empty()) return nullptr;
  return json::object{{"code", failure_code(code)}, {"message", message}};
}

bool is_phase(std::string_view phase) { return std::ranges::find(kPhases, phase) != kPhases.end(); }

bool is_task_key(std::string_view key) {
  return !key.empty() && key.size() <= 128 && is_lower(key.front()) &&
         std::ranges::all_of(key, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

std::string humanised(std::string_view name) {
  std::string words(name);
  for (auto& c : words)
    if (c == '_' || c == '-') c = ' ';
  if (!words.empty() && is_lower(words.front())) words.front() = static_cast<char>(words.front() - 'a' + 'A');
  return words;
}

std::string task_title(const recipe::Recipe& recipe, std::string_view task_key) {
  const auto* task = recipe.task(task_key);
  return task != nullptr && !task->title.empty() ? task->title : humanised(task_key);
}

Response answer(const Request& request, Result<Response> result) {
  if (!result) return error_response(result.error(), request.id);
  return *std::move(result);
}

Response tagged_json(const json::value& value, std::string tag) {
  auto response = json_response(value);
  response.with("ETag", tag.empty() ? body_tag(response.body) : std::move(tag));
  response.tagged = true;
  return response;
}

std::string body_tag(std::string_view body) {
  constexpr std::size_t kTagChars = 32;
  return '"' + sha256_hex(body).substr(0, kTagChars) + '"';
}

}  // namespace planexe::server::view
