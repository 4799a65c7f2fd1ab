#include "recipe/references.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace planexe::recipe {
namespace {

using Where = Reference::Where;

void add_template(const Recipe& recipe, const Template& tmpl, Where where, std::vector<Reference>& out) {
  for (Path& path : tmpl.paths(recipe.fragments)) out.push_back({where, std::move(path), tmpl.file});
}

void add_rules(const Step& step, const std::string& place, std::vector<Reference>& out) {
  for (const Rule& rule : step.rules)
    if (rule.reference) out.push_back({Where::rule, *rule.reference, place});
}

}  // namespace

std::vector<Reference> step_references(const Recipe& recipe, const Task& task, const Step& step) {
  std::vector<Reference> out;
  const std::string settings = fmt::format("tasks/{}/task.toml", task.key);
  for (const ContextEntry& entry : step.context)
    out.push_back({Where::context, entry.path, step.task_template.file.empty() ? settings : step.task_template.file});
  add_template(recipe, step.task_template, Where::prompt, out);
  if (step.item_template) add_template(recipe, *step.item_template, Where::prompt, out);
  if (step.when)
    for (Path& path : step.when->paths()) out.push_back({Where::when, std::move(path), settings});
  if (step.map && step.map->over) out.push_back({Where::over, *step.map->over, settings});
  if (step.complete && step.complete->expect) out.push_back({Where::expect, *step.complete->expect, settings});
  add_rules(step, settings, out);
  for (const Path& path : step.reads) out.push_back({Where::read, path, settings});
  return out;
}

std::vector<Reference> finish_references(const Recipe& recipe, const Task& task) {
  std::vector<Reference> out;
  const std::string settings = fmt::format("tasks/{}/task.toml", task.key);
  for (const Path& path : task.finish_reads) out.push_back({Where::read, path, settings});
  for (const auto& [name, path] : task.from) out.push_back({Where::from, path, settings});
  if (task.view) add_template(recipe, *task.view, Where::view, out);
  for (const auto& [name, view] : task.derived) add_template(recipe, view, Where::derived, out);
  return out;
}

bool tolerant_edge(const Path& path) {
  if (path.steps.size() > 1 && path.steps[1].name == "status") return true;
  const std::size_t reach = std::min<std::size_t>(path.steps.size(), 2);
  for (std::size_t i = 0; i < reach; ++i)
    if (path.steps[i].optional) return true;
  const bool step_value = path.steps.size() > 2 && (path.steps[2].name == "answer" || path.steps[2].name == "items");
  return step_value && path.steps[2].optional;
}

const Step* single_asked_step(const Task& task) {
  const Step* found = nullptr;
  for (const Step& step : task.steps) {
    if (!step.builtin.empty()) continue;
    if (found) return nullptr;
    found = &step;
  }
  return found;
}

bool has_items(const Step& step) { return step.map.has_value() || step.has_rounds(); }

}  // namespace planexe::recipe
