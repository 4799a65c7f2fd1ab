#include "engine/intake_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/text.hpp"

namespace planexe::engine {
namespace {

constexpr std::size_t kFormBytesMax = 256 * 1024;
constexpr std::size_t kListMax = 50;
constexpr std::size_t kItemCharsMax = 1000;
/// More teach nobody anything.
constexpr std::size_t kProblemsMax = 50;

enum class Kind { text, nullable_text, texts, flag, confidence, choice, time };

struct Field {
  std::string_view object;  ///< "" = top level
  std::string_view name;
  Kind kind;
  bool required;
  std::size_t chars_max;
  std::span<const std::string_view> choices = {};
};

constexpr std::array<std::string_view, 5> kScales{"personal", "local", "regional", "national", "global"};
constexpr std::array<std::string_view, 4> kTolerances{"conservative", "moderate", "aggressive", "experimental"};
constexpr std::array<std::string_view, 3> kGroups{"budget", "timeline", "geography"};

// clang-format off
constexpr std::array kFields{
    Field{"", "project_title", Kind::text, true, 200},
    Field{"", "refined_objective", Kind::text, true, 2000},
    Field{"", "original_prompt", Kind::text, true, 50000},
    Field{"", "scale", Kind::choice, true, 0, kScales},
    Field{"", "risk_tolerance", Kind::choice, true, 0, kTolerances},
    Field{"", "domain", Kind::text, true, 200},
    Field{"budget", "estimated_total", Kind::nullable_text, false, 1000},
    Field{"budget", "funding_sources", Kind::texts, false, 0},
    Field{"budget", "currency", Kind::nullable_text, false, 100},
    Field{"timeline", "target_completion", Kind::nullable_text, false, 1000},
    Field{"timeline", "key_milestones", Kind::texts, false, 0},
    Field{"timeline", "urgency", Kind::nullable_text, false, 1000},
    Field{"", "team_size", Kind::nullable_text, false, 1000},
    Field{"", "existing_resources", Kind::texts, false, 0},
    Field{"geography", "is_digital_only", Kind::flag, true, 0},
    Field{"geography", "physical_locations", Kind::texts, false, 0},
    Field{"geography", "notes", Kind::nullable_text, false, 2000},
    Field{"", "hard_constraints", Kind::texts, false, 0},
    Field{"", "success_criteria", Kind::texts, false, 0},
    Field{"", "key_stakeholders", Kind::texts, false, 0},
    Field{"", "regulatory_context", Kind::nullable_text, false, 5000},
    Field{"", "conversation_summary", Kind::text, true, 5000},
    Field{"", "confidence_score", Kind::confidence, true, 0},
    Field{"", "areas_needing_clarification", Kind::texts, false, 0},
    Field{"", "captured_at", Kind::time, false, 0},
};
// clang-format on

/// The object that a field stands in; null when its group is absent.
const json::object* holder(const json::object& form, const Field& field) {
  if (field.object.empty()) return &form;
  const auto* group = form.if_contains(field.object);
  return group ? group->if_object() : nullptr;
}

const json::value* value_of(const json::object& form, const Field& field) {
  const auto* object = holder(form, field);
  const auto* value = object ? object->if_contains(field.name) : nullptr;
  return value && !value->is_null() ? value : nullptr;
}

class Check {
 public:
  Check(const json::object& form, IntakeDemand demand) : form_(form), demand_(demand) {}

  std::vector<IntakeProblem> run() && {
    for (const auto group : kGroups) check_group(group);
    for (const auto& field : kFields) check_field(field);
    return std::move(problems_);
  }

 private:
  void add(std::string_view type, json::array loc, std::string msg) {
    if (problems_.size() < kProblemsMax) problems_.push_back({std::string(type), std::move(loc), std::move(msg)});
  }
  static json::array place(const Field& field) {
    json::array loc;
    if (!field.object.empty()) loc.emplace_back(field.object);
    loc.emplace_back(field.name);
    return loc;
  }
  void wrong(const Field& field, std::string_view type, std::string msg) { add(type, place(field), std::move(msg)); }

  void check_group(std::string_view group) {
    const auto* value = form_.if_contains(group);
    const bool absent = !value || value->is_null();
    if (absent && demand_ == IntakeDemand::complete) add("missing", {json::value(group)}, "is required and must be an object");
    if (!absent && !value->is_object()) add("dict_type", {json::value(group)}, "must be an object");
  }

  void check_field(const Field& field) {
    const auto* value = value_of(form_, field);
    if (value) return check_value(field, *value);
    // An absent group was told already.
    if (field.required && demand_ == IntakeDemand::complete && holder(form_, field)) wrong(field, "missing", "is required");
  }

