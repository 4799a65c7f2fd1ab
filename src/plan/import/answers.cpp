// Answers of all steps of an imported run: first what the raw files hold as it is, then what needs joining, then the
// reduction to the recipe's schemas.
#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/shape.hpp"
#include "plan/import/stages.hpp"

namespace planexe::plan {
namespace {

// Lists whose elements are asked for by id in portions of any size.
struct IdList {
  std::string_view task;
  std::string_view step;
  std::string_view list;
  std::string_view id;
};

constexpr std::array<IdList, 10> kIdLists{{
    {"deduplicate_levers", "judge", "decisions", "lever_id"},
    {"enrich_levers", "main", "characterizations", "lever_id"},
    {"focus_on_vital_few_levers", "rate", "lever_assessments", "lever_id"},
    {"filter_documents_to_find", "main", "document_list", "id"},
    {"filter_documents_to_create", "main", "document_list", "id"},
    {"enrich_team_members_with_contract_type", "main", "team_members", "id"},
    {"enrich_team_members_with_background_story", "main", "team_members", "id"},
    {"enrich_team_members_with_environment_info", "main", "team_members", "id"},
    {"identify_task_dependencies", "links", "task_dependency_details", "dependent_task_id"},
    {"estimate_task_durations", "estimate", "task_details", "task_id"},
}};

// Steps that only a rare repair runs: an imported run has no answer for them.
bool is_repair_step(std::string_view name) { return name == "again" || name == "more"; }

// A step that asks once and whose fields stand in the raw file: the common case.
void take_plain_answers(ImportedRun& run, const TaskFiles& task) {
  for (const TaskFiles::Step& step : task.steps) {
    if (step.items || is_repair_step(step.name) || step.schema.is_null()) continue;
    const json::value& raw = raw_answer_of(run, task.key);
    if (raw.is_object()) run.tasks[task.key].steps[step.name].answer = raw;
  }
}

// A mapped step with one raw file per item: its answers by number.
void take_numbered_answers(ImportedRun& run, const TaskFiles& task) {
  const json::value& raw = output_of(run, task.key, "raw");
  if (!raw.is_array()) return;
  for (const TaskFiles::Step& step : task.steps) {
    if (!step.items || is_repair_step(step.name)) continue;
    ImportedStep& imported = run.tasks[task.key].steps[step.name];
    for (const json::value& answer : raw.get_array())
      imported.items.push_back({std::to_string(imported.items.size() + 1), answer});
  }
}

std::string id_text(const json::value& element, std::string_view field) {
  const json::value* id = find(element, field);
  if (id == nullptr) return {};
  if (const auto number = as_int(*id)) return std::to_string(*number);
  return text(element, field);
}

void index_by_id(ImportedStep& step, const IdList& ids) {
  step.list = ids.list;
  const auto add = [&](const json::value& answer) {
    for (const json::value& element : list(answer, ids.list))
      if (std::string id = id_text(element, ids.id); !id.empty()) step.by_id.emplace(std::move(id), element);
  };
  add(step.answer);
  for (const ImportedItem& item : step.items) add(item.answer);
}

json::value reduced(const json::value& answer, const json::value& schema) {
  if (answer.is_null() || schema.is_null()) return answer;
  auto fitting = shaped(answer, schema);
  // A file that holds only {"comment": ...} answered nothing that is asked.
  if (fitting && fitting->is_object() && fitting->get_object().empty()) return nullptr;
  return fitting ? *std::move(fitting) : json::value(nullptr);
}

}  // namespace

void shape_answers(ImportedRun& run, std::span<const TaskFiles> tasks) {
  for (const TaskFiles& task : tasks) {
    const auto imported = run.tasks.find(task.key);
    if (imported == run.tasks.end()) continue;
    for (const TaskFiles::Step& step : task.steps) {
      const auto found = imported->second.steps.find(step.name);
      if (found == imported->second.steps.end()) continue;
      found->second.answer = reduced(found->second.answer, step.schema);
      for (ImportedItem& item : found->second.items) item.answer = reduced(item.answer, step.schema);
    }
  }
  for (const IdList& ids : kIdLists) {
    const auto task = run.tasks.find(ids.task);
    if (task == run.tasks.end()) continue;
    if (const auto step = task->second.steps.find(ids.step); step != task->second.steps.end())
      index_by_id(step->second, ids);
  }
}

void recover_answers(ImportedRun& run, std::span<const TaskFiles> tasks) {
  for (const TaskFiles& task : tasks) {
    if (!run.tasks.contains(task.key)) continue;
    take_plain_answers(run, task);
    take_numbered_answers(run, task);
  }
  recover_strategy_answers(run);
  recover_execution_answers(run);
  recover_structure_answers(run);
  shape_answers(run, tasks);
}

}  // namespace planexe::plan
