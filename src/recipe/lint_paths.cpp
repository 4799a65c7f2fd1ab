#include <fmt/format.h>

#include <algorithm>

#include "recipe/lint_parts.hpp"
#include "recipe/references.hpp"
#include "recipe/schema_walk.hpp"
#include "recipe/shapes.hpp"
#include "recipe/template_ast.hpp"

namespace planexe::recipe {
namespace {

constexpr int kFragmentDepthMax = 8;

/// Follows a template with the shapes of its names; elements of loops have the shape of their list.
class TemplateShapes {
 public:
  TemplateShapes(const Recipe& recipe, Problems& problems) : recipe_(recipe), problems_(problems) {}

  void check(const Template& tmpl, const ShapeScope& scope) {
    if (tmpl.nodes) walk(*tmpl.nodes, scope, tmpl.file, 0);
  }

 private:
  using Nodes = std::vector<TemplateNode>;

  void bad(const std::string& file, int line, const std::string& why) {
    problems_.error(fmt::format("{}:{}", file, line), why);
  }

  std::optional<Shape> shape(const Path& path, const ShapeScope& scope, const std::string& file, int line) {
    if (path.root().starts_with('@')) return {};
    auto found = shape_at(path, scope);
    if (found) return *std::move(found);
    bad(file, line, found.error().message);
    return {};
  }

  void walk(const Nodes& nodes, const ShapeScope& scope, const std::string& file, int depth) {
    for (const TemplateNode& node : nodes) {
      switch (node.kind) {
        case TemplateNode::Kind::text: break;
        case TemplateNode::Kind::insert: insert(node, scope, file); break;
        case TemplateNode::Kind::each: each(node, scope, file, depth); break;
        case TemplateNode::Kind::branch: branch(node, scope, file, depth); break;
        case TemplateNode::Kind::fragment: fragment(node, scope, depth); break;
      }
    }
  }

  void insert(const TemplateNode& node, const ShapeScope& scope, const std::string& file) {
    const auto found = shape(node.path, scope, file, node.line);
    if (!found) return;
    const std::string kind = shape_kind(*found);
    if (node.filters.empty() && (kind == "list" || kind == "object"))
      bad(file, node.line,
          fmt::format("{} is a{} {}; use {}", node.path.text, kind == "object" ? "n" : "", kind,
                      kind == "list" ? "#each, join, table, count or json" : "one of its fields, or json"));
    const bool takes_list = !node.filters.empty() && (node.filters.front().kind == Filter::Kind::join ||
                                                      node.filters.front().kind == Filter::Kind::table);
    if (takes_list && !kind.empty() && kind != "list")
      bad(file, node.line, fmt::format("{} is no list, which join and table take", node.path.text));
  }

  void each(const TemplateNode& node, const ShapeScope& scope, const std::string& file, int depth) {
    ShapeScope inner = scope;
    const auto found = shape(node.path, scope, file, node.line);
    if (found && !shape_kind(*found).empty() && shape_kind(*found) != "list")
      bad(file, node.line, fmt::format("#each {}: that is no list", node.path.text));
    inner[node.text] = found ? element_shape(*found) : Shape(json::object());
    walk(node.arms[0].body, inner, file, depth);
    if (node.arms.size() > 1) walk(node.arms[1].body, scope, file, depth);
  }

  void branch(const TemplateNode& node, const ShapeScope& scope, const std::string& file, int depth) {
    for (const TemplateNode::Arm& arm : node.arms) {
      if (arm.condition.node) condition(*arm.condition.node, scope, file, arm.line);
      walk(arm.body, scope, file, depth);
    }
  }

  void condition(const ConditionNode& node, const ShapeScope& scope, const std::string& file, int line) {
    if (!node.path.steps.empty()) compare(node, shape(node.path, scope, file, line), file, line);
    for (const ConditionNode& child : node.children) condition(child, scope, file, line);
  }

  void compare(const ConditionNode& node, const std::optional<Shape>& found, const std::string& file, int line) {
    if (!found || node.kind != ConditionNode::Kind::equals) return;
    const std::string kind = shape_kind(*found);
    const std::string wanted = node.literal.is_string() ? "text" : "number";
    if (!kind.empty() && kind != wanted)
      bad(file, line, fmt::format("{} is a {} and never equals {}", node.path.text, kind, to_json(node.literal)));
  }

  void fragment(const TemplateNode& node, const ShapeScope& scope, int depth) {
    const auto found = recipe_.fragments.find(node.text);
    if (found != recipe_.fragments.end() && found->second.nodes && depth < kFragmentDepthMax)
      walk(*found->second.nodes, scope, found->second.file, depth + 1);
  }

