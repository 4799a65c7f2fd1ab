#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"
#include "recipe/recipe.hpp"
#include "server/message.hpp"
#include "store/store.hpp"

/// Small values that several views of a plan share. Any thread.
namespace planexe::server::view {

/// The report as it is stored; the recipe's last task writes it.
inline constexpr std::string_view kReportFile = "029-report.html";
/// Says that all tasks are finished; no task writes it.
inline constexpr std::string_view kMarkerFile = "999-pipeline_complete.txt";

/// Null for an empty text.
json::value text_or_null(std::string_view text);
json::value time_or_null(const std::optional<TimePoint>& time);

/// Cost of calls; null when there are calls and no price of any is known.
json::value cost_or_null(const store::UsageTotals& totals);

/// {input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens}
json::object token_fields(const store::UsageTotals& totals);

/// A stored code as one of the contract's failure codes, which is a closed list; null for "".
json::value failure_code(std::string_view code);
/// {code, message}, or null for an empty code.
json::value task_error(std::string_view code, std::string_view message);

/// One of the contract's phases.
bool is_phase(std::string_view phase);
/// Matches ^[a-z][a-z0-9_]{0,127}$.
bool is_task_key(std::string_view key);

/// "some_file-name" -> "Some file name".
std::string humanised(std::string_view name);
/// The task's title, or its key in words when the recipe does not have it.
std::string task_title(const recipe::Recipe& recipe, std::string_view task_key);

/// The response, or the contract's body of the error.
Response answer(const Request& request, Result<Response> result);
/// JSON that clients revalidate with its tag. `tag`: in quotes; "" = that of the body.
Response tagged_json(const json::value& value, std::string tag = {});
/// The strong tag of these bytes, in quotes. Made here, on the pool, since large bodies take their time.
std::string body_tag(std::string_view body);

}  // namespace planexe::server::view
