#include "engine/intake_form.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.hpp"

namespace planexe::engine {
namespace {

constexpr std::size_t kFormBytesMax = 256 * 1024;
constexpr std::size_t kListMax = 50;
constexpr std::size_t kItemCharsMax = 1000;

enum class Kind { text, nullable_text, texts, flag, confidence };

struct Field {
  std::string_view object;  ///< "" = top level
  std::string_view name;
  Kind kind;
  bool required;
  std::size_t chars_max;
};

constexpr std::array kFields{
    Field{"", "project_title", Kind::text, true, 200},        Field{"", "refined_objective", Kind::text, true, 2000},
    Field{"", "original_prompt", Kind::text, true, 50000},    Field{"", "scale", Kind::text, true, 20},
    Field{"", "risk_tolerance", Kind::text, true, 20},        Field{"", "domain", Kind::text, true, 200},
    Field{"", "conversation_summary", Kind::text, true, 5000}, Field{"", "confidence_score", Kind::confidence, true, 0},
    Field{"budget", "estimated_total", Kind::nullable_text, false, 1000}, Field{"budget", "funding_sources", Kind::texts, false, 0},
    Field{"budget", "currency", Kind::nullable_text, false, 100},         Field{"timeline", "target_completion", Kind::nullable_text, false, 1000},
    Field{"timeline", "key_milestones", Kind::texts, false, 0},           Field{"timeline", "urgency", Kind::nullable_text, false, 1000},
    Field{"geography", "is_digital_only", Kind::flag, true, 0},           Field{"geography", "physical_locations", Kind::texts, false, 0},
    Field{"geography", "notes", Kind::nullable_text, false, 2000},        Field{"", "team_size", Kind::nullable_text, false, 1000},
    Field{"", "existing_resources", Kind::texts, false, 0},   Field{"", "hard_constraints", Kind::texts, false, 0},
    Field{"", "success_criteria", Kind::texts, false, 0},     Field{"", "key_stakeholders", Kind::texts, false, 0},
    Field{"", "regulatory_context", Kind::nullable_text, false, 5000},    Field{"", "areas_needing_clarification", Kind::texts, false, 0},
};

std::string place(const Field& field) {
  return field.object.empty() ? std::string(field.name) : std::string(field.object) + "." + std::string(field.name);
}

std::unexpected<Error> wrong(const Field& field, std::string_view what) {
  return fail(ErrorCode::ValidationFailed, "Intake form, " + place(field) + ": " + std::string(what) + ".");
}

Result<void> check_texts(const Field& field, const json::array& list) {
  if (list.size() > kListMax) return wrong(field, "more than 50 entries");
  for (const auto& item : list)
    if (!item.is_string() || item.as_string().empty() || code_points(item.as_string()) > kItemCharsMax)
      return wrong(field, "each entry is a text of 1 to 1000 characters");
  return {};
}

Result<void> check_field(const Field& field, json::object& object) {
  auto& value = object[field.name];
  if (value.is_null()) {
    if (field.required) return wrong(field, "is required");
    if (field.kind == Kind::texts) value = json::array{};
    return {};
  }
  switch (field.kind) {
    case Kind::text:
    case Kind::nullable_text: {
      if (!value.is_string()) return wrong(field, "must be a text");
      const auto length = code_points(value.as_string());
      if (length > field.chars_max || (field.kind == Kind::text && length == 0))
        return wrong(field, "has " + std::to_string(length) + " characters; wanted are 1 to " + std::to_string(field.chars_max));
      return {};
    }
    case Kind::texts:
      return value.is_array() ? check_texts(field, value.as_array()) : wrong(field, "must be a list of texts");
    case Kind::flag:
      return value.is_bool() ? Result<void>{} : wrong(field, "must be true or false");
    case Kind::confidence: {
      const auto number = as_int(value);
      return number && *number >= 1 && *number <= 10 ? Result<void>{} : wrong(field, "must be a whole number from 1 to 10");
    }
  }
  return {};
}

Result<void> check_choice(const json::object& form, std::string_view name, std::initializer_list<std::string_view> choices) {
  const std::string_view value = form.at(name).as_string();
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
  std::string list;
  for (const auto choice : choices) list += (list.empty() ? "" : ", ") + std::string(choice);
  return fail(ErrorCode::ValidationFailed, "Intake form, " + std::string(name) + ": must be one of " + list + ".");
}

}  // namespace

Result<void> check_intake(json::value& form) {
  if (!form.is_object()) return fail(ErrorCode::ValidationFailed, "The intake form must be a JSON object.");
  if (to_json(form).size() > kFormBytesMax) return fail(ErrorCode::ValidationFailed, "The intake form is larger than 256 KiB.");
  auto& object = form.as_object();
  for (const std::string_view group : {"budget", "timeline", "geography"})
    if (const auto* value = object.if_contains(group); !value || !value->is_object())
      return fail(ErrorCode::ValidationFailed, "Intake form, " + std::string(group) + ": is required and must be an object.");
  for (const auto& field : kFields) PLANEXE_TRY(check_field(field, field.object.empty() ? object : object[field.object].as_object()));
  PLANEXE_TRY(check_choice(object, "scale", {"personal", "local", "regional", "national", "global"}));
  return check_choice(object, "risk_tolerance", {"conservative", "moderate", "aggressive", "experimental"});
}

}  // namespace planexe::engine
