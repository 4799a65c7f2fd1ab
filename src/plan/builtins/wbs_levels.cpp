#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"

namespace planexe::plan {
namespace {

using documents::note;

/// Above this a breakdown is no longer read as one; real plans have 20 to 51 tasks.
constexpr std::size_t kTasksReadable = 50;

/// The tasks of one answered phase; tasks without a title or with one used before are left out with a finding.
json::array tasks_of(const json::value& phase, std::string_view phase_id, std::size_t phase_number, IdMint& mint,
                     std::set<std::string>& titles, BuiltinResult& result) {
  json::array tasks;
  for (const json::value& entry : list(phase, "subtasks")) {
    const std::string title = trim(text(entry, "subtask_title"));
    if (title.empty()) continue;
    if (!titles.insert(normalize_name(title)).second) {
      note(result, "duplicate_task", fmt::format("phase {}", phase_number),
           fmt::format("\"{}\" stood in the breakdown twice and is kept once.", title));
      continue;
    }
    tasks.push_back(json::object{{"id", mint.next(phase_id, title)},
                                 {"ref", fmt::format("{}.{}", phase_number, tasks.size() + 1)},
                                 {"description", title}});
  }
  return tasks;
}

void check_size(const json::array& phases, BuiltinResult& result) {
  std::size_t tasks = 0;
  for (const json::value& phase : phases) tasks += list(phase, "subtasks").size();
  if (tasks > kTasksReadable)
    note(result, "task_count", "major_phase_details",
         fmt::format("The breakdown has {} tasks; above {} it is hard to read.", tasks, kTasksReadable));
}

/// "before" and "after" name the neighbours inside the phase; "" at its ends.
json::object leaf_of(const WbsNode& phase, std::size_t position) {
  const WbsNode& task = phase.children[position];
  const auto title = [&](std::size_t i) { return i < phase.children.size() ? phase.children[i].title : std::string(); };
  return {{"ref", task.ref},
          {"title", task.title},
          {"phase_ref", phase.ref},
          {"phase_title", phase.title},
          {"before", position == 0 ? std::string() : title(position - 1)},
          {"after", title(position + 1)}};
}

std::map<std::string, std::string> leaf_ids(const Wbs& wbs) {
  std::map<std::string, std::string> ids;
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode* parent) {
    if (parent != nullptr && node.children.empty()) ids[node.ref] = node.id;
  });
  return ids;
}

void add_subtasks(const json::value& answer, const std::string& parent_id, IdMint& mint, json::array& clean) {
  std::set<std::string> names;
  for (const json::value& subtask : list(answer, "subtasks")) {
    const std::string name = trim(text(subtask, "name"));
    if (name.empty() || !names.insert(normalize_name(name)).second) continue;
    clean.push_back(json::object{{"id", mint.next(parent_id, name)},
                                 {"name", name},
                                 {"description", text(subtask, "description")},
                                 {"resources_needed", documents::texts_of(subtask, "resources_needed")},
                                 {"parent_id", parent_id}});
  }
}

}  // namespace

Result<BuiltinResult> finish_wbs_level1(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "create_wbs_level1 has no answer to finish");
  const std::string title = trim(text(*answer, "project_title"));
  if (title.empty()) return fail(ErrorCode::TaskFailed, "WBS level 1: the answer has no project title.");
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  result.outputs["clean"] = json::object{{"id", mint.next("", title)},
                                         {"project_title", title},
                                         {"final_deliverable", trim(text(*answer, "final_deliverable"))}};
  result.outputs["title"] = title;
  return result;
}

Result<BuiltinResult> finish_wbs_level2(const BuiltinInput& in) {
  const json::value* answer = step_answer(in);
  if (answer == nullptr) return fail(ErrorCode::Internal, "create_wbs_level2 has no answer to finish");
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  std::set<std::string> titles;
  json::array phases;
  for (const json::value& entry : list(*answer, "major_phase_details")) {
    const std::string title = trim(text(entry, "major_phase_title"));
    if (title.empty()) continue;
    const std::string id = mint.next("", title);
    json::array tasks = tasks_of(entry, id, phases.size() + 1, mint, titles, result);
    if (tasks.empty()) {
      note(result, "empty_phase", title,
           fmt::format("The phase \"{}\" has no task of its own and is left out.", title));
      continue;
    }
    phases.push_back(json::object{{"id", id},
                                  {"ref", fmt::format("{}", phases.size() + 1)},
                                  {"major_phase_title", title},
                                  {"subtasks", std::move(tasks)}});
  }
  if (phases.empty()) return fail(ErrorCode::TaskFailed, "WBS level 2: the answer has no phase with a task.");
  check_size(phases, result);
  result.outputs["clean"] = std::move(phases);
  return result;
}

Result<BuiltinResult> step_wbs_leaves(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, documents::tree_of(in));
  BuiltinResult result;
  json::array leaves;
  for (const WbsNode& phase : wbs.root.children) {
    for (std::size_t i = 0; i < phase.children.size(); ++i) leaves.push_back(leaf_of(phase, i));
    if (phase.children.empty())
      leaves.push_back(json::object{{"ref", phase.ref},
                                    {"title", phase.title},
                                    {"phase_ref", phase.ref},
                                    {"phase_title", phase.title},
                                    {"before", ""},
                                    {"after", ""}});
  }
  result.answer = std::move(leaves);
  return result;
}

Result<BuiltinResult> finish_wbs_level3(const BuiltinInput& in) {
  PLANEXE_TRY_ASSIGN(const Wbs wbs, documents::tree_of(in));
  const std::map<std::string, std::string> ids = leaf_ids(wbs);
  BuiltinResult result;
  IdMint mint(in.plan_id, in.task_key);
  json::array clean;
  std::set<std::string> done;
  for (const json::value& item : step_items(in, "split")) {
    const json::value* element = find(item, "element");
    const std::string ref = element == nullptr ? text(item, "key") : text(*element, "ref");
    const auto parent = ids.find(ref);
    if (const json::value* answer = documents::done_answer(item); answer != nullptr) {
      if (parent == ids.end())
        note(result, "unknown_id", ref,
             fmt::format("Subtasks name the task \"{}\", which the tree does not have.", ref));
      else if (done.insert(ref).second)
        add_subtasks(*answer, parent->second, mint, clean);
    } else if (text(item, "state") == "missing") {
      result.degraded = true;
      note(result, "not_split", ref, fmt::format("Task {} could not be split and stays whole.", ref));
    }
  }
  result.outputs["clean"] = std::move(clean);
  return result;
}

}  // namespace planexe::plan
