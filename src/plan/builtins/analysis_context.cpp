#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "plan/builtins/analysis.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/iso4217.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

// Places of the interview that are not blank.
std::vector<std::string> intake_places(const BuiltinInput& in) {
  const json::value* form = analysis::intake(in);
  const json::value* geography = form == nullptr ? nullptr : find(*form, "geography");
  std::vector<std::string> places;
  if (geography == nullptr) return places;
  for (const json::value& place : list(*geography, "physical_locations")) {
    if (!place.is_string()) continue;
    if (std::string name = trim(std::string_view(place.get_string())); !name.empty()) places.push_back(std::move(name));
  }
  return places;
}

std::string place_source(const BuiltinInput& in) {
  const json::value& type = read(in, "plan_type.raw.plan_type");
  if (type.is_string() && type.get_string() == "digital") return "digital";
  if (analysis::digital_only(in)) return "digital";
  return intake_places(in).empty() ? "llm" : "intake";
}

json::object no_places(std::string_view summary, std::string_view source) {
  return {{"requirements_for_the_physical_locations", json::array{}},
          {"physical_locations", json::array{}},
          {"has_location_in_plan", false},
          {"location_summary", summary},
          {"source", source}};
}

json::object places_from_intake(const BuiltinInput& in) {
  json::array places;
  std::string names;
  for (const std::string& name : intake_places(in)) {
    places.push_back(json::object{{"item_index", places.size() + 1},
                                  {"physical_location_broad", name},
                                  {"physical_location_detailed", name},
                                  {"physical_location_specific", name},
                                  {"rationale_for_suggestion", "Named by the client in the interview."}});
    names += (names.empty() ? "" : "; ") + name;
  }
  return {{"requirements_for_the_physical_locations", json::array{}},
          {"physical_locations", std::move(places)},
          {"has_location_in_plan", true},
          {"location_summary", "The client named the places in the interview: " + names + "."},
          {"source", "intake"}};
}

json::object places_from_answer(const json::value& answer) {
  json::object raw = analysis::pick(answer, {"requirements_for_the_physical_locations"});
  json::array places;
  for (const json::value& place : list(answer, "physical_locations")) {
    json::object entry{{"item_index", places.size() + 1}};
    for (const std::string_view key : {"physical_location_broad", "physical_location_detailed",
                                       "physical_location_specific", "rationale_for_suggestion"}) {
      entry[key] = text(place, key);
    }
    places.push_back(std::move(entry));
  }
  raw["physical_locations"] = std::move(places);
  raw["has_location_in_plan"] = get_bool(answer, "has_location_in_plan").value_or(false);
  raw["location_summary"] = text(answer, "location_summary");
  raw["source"] = "llm";
  return raw;
}

// Every place that the client stated has to be among the items.
void check_stated_places(const json::value& limits, const json::array& places, std::vector<Finding>& findings) {
  if (!limits.is_array()) return;
  for (const json::value& limit : limits.get_array()) {
    if (text(limit, "kind") != "place") continue;
    const std::string name = analysis::first_text(limit, {"value", "quote"});
    const bool found = std::ranges::any_of(places, [&](const json::value& place) {
      return occurs_in(name, text(place, "physical_location_broad")) ||
             occurs_in(name, text(place, "physical_location_detailed")) ||
             occurs_in(name, text(place, "physical_location_specific"));
    });
    if (!found)
      findings.push_back({"stated_place", "physical_locations",
                          fmt::format("The place that the client named is not in the list: {}", name)});
  }
}

std::string intake_currency_text(const BuiltinInput& in) {
  const json::value* form = analysis::intake(in);
  const json::value* budget = form == nullptr ? nullptr : find(*form, "budget");
  return budget == nullptr ? std::string{} : trim(text(*budget, "currency"));
}

json::object currency_from_intake(const BuiltinInput& in, const std::string& code) {
  const json::value* budget = find(*analysis::intake(in), "budget");
  std::string total = trim(text(*budget, "estimated_total"));
  if (total.empty()) total = "not specified";
  json::array currencies{json::object{
      {"currency", code},
      {"consideration", fmt::format("Named by the client in the interview; estimated total: {}.", total)}}};
  return {
      {"money_involved", true},
      {"currency_list", std::move(currencies)},
      {"primary_currency", code},
      {"currency_strategy",
       fmt::format("All sums are budgeted, paid and reported in {}, as the client decided in the interview.", code)}};
}

