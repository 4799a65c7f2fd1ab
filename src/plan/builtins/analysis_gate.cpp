#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

using analysis::need_answer;

json::array violation_rows(const json::value& raw) {
  json::array rows;
  const auto add = [&](std::string_view label, std::string value) {
    if (!value.empty()) rows.push_back(json::object{{"label", label}, {"value", value}});
  };
  add("Category", text(raw, "violation_category"));
  add("Claim", text(raw, "violation_claim"));
  if (const auto uplift = get_bool(raw, "violation_capability_uplift"))
    add("Capability Uplift", *uplift ? "Yes" : "No");
  add("Severity", text(raw, "violation_severity"));
  return rows;
}

// Range [min, max] of a lens for one of its lists; lenses.toml has them.
bool within(const json::value& lens, std::string_view key, std::size_t count) {
  const json::array& range = list(lens, key);
  if (range.size() != 2) return true;
  const auto low = as_int(range[0]);
  const auto high = as_int(range[1]);
  return !low || !high || (static_cast<std::int64_t>(count) >= *low && static_cast<std::int64_t>(count) <= *high);
}

void check_lens(const json::value& lens, const json::value& answer, std::size_t position,
                std::vector<Finding>& findings) {
  struct Field {
    std::string_view range, answer;
  };
  for (const Field field :
       {Field{"reasons", "reasons"}, Field{"effects", "second_order_effects"}, Field{"evidence", "evidence"}}) {
    const std::size_t count = list(answer, field.answer).size();
    if (within(lens, field.range, count)) continue;
    findings.push_back(
        {"count", fmt::format("response_list[{}].{}", position, field.answer),
         fmt::format("The {} critic gave {} entries, outside the range asked for.", text(lens, "name"), count)});
  }
  const std::string thesis = text(answer, "core_thesis");
  if (get_bool(lens, "prefix").value_or(false) && !thesis.starts_with('[')) {
    findings.push_back(
        {"prefix", fmt::format("response_list[{}].core_thesis", position),
         fmt::format("The {} critic does not say whether the flaw is moral or strategic.", text(lens, "name"))});
  }
}

json::object lens_header(const json::value& item) {
  const json::value* element = find(item, "element");
  json::object header;
  header["number"] = find(item, "number") != nullptr ? *find(item, "number") : json::value(0);
  header["name"] = element == nullptr ? std::string{} : text(*element, "name");
  header["tagline"] = element == nullptr ? std::string{} : text(*element, "tagline");
  return header;
}

}  // namespace

Result<BuiltinResult> redline_gate(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(json::value raw, need_answer(in));
  const std::string verdict = text(raw, "verdict");
  const bool refused = verdict == "REFUSE";
  if (!refused) {
    raw.get_object()["violation_category"] = nullptr;
    raw.get_object()["violation_claim"] = nullptr;
    raw.get_object()["violation_capability_uplift"] = false;
    raw.get_object()["violation_severity"] = nullptr;
  }
  BuiltinResult result;
  result.view = json::object{{"verdict", replace_all(verdict, "_", " ")},
                             {"rows", refused ? violation_rows(raw) : json::array{}}};
  result.outputs["raw"] = std::move(raw);
  return result;
}

Result<BuiltinResult> premise_attack(const BuiltinInput& in) {
  BuiltinResult result;
  json::array responses;
  json::array lenses;
  for (const json::value& item : step_items(in)) {
    json::object header = lens_header(item);
    const std::string state = text(item, "state");
    const json::value* answer = find(item, "answer");
    if (state == "done" && answer != nullptr && answer->is_object()) {
      json::object response{{"lens", header["name"]}, {"number", header["number"]}};
      for (const auto& member : answer->get_object()) response[member.key()] = member.value();
      if (const json::value* element = find(item, "element"))
        check_lens(*element, *answer, responses.size(), result.findings);
      for (const auto& member : answer->get_object()) header[member.key()] = member.value();
      header["gap"] = "";
      responses.push_back(std::move(response));
    } else {
      const bool skipped = state == "skipped";
      header["gap"] = skipped ? "This critic was left out in this speed mode." : "This critic gave no usable answer.";
      result.degraded = result.degraded || !skipped;
    }
    lenses.push_back(std::move(header));
  }
  if (responses.empty()) return fail(ErrorCode::TaskFailed, "No critic of the premise gave an answer; retry the task.");
  result.view = json::object{{"lenses", std::move(lenses)}};
  result.outputs["raw"] = json::object{{"response_list", std::move(responses)}};
  return result;
}

Result<BuiltinResult> identify_purpose(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(json::value raw, need_answer(in));
  const std::string request = analysis::prompt(in);
  BuiltinResult result;
  json::array kept;
  for (const json::value& limit : list(raw, "stated_limits")) {
    const std::string quote = text(limit, "quote");
    if (occurs_in(quote, request)) {
      kept.push_back(limit);
    } else {
      result.findings.push_back(
          {"quoted", "stated_limits", fmt::format("Limit left out, its words are not in the request: \"{}\"", quote)});
    }
  }
  raw.get_object()["stated_limits"] = std::move(kept);
  result.outputs["raw"] = std::move(raw);
  return result;
}

Result<BuiltinResult> plan_type_origin(const BuiltinInput& in) {
  BuiltinResult result;
  result.answer = json::object{{"settled", analysis::digital_only(in)}};
  return result;
}

Result<BuiltinResult> plan_type(const BuiltinInput& in) {
  BuiltinResult result;
  if (analysis::digital_only(in)) {
    result.outputs["raw"] =
        json::object{{"explanation", "The client said in the interview that the project is digital only."},
                     {"plan_type", "digital"}};
    result.skipped_reason = "from_intake";
    return result;
  }
  PLANEXE_TRY_ASSIGN(json::value raw, need_answer(in));
  result.outputs["raw"] = std::move(raw);
  return result;
}

}  // namespace planexe::plan
