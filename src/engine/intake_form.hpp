#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

namespace planexe::engine {

/// One field of an intake form that does not fit.
struct IntakeProblem {
  std::string type;  ///< as the HTTP contract names them: missing, string_type, string_too_long, enum, …
  json::array loc;   ///< names and indexes from the root of the form: ["budget", "funding_sources", 2]
  std::string msg;   ///< one sentence
};

/// complete: every required field must be there. draft: any field may be absent or null.
enum class IntakeDemand { complete, draft };

/// What is wrong with a form, in the order of its fields, at most 50 entries; empty when it is good. Null and absent are
/// the same; unknown fields are left alone.
std::vector<IntakeProblem> intake_problems(const json::value& form, IntakeDemand demand);

/// Required fields that the form does not have yet, dotted: "geography.is_digital_only".
std::vector<std::string> missing_intake_fields(const json::value& form);

/// Fills the defaults of absent and null optional fields of a form without problems: lists become [], texts null.
/// `captured_at` becomes UTC; where it is absent it becomes `now`, if given.
void fill_intake_defaults(json::object& form, std::optional<TimePoint> now = std::nullopt);

/// Checks a complete form and fills its defaults, so that prompts can rely on every field. VALIDATION_FAILED names the
/// first field that does not fit.
Result<void> check_intake(json::value& form, std::optional<TimePoint> now = std::nullopt);

}  // namespace planexe::engine