bool lists_currency(const json::array& currencies, std::string_view code) {
  return std::ranges::any_of(currencies, [&](const json::value& entry) { return text(entry, "currency") == code; });
}

// Adds a currency that must be in the list, with the finding that says why it was missing.
void require_currency(json::array& currencies, const std::string& code, std::string_view reason,
                      std::vector<Finding>& findings) {
  if (code.empty() || lists_currency(currencies, code)) return;
  currencies.push_back(json::object{{"currency", code}, {"consideration", reason}});
  findings.push_back(
      {"currency_added", "currency_list", fmt::format("{} was missing from the list. {}", code, reason)});
}

// Currencies of the stated budgets.
std::vector<std::string> budget_currencies(const json::value& limits) {
  std::vector<std::string> codes;
  if (!limits.is_array()) return codes;
  for (const json::value& limit : limits.get_array()) {
    if (text(limit, "kind") != "budget") continue;
    for (const Amount& amount : amounts_in(analysis::first_text(limit, {"value", "quote"})))
      codes.push_back(amount.currency);
  }
  return codes;
}

}  // namespace

Result<BuiltinResult> physical_locations_origin(const BuiltinInput& in) {
  BuiltinResult result;
  result.answer = json::object{{"source", place_source(in)}};
  return result;
}

Result<BuiltinResult> physical_locations(const BuiltinInput& in) {
  BuiltinResult result;
  const std::string source = place_source(in);
  if (source == "digital") {
    const bool settled = analysis::digital_only(in);
    result.outputs["raw"] =
        no_places(settled ? "The client said in the interview that the project is digital only; no site is needed."
                          : "All steps of this plan can be done at an ordinary computer; no site is needed.",
                  source);
    result.skipped_reason = settled ? "from_intake" : "digital_plan";
    return result;
  }
  if (source == "intake") {
    result.outputs["raw"] = places_from_intake(in);
    result.skipped_reason = "from_intake";
    return result;
  }
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "suggest"));
  json::object raw = places_from_answer(answer);
  check_stated_places(read(in, "identify_purpose.raw.stated_limits"), raw["physical_locations"].get_array(),
                      result.findings);
  result.outputs["raw"] = std::move(raw);
  return result;
}

Result<BuiltinResult> currency_origin(const BuiltinInput& in) {
  const std::string code = currency_code_from(intake_currency_text(in));
  json::array codes;
  for (const std::string_view entry : currency_codes()) codes.push_back(json::value(std::string(entry)));
  BuiltinResult result;
  result.answer =
      json::object{{"source", code.empty() ? "llm" : "intake"}, {"currency", code}, {"codes", std::move(codes)}};
  return result;
}

Result<BuiltinResult> currency_strategy(const BuiltinInput& in) {
  BuiltinResult result;
  const std::string stated = intake_currency_text(in);
  if (const std::string code = currency_code_from(stated); !code.empty()) {
    result.outputs["raw"] = currency_from_intake(in, code);
    result.skipped_reason = "from_intake";
    return result;
  }
  if (!stated.empty())
    result.findings.push_back({"currency_unclear", "budget.currency",
                               fmt::format("No single currency is meant by \"{}\"; the model was asked.", stated)});
  PLANEXE_TRY_ASSIGN(const json::value answer, analysis::need_answer(in, "pick"));
  json::object raw = answer.get_object();
  json::array currencies = list(answer, "currency_list");
  for (const std::string& code : budget_currencies(read(in, "identify_purpose.raw.stated_limits"))) {
    require_currency(currencies, code, "The client states a budget in it.", result.findings);
  }
  require_currency(currencies, text(answer, "primary_currency"), "Budget and reports are kept in it.", result.findings);
  raw["currency_list"] = std::move(currencies);
  result.outputs["raw"] = std::move(raw);
  return result;
}

}  // namespace planexe::plan
