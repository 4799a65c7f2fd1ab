#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

struct Area {
  std::string_view key;
  std::string_view label;
};

// The eleven areas of the sweep; the keys are the enum of sweep.schema.json.
constexpr auto kAreas = std::to_array<Area>({
    {"money", "Money"},
    {"technology", "Technology"},
    {"law_permits", "Law and permits"},
    {"environment", "Environment"},
    {"people", "People"},
    {"operations", "Operations"},
    {"suppliers", "Suppliers"},
    {"security", "Security"},
    {"integration", "Integration"},
    {"market", "Market"},
    {"upkeep", "Upkeep"},
});

std::string area_label(std::string_view key) {
  const auto area = std::ranges::find(kAreas, key, &Area::key);
  return std::string(area == kAreas.end() ? key : area->label);
}

void collect_areas(const json::value& answer, std::set<std::string>& seen) {
  for (const std::string_view field : {"risks", "areas_without_risk"}) {
    for (const json::value& entry : list(answer, field)) seen.insert(text(entry, "area"));
  }
}

std::string capitalised(std::string value) {
  if (!value.empty() && value.front() >= 'a' && value.front() <= 'z')
    value.front() = static_cast<char>(value.front() - 'a' + 'A');
  return value;
}

json::object risk_view(const json::value& risk) {
  const std::string title = text(risk, "title");
  const std::string area = text(risk, "risk_area");
  return {{"heading", title.empty() || area.empty() ? area + title : area + ": " + title},
          {"risk_description", text(risk, "risk_description")},
          {"potential_impact", text(risk, "potential_impact")},
          {"likelihood", capitalised(text(risk, "likelihood"))},
          {"severity", capitalised(text(risk, "severity"))},
          {"action", text(risk, "action")}};
}

// Sums in another currency than the plan's: a sign that the model slipped.
void check_currency(const json::value& risk, std::size_t position, std::string_view primary,
                    std::vector<Finding>& findings) {
  for (const std::string_view field : {"potential_impact", "action"}) {
    for (const Amount& amount : amounts_in(text(risk, field))) {
      if (amount.currency == primary) continue;
      findings.push_back({"currency_drift", fmt::format("risks[{}].{}", position, field),
                          fmt::format("R{} names a sum in {} although the plan is kept in {}.", position + 1,
                                      amount.currency, primary)});
      break;
    }
  }
}

void check_quantified(const json::value& risk, std::size_t position, std::vector<Finding>& findings) {
  if (!numbers_in(text(risk, "potential_impact")).empty()) return;
  findings.push_back({"no_figure", fmt::format("risks[{}].potential_impact", position),
                      fmt::format("R{} gives no figure for its impact.", position + 1)});
}

// Appends the risks of one answer that are not in the register yet.
void append_risks(const json::value& answer, json::array& risks, std::set<std::string>& titles,
                  std::vector<Finding>& findings) {
  for (const json::value& risk : list(answer, "risks")) {
    const std::string title = normalize_name(text(risk, "title"));
    if (!title.empty() && !titles.insert(title).second) {
      findings.push_back({"duplicate", "risks", "Left out, the title is taken: " + text(risk, "title")});
      continue;
    }
    json::object entry{{"risk_id", fmt::format("R{}", risks.size() + 1)}};
    if (risk.is_object()) {
      for (const auto& member : risk.get_object()) entry[member.key()] = member.value();
    }
    risks.push_back(std::move(entry));
  }
}

}  // namespace

Result<BuiltinResult> risk_area_gaps(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "sweep"));
  std::set<std::string> seen;
  collect_areas(answer, seen);
  json::array missing;
  for (const Area& area : kAreas) {
    if (!seen.contains(std::string(area.key))) missing.push_back(json::value(std::string(area.key)));
  }
  BuiltinResult result;
  result.answer = json::object{{"missing", std::move(missing)}};
  return result;
}

Result<BuiltinResult> identify_risks(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "sweep"));
  const json::value* more = step_answer(in, "more");
  BuiltinResult result;
  json::array risks;
  std::set<std::string> titles;
  std::set<std::string> seen;
  json::array without = list(answer, "areas_without_risk");
  append_risks(answer, risks, titles, result.findings);
  collect_areas(answer, seen);
  if (more != nullptr) {
    append_risks(*more, risks, titles, result.findings);
    collect_areas(*more, seen);
    for (const json::value& entry : list(*more, "areas_without_risk")) without.push_back(entry);
  }
  for (const Area& area : kAreas) {
    if (!seen.contains(std::string(area.key)))
      result.findings.push_back(
          {"area_open", "risks", fmt::format("Nothing is said about the area \"{}\".", area.label)});
  }
  const json::value& primary = read(in, "currency_strategy.raw.primary_currency");
  json::array views;
  for (std::size_t i = 0; i < risks.size(); ++i) {
    if (primary.is_string()) check_currency(risks[i], i, std::string_view(primary.get_string()), result.findings);
    check_quantified(risks[i], i, result.findings);
    views.push_back(risk_view(risks[i]));
  }
  json::array empty_areas;
  for (const json::value& entry : without)
    empty_areas.push_back(json::object{{"label", area_label(text(entry, "area"))}, {"reason", text(entry, "reason")}});
  result.view = json::object{{"risks", std::move(views)},
                             {"summary", text(answer, "risk_assessment_summary")},
                             {"areas_without_risk", std::move(empty_areas)}};
  result.outputs["raw"] = json::object{{"risks", std::move(risks)},
                                       {"areas_without_risk", std::move(without)},
                                       {"risk_assessment_summary", text(answer, "risk_assessment_summary")}};
  return result;
}

}  // namespace planexe::plan