  void check_value(const Field& field, const json::value& value) {
    switch (field.kind) {
      case Kind::text:
      case Kind::nullable_text: return check_text(field, value);
      case Kind::texts: return check_texts(field, value);
      case Kind::choice: return check_choice(field, value);
      case Kind::flag:
        if (!value.is_bool()) wrong(field, "bool_type", "must be true or false");
        return;
      case Kind::confidence: {
        const auto number = as_int(value);
        if (!number) return wrong(field, "int_type", "must be a whole number from 1 to 10");
        if (*number < 1) wrong(field, "greater_than_equal", "must be a whole number from 1 to 10");
        if (*number > 10) wrong(field, "less_than_equal", "must be a whole number from 1 to 10");
        return;
      }
      case Kind::time:
        if (!value.is_string() || !parse_iso(value.as_string()))
          wrong(field, "datetime_parsing", "must be a time such as 2026-01-31T12:00:00Z");
        return;
    }
  }

  void check_text(const Field& field, const json::value& value) {
    if (!value.is_string()) return wrong(field, "string_type", "must be a text");
    const auto length = code_points(value.as_string());
    auto told = fmt::format("has {} characters; wanted are 1 to {}", length, field.chars_max);
    if (length > field.chars_max) wrong(field, "string_too_long", std::move(told));
    else if (field.kind == Kind::text && length == 0) wrong(field, "string_too_short", std::move(told));
  }

  void check_texts(const Field& field, const json::value& value) {
    if (!value.is_array()) return wrong(field, "list_type", "must be a list of texts");
    const auto& list = value.as_array();
    if (list.size() > kListMax) return wrong(field, "too_long", "more than 50 entries");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto length = list[i].is_string() ? code_points(list[i].as_string()) : 0;
      if (list[i].is_string() && length > 0 && length <= kItemCharsMax) continue;
      auto loc = place(field);
      loc.emplace_back(i);
      const char* type = !list[i].is_string() ? "string_type" : length == 0 ? "string_too_short" : "string_too_long";
      add(type, std::move(loc), "each entry is a text of 1 to 1000 characters");
    }
  }

  void check_choice(const Field& field, const json::value& value) {
    const auto known = [&](std::string_view text) { return std::ranges::find(field.choices, text) != field.choices.end(); };
    if (value.is_string() && known(value.as_string())) return;
    wrong(field, "enum", fmt::format("must be one of {}", fmt::join(field.choices, ", ")));
  }

  const json::object& form_;
  IntakeDemand demand_;
  std::vector<IntakeProblem> problems_;
};

std::string dotted(const json::array& loc) {
  std::string path;
  for (const auto& part : loc) {
    if (!path.empty()) path += '.';
    path += part.is_string() ? std::string(part.as_string()) : to_json(part);
  }
  return path;
}

}  // namespace

std::vector<IntakeProblem> intake_problems(const json::value& form, IntakeDemand demand) {
  if (!form.is_object()) return {{"dict_type", {}, "The intake form must be a JSON object."}};
  if (to_json(form).size() > kFormBytesMax) return {{"too_long", {}, "The intake form is larger than 256 KiB."}};
  return Check(form.get_object(), demand).run();
}

std::vector<std::string> missing_intake_fields(const json::value& form) {
  static const json::object kEmpty;
  const auto& object = form.is_object() ? form.get_object() : kEmpty;
  std::vector<std::string> missing;
  for (const auto& field : kFields) {
    // A group without required fields counts where its first field stands, so that the order is that of the form.
    const bool first = !field.object.empty() && (missing.empty() || missing.back() != field.object);
    const bool group_absent = !field.object.empty() && !holder(object, field);
    if (group_absent && first && field.object != "geography") missing.emplace_back(field.object);
    if (!field.required || value_of(object, field)) continue;
    missing.push_back(field.object.empty() ? std::string(field.name) : fmt::format("{}.{}", field.object, field.name));
  }
  return missing;
}

void fill_intake_defaults(json::object& form, std::optional<TimePoint> now) {
  for (const auto& field : kFields) {
    if (field.kind == Kind::time) continue;
    if (field.required && !value_of(form, field)) continue;
    auto* group = field.object.empty() ? nullptr : form.if_contains(field.object);
    if (!field.object.empty() && (!group || !group->is_object())) continue;
    auto& value = group ? group->as_object()[field.name] : form[field.name];
    if (value.is_null() && field.kind == Kind::texts) value = json::array{};
  }
  const auto captured = get_string(form, "captured_at");
  if (captured) {
    if (const auto time = parse_iso(*captured)) form["captured_at"] = format_iso(*time);
  } else if (now) {
    form["captured_at"] = format_iso(*now);
  }
}

Result<void> check_intake(json::value& form, std::optional<TimePoint> now) {
  const auto problems = intake_problems(form, IntakeDemand::complete);
  if (!problems.empty()) {
    const auto& first = problems.front();
    if (first.loc.empty()) return fail(ErrorCode::ValidationFailed, first.msg);
    return fail(ErrorCode::ValidationFailed, fmt::format("Intake form, {}: {}.", dotted(first.loc), first.msg));
  }
  fill_intake_defaults(form.as_object(), now);
  return {};
}

}  // namespace planexe::engine
