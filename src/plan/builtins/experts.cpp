#include <fmt/format.h>

#include <array>
#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/execution.hpp"

namespace planexe::plan {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kExpertFields{
    {{"title", "expert_title"},
     {"knowledge", "expert_knowledge"},
     {"why", "expert_why"},
     {"what", "expert_what"},
     {"skills", "expert_relevant_skills"},
     {"search_query", "expert_search_query"}}};

/// The feedback of an expert is numbered from here: 1 to 3 are the two lists of actions and the consultation.
constexpr std::size_t kFirstIssueNumber = 4;

json::array strings(const json::value& object, std::string_view key) {
  json::array texts;
  for (const json::value& entry : list(object, key))
    if (entry.is_string()) texts.push_back(entry);
  return texts;
}

/// Members that templates may name, all present, whatever an imported expert lacks.
json::object expert_view(const json::value& expert, std::size_t number) {
  json::object view{{"number", number}};
  for (const auto& [name, _] : kExpertFields) view[name] = text(expert, name);
  return view;
}

json::array issue_views(const json::value& answer) {
  json::array issues;
  for (const json::value& issue : list(answer, "negative_feedback_list"))
    issues.push_back(json::object{{"number", kFirstIssueNumber + issues.size()},
                                  {"title", text(issue, "feedback_title")},
                                  {"verbose", text(issue, "feedback_verbose")},
                                  {"tags", strings(issue, "feedback_problem_tags")},
                                  {"mitigation", text(issue, "feedback_mitigation")},
                                  {"consequence", text(issue, "feedback_consequence")},
                                  {"root_cause", text(issue, "feedback_root_cause")}});
  return issues;
}

json::object reviewed_view(const json::value& expert, std::size_t number, const json::value& answer) {
  json::object view = expert_view(expert, number);
  view["primary_actions"] = strings(answer, "user_primary_actions");
  view["secondary_actions"] = strings(answer, "user_secondary_actions");
  view["follow_up"] = text(answer, "follow_up_consultation");
  view["issues"] = issue_views(answer);
  return view;
}

json::object stored_review(const json::value& expert, const json::value& answer) {
  json::object stored = answer.get_object();
  stored["expert_ref"] = text(expert, "ref");
  stored["expert_id"] = text(expert, "id");
  stored["expert_title"] = text(expert, "title");
  return stored;
}

/// True when both have the field and agree in it.
bool same(const json::value& a, const json::value& b, std::string_view field) {
  const std::string value = text(a, field);
  return !value.empty() && value == text(b, field);
}

/// The unit that reviewed for this expert; imported experts have an id only.
const json::value* review_of(const json::array& items, const json::value& expert) {
  const std::string ref = text(expert, "ref");
  for (const json::value& item : items) {
    const json::value* element = find(item, "element");
    if (!ref.empty() && text(item, "key") == ref) return &item;
    if (element != nullptr && (same(*element, expert, "ref") || same(*element, expert, "id"))) return &item;
  }
  return nullptr;
}

const json::value* answer_of(const json::value* item) {
  if (item == nullptr || text(*item, "state") != "done") return nullptr;
  const json::value* answer = find(*item, "answer");
  return answer != nullptr && answer->is_object() ? answer : nullptr;
}

std::string silence(const json::value* item) {
  return item != nullptr && text(*item, "state") == "missing" ? "the review could not be obtained"
                                                              : "not asked in this speed mode";
}

}  // namespace

Result<BuiltinResult> step_expert_panel(const BuiltinInput& in) {
  const json::value* answer = step_answer(in, "find");
  if (answer == nullptr) return fail(ErrorCode::Internal, "expert_review has no experts to number");
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  json::array panel;
  std::set<std::string> titles;
  for (const json::value& expert : list(*answer, "experts")) {
    const std::string title = trim(text(expert, "expert_title"));
    if (title.empty()) continue;
    if (!titles.insert(normalize_name(title)).second) {
      result.findings.push_back(
          {"duplicate_expert", "experts", fmt::format("\"{}\" was named twice and is kept once.", title)});
      continue;
    }
    json::object entry{{"id", mint.next("", title)}, {"ref", fmt::format("E{}", panel.size() + 1)}};
    for (const auto& [name, field] : kExpertFields) entry[name] = text(expert, field);
    panel.push_back(std::move(entry));
  }
  if (panel.empty()) return fail(ErrorCode::Internal, "expert_review: the answer names no expert");
  result.answer = json::object{{"experts", std::move(panel)}};
  return result;
}

Result<BuiltinResult> finish_expert_review(const BuiltinInput& in) {
  const json::value* panel = step_answer(in, "panel");
  if (panel == nullptr) return fail(ErrorCode::Internal, "expert_review has no panel to finish");
  const json::array& items = step_items(in, "review");
  BuiltinResult result;
  json::array raw;
  json::array reviewed;
  json::array silent;
  std::size_t number = 0;
  for (const json::value& expert : list(*panel, "experts")) {
    ++number;
    const json::value* item = review_of(items, expert);
    if (const json::value* answer = answer_of(item)) {
      raw.push_back(stored_review(expert, *answer));
      reviewed.push_back(reviewed_view(expert, number, *answer));
      continue;
    }
    raw.emplace_back(nullptr);  // the number of this expert's file stays free
    result.degraded = result.degraded || (item != nullptr && text(*item, "state") == "missing");
    json::object view = expert_view(expert, number);
    view["reason"] = silence(item);
    silent.push_back(std::move(view));
  }
  if (const json::value* found = step_answer(in, "find")) result.outputs["experts_raw"] = *found;
  result.outputs["experts"] = list(*panel, "experts");
  result.outputs["raw"] = std::move(raw);
  result.view = json::object{{"reviewed", std::move(reviewed)}, {"silent", std::move(silent)}};
  return result;
}

}  // namespace planexe::plan
