// Recovered answers of the work breakdown, by refs instead of ids.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "plan/builtins/common.hpp"
#include "plan/import/names.hpp"
#include "plan/import/stages.hpp"
#include "plan/schedule_links.hpp"
#include "plan/wbs.hpp"

namespace planexe::plan {
namespace {

// Ids per request when the old run estimated.
constexpr std::size_t kEstimatesPerChunk = 3;

class Structure {
 public:
  Structure(ImportedRun& run, Wbs wbs) : run_(run), wbs_(std::move(wbs)), nodes_(index_wbs(wbs_)) {}

  void all() {
    phases();
    links();
    estimates();
    subtasks();
  }

 private:
  ImportedStep& step_of(const char* task, const char* step) {
    ImportedStep& found = run_.tasks[task].steps[step];
    found = {};
    return found;
  }

  const WbsNode* node(std::string_view id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : found->second;
  }

  void phases() {
    const json::value& raw = raw_answer_of(run_, "create_wbs_level2");
    if (raw.is_object()) step_of("create_wbs_level2", "main").answer = raw;
  }

  // One answer per phase with all its tasks; a task that the old run did not answer has no links.
  void links() {
    const json::value& raw = output_of(run_, "identify_task_dependencies", "raw");
    if (!raw.is_object()) return;
    const CheckedLinks checked = check_links(wbs_, links_from_json(raw));
    ImportedStep& step = step_of("identify_task_dependencies", "links");
    for (const WbsNode& phase : wbs_.root.children) {
      json::array details;
      for (const WbsNode& task : phase.children) details.push_back(detail(task, checked));
      if (phase.children.empty()) details.push_back(detail(phase, checked));
      step.items.push_back(
          {phase.ref, json::object{{"phase_inputs", json::array()}, {"task_dependency_details", std::move(details)}}});
    }
  }

  json::object detail(const WbsNode& task, const CheckedLinks& checked) {
    json::array links;
    for (const ScheduleLink& link : checked.links) {
      const WbsNode* from = node(link.from);
      if (link.to != task.id || from == nullptr) continue;
      // The question allows tasks of this and earlier phases only; the stored file keeps the others.
      if (phase_number(*from) > phase_number(task)) continue;
      links.push_back(
          json::object{{"depends_on_task_id", from->ref},
                       {"explanation", link.explanation.empty() ? "Stated in the imported run." : link.explanation},
                       {"type", to_string(link.type)},
                       {"lag_days", link.lag_days}});
    }
    const bool free = links.empty();
    return {{"dependent_task_id", task.ref},
            {"free_start_reason",
             free ? json::value("The imported run names nothing that it waits for.") : json::value(nullptr)},
            {"links", std::move(links)}};
  }

  static int phase_number(const WbsNode& node) { return std::atoi(node.ref.c_str()); }

  void estimates() {
    const json::value& clean = output_of(run_, "estimate_task_durations", "clean");
    if (!clean.is_array()) return;
    ImportedStep& step = step_of("estimate_task_durations", "estimate");
    json::array chunk;
    const auto flush = [&] {
      if (!chunk.empty())
        step.items.push_back({std::to_string(step.items.size() + 1), json::object{{"task_details", std::move(chunk)}}});
      chunk = {};
    };
    for (const json::value& entry : clean.get_array()) {
      const WbsNode* known = node(text(entry, "task_id"));
      if (known == nullptr) continue;
      json::object estimate = entry.get_object();
      estimate["task_id"] = known->ref;
      chunk.push_back(std::move(estimate));
      if (chunk.size() == kEstimatesPerChunk) flush();
    }
    flush();
  }

  void subtasks() {
    const json::value& clean = output_of(run_, "create_wbs_level3", "clean");
    if (!clean.is_array()) return;
    std::map<std::string, json::array> by_parent;
    for (const json::value& subtask : clean.get_array()) by_parent[text(subtask, "parent_id")].push_back(subtask);
    ImportedStep& step = step_of("create_wbs_level3", "split");
    for (const WbsNode* leaf : activities_of(wbs_)) {
      const auto found = by_parent.find(leaf->id);
      if (found != by_parent.end())
        step.items.push_back({leaf->ref, json::object{{"subtasks", std::move(found->second)}}});
    }
  }

  ImportedRun& run_;
  Wbs wbs_;
  std::map<std::string, const WbsNode*, std::less<>> nodes_;
};

}  // namespace

void recover_structure_answers(ImportedRun& run) {
  auto wbs = wbs_from_json(output_of(run, "wbs_project_level1_and_level2", "tree"));
  if (!wbs) wbs = build_wbs(output_of(run, "create_wbs_level1", "clean"), output_of(run, "create_wbs_level2", "clean"));
  if (wbs) Structure(run, *std::move(wbs)).all();
}

}  // namespace planexe::plan