  const Recipe& recipe_;
  Problems& problems_;
};

/// A path inside the answer: of a rule, of `complete`.
void check_answer_path(const Step& step, const Path& path, const std::string& place, Problems& problems) {
  if (step.text_answer) {
    if (path.text != "answer")
      problems.error(place, fmt::format("{}: a text answer has the one path \"answer\"", path.text));
    return;
  }
  ShapeScope scope;
  const Shape answer = answer_shape(step);
  const json::value* member = member_schema(answer, answer, path.root());
  if (!member)
    problems.error(place,
                   fmt::format("{}: the schema of step '{}' has no field '{}'", path.text, step.name, path.root()));
  else
    scope.emplace(path.root(), *member);
  if (auto shape = shape_at(path, scope); !shape) problems.error(place, shape.error().message);
}

/// Where a rule can never fail or never hold because of the type that it looks at.
void check_rule_type(const Step& step, const Rule& rule, const std::string& place, Problems& problems) {
  ShapeScope scope;
  const Shape answer = answer_shape(step);
  if (const json::value* member = member_schema(answer, answer, rule.path.root()))
    scope.emplace(rule.path.root(), *member);
  auto shape = shape_at(rule.path, scope);
  if (!shape) return;
  // A path with [] gives a list of what it finds; what the rule sees is the element.
  std::string kind = shape_kind(rule.path.has_each() ? element_shape(*shape) : *shape);
  if (kind == "list") kind = shape_kind(element_shape(*shape)).empty() ? kind : shape_kind(element_shape(*shape));
  const bool numeric = rule.kind == RuleKind::between || rule.kind == RuleKind::sums_to;
  if (numeric && !kind.empty() && kind != "number" && kind != "list")
    problems.error(place,
                   fmt::format("{}: the rule is about numbers, but the values are of kind {}", rule.path.text, kind));
  if (rule.kind != RuleKind::ordered || kind != "object") return;
  for (const std::string& field : rule.values) {
    Shape object = rule.path.has_each() ? element_shape(*shape) : *shape;
    if (shape_kind(object) == "list") object = element_shape(object);
    if (!member_schema(object, object, field))
      problems.error(place,
                     fmt::format("{}: ordered names '{}', which the objects there do not have", rule.path.text, field));
  }
}

void check_step(const Recipe& recipe, const Task& task, const Step& step, Problems& problems) {
  const std::string place = fmt::format("tasks/{}/task.toml", task.key);
  const ShapeScope scope = step_shapes(recipe, task, step);
  for (const Reference& reference : step_references(recipe, task, step)) {
    if (reference.where == Reference::Where::prompt) continue;
    if (auto shape = shape_at(reference.path, scope); !shape) problems.error(reference.place, shape.error().message);
  }
  if (step.map && step.map->over) {
    const auto list = shape_at(*step.map->over, scope);
    const std::string kind = list ? shape_kind(*list) : "";
    if (!kind.empty() && kind != "list")
      problems.error(place, fmt::format("over = \"{}\": that is no list", step.map->over->text));
  }
  if (!step.builtin.empty()) return;
  for (const Rule& rule : step.rules) {
    check_answer_path(step, rule.path, place, problems);
    if (rule.if_path) check_answer_path(step, *rule.if_path, place, problems);
    if (!step.text_answer) check_rule_type(step, rule, place, problems);
  }
  if (step.complete) {
    check_answer_path(step, step.complete->list, place, problems);
    Path key = step.complete->list;
    if (!step.complete->key.empty()) {
      key.text += "[]." + step.complete->key;
      key.steps.push_back({Path::Step::each, "", 0, false});
      key.steps.push_back({Path::Step::member, step.complete->key, 0, false});
      check_answer_path(step, key, place, problems);
    }
  }
  TemplateShapes templates(recipe, problems);
  templates.check(step.task_template, scope);
  if (step.item_template) templates.check(*step.item_template, scope);
}

}  // namespace

void lint_paths(const Recipe& recipe, Problems& problems) {
  for (const Task& task : recipe.tasks) {
    for (const Step& step : task.steps) check_step(recipe, task, step, problems);
    const ShapeScope scope = finish_shapes(recipe, task);
    for (const Reference& reference : finish_references(recipe, task)) {
      const bool in_template =
          reference.where == Reference::Where::view || reference.where == Reference::Where::derived;
      if (in_template) continue;
      if (auto shape = shape_at(reference.path, scope); !shape) problems.error(reference.place, shape.error().message);
    }
    TemplateShapes templates(recipe, problems);
    if (task.view) templates.check(*task.view, scope);
    for (const auto& [name, view] : task.derived) templates.check(view, scope);
  }
}

}  // namespace planexe::recipe
