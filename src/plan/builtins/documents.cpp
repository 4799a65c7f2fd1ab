#include "plan/builtins/documents.hpp"

#include <fmt/format.h>

#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/builtins/groups.hpp"

namespace planexe::plan {
namespace documents {

const json::value* done_answer(const json::value& item) {
  if (text(item, "state") != "done") return nullptr;
  const json::value* answer = find(item, "answer");
  return answer != nullptr && answer->is_object() ? answer : nullptr;
}

bool is_fast(const BuiltinInput& in) { return text(in.plan, "speed").starts_with("fast"); }

std::string gap_sentence(std::string_view what, const json::value& item) {
  if (text(item, "state") == "skipped") return fmt::format("{}: left out in the chosen speed mode.", what);
  return fmt::format("{}: missing, the question got no usable answer.", what);
}

Result<Wbs> tree_of(const BuiltinInput& in) {
  for (const auto& member : in.reads)
    if (member.value().is_object()) return wbs_from_json(member.value());
  return fail(ErrorCode::Internal, fmt::format("{}: the work breakdown was not handed over", in.task_key));
}

json::array texts_of(const json::value& object, std::string_view key) {
  json::array texts;
  for (const json::value& entry : list(object, key))
    if (entry.is_string()) texts.push_back(entry);
  return texts;
}

void note(BuiltinResult& result, std::string rule, std::string path, std::string message) {
  result.findings.push_back({std::move(rule), std::move(path), std::move(message)});
}

}  // namespace documents

void register_documents(BuiltinMap& map) {
  map["wbs_level1"] = finish_wbs_level1;
  map["wbs_level2"] = finish_wbs_level2;
  map["wbs_leaves"] = step_wbs_leaves;
  map["wbs_level3"] = finish_wbs_level3;
  map["duration_nodes"] = step_duration_nodes;
  map["task_durations"] = finish_task_durations;
  map["dependency_groups"] = step_dependency_groups;
  map["isolated_phases"] = step_isolated_phases;
  map["task_dependencies"] = finish_task_dependencies;
  map["identify_documents"] = finish_identify_documents;
  map["filter_documents_to_find"] = finish_filter_documents_to_find;
  map["filter_documents_to_create"] = finish_filter_documents_to_create;
  map["draft_documents"] = finish_draft_documents;
  map["pitch"] = finish_pitch;
  map["executive_summary"] = finish_executive_summary;
  map["pitch_document"] = finish_pitch_document;
  map["review_doubles"] = step_review_doubles;
  map["review_plan"] = finish_review_plan;
  map["questions_and_answers"] = finish_questions_and_answers;
  map["premortem"] = finish_premortem;
}

}  // namespace planexe::plan
