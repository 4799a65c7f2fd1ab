#include <fmt/format.h>

#include <array>
#include <set>
#include <span>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"

namespace planexe::plan {
namespace {

/// One field of an enrichment: its name in the answer and in the stored list.
struct EnrichedField {
  std::string_view answer;
  std::string_view clean;
};

std::map<std::int64_t, const json::value*> by_id(const json::value& members) {
  std::map<std::int64_t, const json::value*> index;
  if (!members.is_array()) return index;
  for (const json::value& member : members.get_array())
    if (const auto id = get_int(member, "id")) index.emplace(*id, &member);
  return index;
}

/// Answers by role id; the first of several counts.
std::map<std::int64_t, const json::value*> answers_by_id(const json::array& answers,
                                                         const std::set<std::int64_t>& known,
                                                         std::vector<Finding>& findings) {
  std::map<std::int64_t, const json::value*> index;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string path = fmt::format("team_members[{}].id", i);
    const auto id = get_int(answers[i], "id");
    if (!id || !known.contains(*id)) {
      findings.push_back({"unknown_id", path, "An answer belongs to no role of the team and was left out."});
    } else if (!index.emplace(*id, &answers[i]).second) {
      findings.push_back(
          {"duplicate_id", path, fmt::format("Role {} was answered twice; the first answer counts.", *id)});
    }
  }
  return index;
}

Result<BuiltinResult> enrich(const BuiltinInput& in, std::span<const EnrichedField> fields) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, in.task_key + " has no answer to finish");
  const json::value& members = read(in, "find_team_members.clean");
  if (!members.is_array()) return fail(ErrorCode::Internal, in.task_key + " did not get the list of roles");

  BuiltinResult result;
  std::set<std::int64_t> known;
  for (const auto& [id, member] : by_id(members)) known.insert(id);
  const auto answers = answers_by_id(list(*answer, "team_members"), known, result.findings);
  json::array clean;
  for (const json::value& member : members.get_array()) {
    if (!member.is_object()) continue;
    json::object enriched = member.get_object();
    const auto found = answers.find(get_int(member, "id").value_or(-1));
    if (found == answers.end()) {
      result.degraded = true;
      result.findings.push_back(
          {"missing_role", "team_members", fmt::format("No answer for \"{}\".", text(member, "category"))});
    } else {
      for (const EnrichedField& field : fields) enriched[field.clean] = text(*found->second, field.answer);
    }
    clean.push_back(std::move(enriched));
  }
  result.outputs["clean"] = std::move(clean);
  return result;
}

json::array review_entries(const json::value& review, std::string_view key) {
  json::array entries;
  for (const json::value& entry : list(review, key))
    entries.push_back(json::object{{"issue", text(entry, "issue")},
                                   {"explanation", text(entry, "explanation")},
                                   {"recommendation", text(entry, "recommendation")}});
  return entries;
}

constexpr std::array<std::string_view, 10> kMemberFields{
    "category",        "contract_type", "contract_type_justification", "explanation",
    "consequences",    "count",         "typical_job_activities",      "background_story",
    "equipment_needs", "facility_needs"};

}  // namespace

Result<BuiltinResult> finish_find_team_members(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "find_team_members has no answer to finish");
  BuiltinResult result;
  json::array clean;
  std::set<std::string> titles;
  for (const json::value& role : list(*answer, "brainstorm_of_needed_team_members")) {
    const std::string title = trim(text(role, "job_category_title"));
    if (title.empty()) continue;
    if (!titles.insert(normalize_name(title)).second) {
      result.findings.push_back({"duplicate_role", "brainstorm_of_needed_team_members",
                                 fmt::format("\"{}\" was named twice and is kept once.", title)});
      continue;
    }
    json::object member{{"id", clean.size() + 1},
                        {"category", title},
                        {"explanation", text(role, "short_explanation")},
                        {"consequences", text(role, "consequences_of_not_having_this_role")},
                        {"count", text(role, "people_needed")}};
    if (const auto least = get_int(role, "people_min")) member["people_min"] = *least;
    if (const auto most = get_int(role, "people_max")) member["people_max"] = *most;
    clean.push_back(std::move(member));
  }
  if (clean.empty()) return fail(ErrorCode::Internal, "find_team_members: the answer names no role");
  result.outputs["clean"] = std::move(clean);
  return result;
}

Result<BuiltinResult> finish_enrich_contract_type(const BuiltinInput& in) {
  static constexpr std::array<EnrichedField, 2> fields{
      {{"contract_type", "contract_type"}, {"justification", "contract_type_justification"}}};
  return enrich(in, fields);
}

Result<BuiltinResult> finish_enrich_background_story(const BuiltinInput& in) {
  static constexpr std::array<EnrichedField, 2> fields{
      {{"typical_job_activities", "typical_job_activities"}, {"job_background_story_of_employee", "background_story"}}};
  return enrich(in, fields);
}

Result<BuiltinResult> finish_enrich_environment_info(const BuiltinInput& in) {
  static constexpr std::array<EnrichedField, 2> fields{
      {{"equipment_needs", "equipment_needs"}, {"facility_needs", "facility_needs"}}};
  return enrich(in, fields);
}

Result<BuiltinResult> finish_team_markdown(const BuiltinInput& in) {
  const json::value& roles = read(in, "find_team_members.clean");
  if (!roles.is_array()) return fail(ErrorCode::Internal, "team_markdown did not get the list of roles");
  const auto contracts = by_id(read(in, "enrich_team_members_with_contract_type.clean"));
  const auto stories = by_id(read(in, "enrich_team_members_with_background_story.clean"));
  const auto needs = by_id(read(in, "enrich_team_members_with_environment_info.clean"));

  json::array members;
  for (const json::value& role : roles.get_array()) {
    const auto id = get_int(role, "id");
    json::object member{{"number", members.size() + 1}};
    for (const std::string_view field : kMemberFields) {
      std::string value = text(role, field);
      for (const auto* list : {&contracts, &stories, &needs}) {
        if (!value.empty() || !id) break;
        if (const auto found = list->find(*id); found != list->end()) value = text(*found->second, field);
      }
      member[field] = value;
    }
    members.push_back(std::move(member));
  }
  const json::value& review = read(in, "review_team.raw");
  BuiltinResult result;
  result.view = json::object{{"members", std::move(members)},
                             {"reviewed", review.is_object()},
                             {"omissions", review_entries(review, "omissions")},
                             {"improvements", review_entries(review, "potential_improvements")}};
  return result;
}

}  // namespace planexe::plan
