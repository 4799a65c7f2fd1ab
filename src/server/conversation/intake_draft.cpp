#include "server/conversation/intake_draft.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "engine/intake_form.hpp"
#include "server/conversation/intake_schema.hpp"
#include "server/conversation/limits.hpp"

namespace planexe::server {
namespace {

struct Fact {
  std::string_view label, object, name;
};

/// In the order of a plan's prompt: what is wanted, the means, the limits, the people, what is open.
constexpr std::array kFacts{
    Fact{"objective", "", "refined_objective"},
    Fact{"domain", "", "domain"},
    Fact{"scale", "", "scale"},
    Fact{"budget", "budget", "estimated_total"},
    Fact{"currency", "budget", "currency"},
    Fact{"funding_sources", "budget", "funding_sources"},
    Fact{"target_completion", "timeline", "target_completion"},
    Fact{"key_milestones", "timeline", "key_milestones"},
    Fact{"urgency", "timeline", "urgency"},
    Fact{"digital_only", "geography", "is_digital_only"},
    Fact{"physical_locations", "geography", "physical_locations"},
    Fact{"geography_notes", "geography", "notes"},
    Fact{"team_size", "", "team_size"},
    Fact{"existing_resources", "", "existing_resources"},
    Fact{"hard_constraints", "", "hard_constraints"},
    Fact{"success_criteria", "", "success_criteria"},
    Fact{"risk_tolerance", "", "risk_tolerance"},
    Fact{"key_stakeholders", "", "key_stakeholders"},
    Fact{"regulatory_context", "", "regulatory_context"},
    Fact{"open_points", "", "areas_needing_clarification"},
    Fact{"summary", "", "conversation_summary"},
};

const json::object& labels_of(std::string_view language) {
  static const json::value all = [] {
    const auto* file = embedded::find("server_intake", "labels.json");
    PLANEXE_ASSERT(file != nullptr);
    auto parsed = parse_json(file->bytes);
    PLANEXE_ASSERT(parsed.has_value());
    return *std::move(parsed);
  }();
  const auto code = normalize_name(language.substr(0, language.find_first_of("-_")));
  const auto* labels = get_object(all, code);
  return labels ? *labels : *get_object(all, "en");
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const auto part : split_lines(text)) {
    const auto words = trim(part);
    if (!line.empty() && !words.empty()) line += ' ';
    line += words;
  }
  return line;
}

/// Text of one fact; "" when nothing is known. Choices are said in the language of the labels.
std::string fact_text(const json::value& value, const json::object& labels) {
  if (value.is_bool()) return value.get_bool() ? std::string(get_string(labels, "yes").value_or("yes")) : "";
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    return one_line(get_string(labels, text).value_or(text));
  }
  std::string list;
  if (value.is_array())
    for (const auto& element : value.get_array()) {
      if (!element.is_string()) continue;
      if (!list.empty()) list += "; ";
      list += one_line(element.get_string());
    }
  return list;
}

}  // namespace

json::value IntakeDraft::to_json() const { return json::object{{"turn", turn}, {"language", language}, {"form", form}}; }

std::optional<IntakeDraft> IntakeDraft::from_json(const json::value& stored) {
  const auto* form = get_object(stored, "form");
  if (!form) return std::nullopt;
  IntakeDraft draft;
  draft.turn = static_cast<int>(get_int(stored, "turn").value_or(0));
  draft.language = get_string(stored, "language").value_or("");
  draft.form = *form;
  return draft;
}

IntakeDraft make_draft(const json::value& judged, int turn, std::string_view first_prompt, TimePoint now) {
  IntakeDraft draft;
  draft.turn = turn;
  draft.language = get_string(judged, "language").value_or("");
  if (const auto* form = get_object(judged, "form")) draft.form = *form;
  draft.form["original_prompt"] = first_prompt;
  draft.form["captured_at"] = format_iso(now);
  return draft;
}

bool same_form(const json::object& a, const json::object& b) {
  const auto bare = [](json::object form) {
    form.erase("captured_at");
    return canonical_json(form);
  };
  return bare(a) == bare(b);
}

json::value complete_form(const std::optional<IntakeDraft>& draft) {
  if (!draft) return nullptr;
  json::value form(draft->form);
  if (!engine::check_intake(form)) return nullptr;
  return form;
}

json::array missing_fields(const std::optional<IntakeDraft>& draft) {
  json::array missing;
  for (auto& name : engine::missing_intake_fields(draft ? json::value(draft->form) : json::value(nullptr)))
    missing.emplace_back(std::move(name));
  return missing;
}

std::string enriched_prompt(std::string_view first_prompt, const std::optional<IntakeDraft>& draft) {
  std::string prompt(first_prompt);
  if (!draft) return prompt;
  const auto& labels = labels_of(draft->language);
  auto room = limits::kEnrichedPromptCharsMax - std::min(limits::kEnrichedPromptCharsMax, code_points(prompt));
  bool first = true;
  for (const auto& fact : kFacts) {
    const auto* object = fact.object.empty() ? &draft->form : get_object(draft->form, fact.object);
    const auto* value = object ? find(*object, fact.name) : nullptr;
    const auto text = value ? fact_text(*value, labels) : std::string();
    if (text.empty()) continue;
    const auto line = fmt::format("{}- {}: {}", first ? "\n\n" : "\n", get_string(labels, fact.label).value_or(fact.label), text);
    const auto length = code_points(line);
    if (length > room) break;
    room -= length;
    prompt += line;
    first = false;
  }
  return prompt;
}

}  // namespace planexe::server
