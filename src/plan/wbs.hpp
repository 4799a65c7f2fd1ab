#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "plan/builtin.hpp"

namespace planexe::plan {

/// Levels of a work breakdown structure, as `WbsNode::level` has them.
inline constexpr int kWbsProject = 1;
inline constexpr int kWbsPhase = 2;
inline constexpr int kWbsTask = 3;
inline constexpr int kWbsSubtask = 4;

/// Nodes of one tree. Real plans have below 300; more is a broken or hostile file.
inline constexpr std::size_t kWbsNodesMax = 20'000;

/// A node with its subtree. The order of children is the order of work.
struct WbsNode {
  std::string id;
  std::string ref;    ///< position: "" for the project, "2" for a phase, "2.4" for a task, "2.4.1" for a subtask
  std::string title;  ///< never empty
  int level = kWbsProject;
  std::string final_deliverable;       ///< of the project
  std::string details;                 ///< of a subtask: what is done
  std::vector<std::string> resources;  ///< of a subtask
  std::vector<WbsNode> children;
};

struct Wbs {
  WbsNode root;
};

/// The tree of project, phases and tasks from 018-2 ({id, project_title, final_deliverable}) and 018-5
/// ([{id, major_phase_title, subtasks: [{id, description}]}]). Errors (TASK_FAILED): no phase, an empty title, an id
/// that is empty or occurs twice.
Result<Wbs> build_wbs(const json::value& level1, const json::value& level2);

/// Hangs the subtasks of 023-2 ([{id, name, description, resources_needed, parent_id}]) under their tasks. Errors
/// (TASK_FAILED): a parent that is no leaf of the tree, an empty name, an id that occurs twice. Findings: titles that
/// occur twice under one parent.
Result<std::vector<Finding>> attach_subtasks(Wbs& wbs, const json::value& level3);

/// The stored form of 019 and 023-3: {"wbs_project": {id, ref, description, extra_fields, parent_id, task_children}};
/// empty members are left out.
json::value wbs_to_json(const Wbs& wbs);

/// Reads wbs_to_json's form and that of older plans, without ref and parent_id. Errors (TASK_FAILED): not such a tree,
/// more than four levels, empty titles, ids that are empty or occur twice.
Result<Wbs> wbs_from_json(const json::value& tree);

/// The table of 023-4: header "Level 1;Level 2;...;Task ID", one row per node in pre-order, the title in the column of
/// its level. Three or four level columns: as deep as the tree. No line end after the last row.
std::string wbs_to_csv(const Wbs& wbs);

/// Reads that table back; also unquoted and with the delimiters ',' and tab. Only id, title and position are in it.
/// Errors (TASK_FAILED): no header, a row without title, a level that is skipped, ids that repeat.
Result<Wbs> wbs_from_csv(std::string_view csv);

/// Calls `visit` for every node in pre-order; `parent` is null for the root.
void visit_wbs(const Wbs& wbs, const std::function<void(const WbsNode& node, const WbsNode* parent)>& visit);

/// Nodes by id. Points into `wbs`.
std::map<std::string, const WbsNode*, std::less<>> index_wbs(const Wbs& wbs);

/// Numbers all refs and levels by position. Needed only after building a tree by hand.
void number_wbs(Wbs& wbs);

}  // namespace planexe::plan
