#include "plan/wbs.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"

namespace planexe::plan {
namespace {

std::unexpected<Error> broken(std::string message) { return fail(ErrorCode::TaskFailed, std::move(message)); }

void number_below(WbsNode& node) {
  int number = 0;
  for (WbsNode& child : node.children) {
    ++number;
    child.level = node.level + 1;
    child.ref = node.ref.empty() ? std::to_string(number) : fmt::format("{}.{}", node.ref, number);
    number_below(child);
  }
}

// Ids must be unique, since durations and links join by them.
Result<void> check_below(const WbsNode& node, std::set<std::string>& ids) {
  if (node.title.empty()) return broken(fmt::format("Work breakdown: the node {} has no title.", node.ref));
  if (node.id.empty()) return broken(fmt::format("Work breakdown: \"{}\" has no id.", node.title));
  if (!ids.insert(node.id).second)
    return broken(fmt::format("Work breakdown: the id {} of \"{}\" occurs twice.", node.id, node.title));
  if (ids.size() > kWbsNodesMax) return broken(fmt::format("Work breakdown: more than {} nodes.", kWbsNodesMax));
  for (const WbsNode& child : node.children) PLANEXE_TRY(check_below(child, ids));
  return {};
}

Result<Wbs> finished(Wbs wbs) {
  number_wbs(wbs);
  std::set<std::string> ids;
  PLANEXE_TRY(check_below(wbs.root, ids));
  return wbs;
}

WbsNode make_node(std::string id, std::string_view title) {
  WbsNode node;
  node.id = std::move(id);
  node.title = trim(title);
  return node;
}

WbsNode phase_node(const json::value& phase) {
  WbsNode node = make_node(text(phase, "id"), text(phase, "major_phase_title"));
  for (const json::value& task : list(phase, "subtasks"))
    node.children.push_back(make_node(text(task, "id"), text(task, "description")));
  return node;
}

WbsNode subtask_node(const json::value& subtask) {
  WbsNode node = make_node(text(subtask, "id"), text(subtask, "name"));
  node.details = trim(text(subtask, "description"));
  for (const json::value& resource : list(subtask, "resources_needed"))
    if (resource.is_string()) node.resources.push_back(trim(std::string_view(resource.get_string())));
  return node;
}

void collect_leaves(WbsNode& node, std::map<std::string, WbsNode*, std::less<>>& leaves) {
  if (node.children.empty() && node.level > kWbsProject) leaves.emplace(node.id, &node);
  for (WbsNode& child : node.children) collect_leaves(child, leaves);
}

std::vector<Finding> repeated_titles(const Wbs& wbs) {
  std::vector<Finding> findings;
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode*) {
    std::set<std::string> titles;
    for (const WbsNode& child : node.children)
      if (!titles.insert(normalize_name(child.title)).second)
        findings.push_back(
            {"repeated_title", child.ref, fmt::format("\"{}\" stands twice under \"{}\".", child.title, node.title)});
  });
  return findings;
}

json::object extra_fields(const WbsNode& node) {
  json::object extra;
  if (!node.final_deliverable.empty()) extra["final_deliverable"] = node.final_deliverable;
  if (!node.details.empty()) extra["detailed_description"] = node.details;
  if (!node.resources.empty()) {
    json::array resources;
    for (const std::string& resource : node.resources) resources.emplace_back(resource);
    extra["resources_needed"] = std::move(resources);
  }
  return extra;
}

json::object node_to_json(const WbsNode& node, const WbsNode* parent) {
  json::object object;
  object["id"] = node.id;
  if (!node.ref.empty()) object["ref"] = node.ref;
  object["description"] = node.title;
  if (json::object extra = extra_fields(node); !extra.empty()) object["extra_fields"] = std::move(extra);
  if (parent != nullptr) object["parent_id"] = parent->id;
  if (!node.children.empty()) {
    json::array children;
    for (const WbsNode& child : node.children) children.push_back(node_to_json(child, &node));
    object["task_children"] = std::move(children);
  }
  return object;
}

