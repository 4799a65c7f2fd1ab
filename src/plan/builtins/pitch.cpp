#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

struct Section {
  std::string_view field;
  std::string_view heading;
};

constexpr std::array<Section, 10> kPitchSections{{{"pitch", "Pitch"},
                                                  {"why_this_pitch_works", "Why This Pitch Works"},
                                                  {"target_audience", "Target Audience"},
                                                  {"call_to_action", "Call to Action"},
                                                  {"risks_and_mitigation", "Risks and Mitigation"},
                                                  {"metrics_for_success", "Metrics for Success"},
                                                  {"stakeholder_benefits", "Stakeholder Benefits"},
                                                  {"ethical_considerations", "Ethical Considerations"},
                                                  {"collaboration_opportunities", "Collaboration Opportunities"},
                                                  {"long_term_vision", "Long-Term Vision"}}};

/// Counts up to twelve are language ("three steps"), not figures that need a source.
bool needs_source(const std::string& number) {
  if (number.find('.') != std::string::npos) return true;
  if (number.size() > 2) return true;
  const bool digits = std::ranges::all_of(number, [](unsigned char c) { return std::isdigit(c) != 0; });
  return digits && !number.empty() && std::stoi(number) > 12;
}

void collect(const json::value& value, std::set<std::string>& numbers) {
  if (value.is_string()) {
    for (std::string& number : numbers_in(std::string_view(value.get_string()))) numbers.insert(std::move(number));
  } else if (value.is_array()) {
    for (const json::value& entry : value.get_array()) collect(entry, numbers);
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) collect(member.value(), numbers);
  } else if (value.is_number()) {
    collect(json::value(to_json(value)), numbers);
  }
}

/// Figures of the text that stand neither in the request nor in anything that was read.
void check_figures(const BuiltinInput& in, const json::value& answer, BuiltinResult& result) {
  std::set<std::string> known;
  for (const std::string_view key : {"prompt", "intake"})
    if (const json::value* value = in.plan.if_contains(key)) collect(*value, known);
  for (const auto& member : in.reads) collect(member.value(), known);
  if (!answer.is_object()) return;
  for (const auto& member : answer.get_object()) {
    if (!member.value().is_string()) continue;
    std::set<std::string> told;
    for (const std::string& number : numbers_in(std::string_view(member.value().get_string())))
      if (needs_source(number) && !known.contains(number) && told.insert(number).second)
        documents::note(result, "figure_without_source", std::string(member.key()),
                        fmt::format("The figure {} stands in no document of the plan.", number));
  }
}

Result<BuiltinResult> checked_figures(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, fmt::format("{} has no answer to finish", in.task_key));
  BuiltinResult result;
  check_figures(in, *answer, result);
  return result;
}

}  // namespace

Result<BuiltinResult> finish_pitch(const BuiltinInput& in) { return checked_figures(in); }

Result<BuiltinResult> finish_executive_summary(const BuiltinInput& in) { return checked_figures(in); }

Result<BuiltinResult> finish_pitch_document(const BuiltinInput& in) {
  const json::value& pitch = read(in, "create_pitch.raw");
  json::array sections;
  for (const Section& section : kPitchSections) {
    const std::string body = trim(text(pitch, section.field));
    if (!body.empty())
      sections.push_back(json::object{{"field", section.field}, {"heading", section.heading}, {"text", body}});
  }
  if (sections.empty()) return fail(ErrorCode::TaskFailed, "Pitch document: the pitch has no text.");
  const std::string title = trim(text(in.plan, "title"));
  BuiltinResult result;
  result.outputs["raw"] = json::object{{"source", "020-1-pitch_raw.json"}, {"sections", sections}};
  result.view =
      json::object{{"title", title.empty() ? std::string("Pitch") : title}, {"sections", std::move(sections)}};
  return result;
}

}  // namespace planexe::plan