Result<WbsNode> node_from_json(const json::value& value, int level) {
  if (!value.is_object()) return broken("Work breakdown: a node is no JSON object.");
  if (level > kWbsSubtask) return broken("Work breakdown: the tree has more than four levels.");
  WbsNode node = make_node(text(value, "id"), text(value, "description"));
  if (const json::value* extra = find(value, "extra_fields")) {
    node.final_deliverable = trim(text(*extra, "final_deliverable"));
    node.details = trim(text(*extra, "detailed_description"));
    for (const json::value& resource : list(*extra, "resources_needed"))
      if (resource.is_string()) node.resources.push_back(trim(std::string_view(resource.get_string())));
  }
  for (const json::value& child : list(value, "task_children")) {
    PLANEXE_TRY_ASSIGN(WbsNode parsed, node_from_json(child, level + 1));
    node.children.push_back(std::move(parsed));
  }
  return node;
}

}  // namespace

void number_wbs(Wbs& wbs) {
  wbs.root.level = kWbsProject;
  wbs.root.ref.clear();
  number_below(wbs.root);
}

Result<Wbs> build_wbs(const json::value& level1, const json::value& level2) {
  Wbs wbs;
  wbs.root = make_node(text(level1, "id"), text(level1, "project_title"));
  wbs.root.final_deliverable = trim(text(level1, "final_deliverable"));
  if (!level2.is_array() || level2.get_array().empty()) return broken("Work breakdown: there is no phase.");
  for (const json::value& phase : level2.get_array()) wbs.root.children.push_back(phase_node(phase));
  return finished(std::move(wbs));
}

Result<std::vector<Finding>> attach_subtasks(Wbs& wbs, const json::value& level3) {
  if (!level3.is_array()) return broken("Work breakdown: the list of subtasks is no JSON array.");
  std::map<std::string, WbsNode*, std::less<>> leaves;
  collect_leaves(wbs.root, leaves);
  for (const json::value& subtask : level3.get_array()) {
    const auto parent = leaves.find(text(subtask, "parent_id"));
    if (parent == leaves.end())
      return broken(fmt::format("Work breakdown: the subtask \"{}\" names the parent \"{}\", which is no task.",
                                text(subtask, "name"), text(subtask, "parent_id")));
    parent->second->children.push_back(subtask_node(subtask));
  }
  PLANEXE_TRY_ASSIGN(wbs, finished(std::move(wbs)));
  return repeated_titles(wbs);
}

json::value wbs_to_json(const Wbs& wbs) {
  json::object tree;
  tree["wbs_project"] = node_to_json(wbs.root, nullptr);
  return tree;
}

Result<Wbs> wbs_from_json(const json::value& tree) {
  const json::value* project = find(tree, "wbs_project");
  if (project == nullptr) return broken("Work breakdown: the JSON has no wbs_project.");
  Wbs wbs;
  PLANEXE_TRY_ASSIGN(wbs.root, node_from_json(*project, kWbsProject));
  return finished(std::move(wbs));
}

void visit_wbs(const Wbs& wbs, const std::function<void(const WbsNode&, const WbsNode*)>& visit) {
  const std::function<void(const WbsNode&, const WbsNode*)> walk = [&](const WbsNode& node, const WbsNode* parent) {
    visit(node, parent);
    for (const WbsNode& child : node.children) walk(child, &node);
  };
  walk(wbs.root, nullptr);
}

std::map<std::string, const WbsNode*, std::less<>> index_wbs(const Wbs& wbs) {
  std::map<std::string, const WbsNode*, std::less<>> index;
  visit_wbs(wbs, [&](const WbsNode& node, const WbsNode*) { index.emplace(node.id, &node); });
  return index;
}

}  // namespace planexe::plan
