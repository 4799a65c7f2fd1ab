#include "recipe/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "recipe/names.hpp"
#include "recipe/references.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {
namespace {

constexpr int kInlineDepthMax = 12;  // recursive schemas end in "unknown" below this

Shape text_shape() { return json::object{{"type", "string"}}; }
Shape number_shape() { return json::object{{"type", "integer"}}; }
Shape unknown_shape() { return json::object(); }
Shape list_shape(Shape element) { return json::object{{"type", "array"}, {"items", std::move(element)}}; }
Shape object_shape(json::object properties) {
  return json::object{{"type", "object"}, {"properties", std::move(properties)}};
}

/// A schema without $ref, reduced to what describes the shape.
Shape written_out(const json::value& root, const json::value& schema, int depth) {
  const json::value* target = resolve_ref(root, &schema);
  if (!target || depth > kInlineDepthMax) return unknown_shape();
  json::object out;
  if (const json::value* type = find(*target, "type")) out["type"] = *type;
  if (const json::value* items = find(*target, "items")) out["items"] = written_out(root, *items, depth + 1);
  if (const json::object* properties = get_object(*target, "properties")) {
    json::object inner;
    for (const auto& member : *properties) inner[member.key()] = written_out(root, member.value(), depth + 1);
    out["properties"] = std::move(inner);
  }
  if (const json::array* choices = get_array(*target, "anyOf")) {
    json::array inner;
    for (const json::value& choice : *choices) inner.push_back(written_out(root, choice, depth + 1));
    out["anyOf"] = std::move(inner);
  }
  return out;
}

/// Shape of literal data; members of all elements of a list count.
Shape sample_shape(const json::value& value) {
  if (value.is_string()) return text_shape();
  if (value.is_number()) return number_shape();
  if (value.is_object()) {
    json::object properties;
    for (const auto& member : value.get_object()) properties[member.key()] = sample_shape(member.value());
    return object_shape(std::move(properties));
  }
  if (!value.is_array() || value.get_array().empty()) return unknown_shape();
  json::object merged;
  for (const json::value& element : value.get_array())
    if (element.is_object())
      for (const auto& member : element.get_object()) merged[member.key()] = sample_shape(member.value());
  return list_shape(merged.empty() ? sample_shape(value.get_array().front()) : object_shape(std::move(merged)));
}

Shape element_of_step(const Step& step) {
  if (!step.map || step.map->over) return unknown_shape();
  const Shape element = element_shape(sample_shape(step.map->items));
  return step.map->batched() ? list_shape(element) : element;
}

/// {"answer": …} or {"items": […]}.
json::object step_members(const Step& step) {
  Shape answer = answer_shape(step);
  if (!has_items(step)) return {{"answer", std::move(answer)}};
  json::object item{{"key", text_shape()},
                    {"number", number_shape()},
                    {"state", text_shape()},
                    {"answer", std::move(answer)},
                    {"element", element_of_step(step)}};
  item["error"] = text_shape();
  return {{"items", list_shape(object_shape(std::move(item)))}};
}

Shape raw_shape(const Task& task) {
  const Step* single = single_asked_step(task);
  if (!single || has_items(*single) || single->text_answer) return unknown_shape();
  Shape answer = answer_shape(*single);
  if (task.raw_shape == "response")
    return object_shape({{"response", std::move(answer)}, {"metadata", unknown_shape()}});
  if (json::value* properties = answer.get_object().if_contains("properties"))
    properties->get_object()["metadata"] = unknown_shape();
  return answer;
}

json::object steps_and_answer(const Task& task) {
  json::object members;
  for (const Step& step : task.steps) members[step.name] = object_shape(step_members(step));
  if (const Step* single = single_asked_step(task))
    for (auto& member : step_members(*single)) members[member.key()] = member.value();
  return members;
}

Shape output_shape(const Task& task, const Output& output) {
  if (output.content_type != "json") return text_shape();
  if (!task.finish.empty() || task.kind == TaskKind::given) return unknown_shape();
  if (output.name == "raw") return output.numbered ? unknown_shape() : raw_shape(task);
  const auto from = task.from.find(output.name);
  if (from == task.from.end()) return unknown_shape();
  ShapeScope own;
  for (auto& member : steps_and_answer(task)) own.emplace(member.key(), member.value());
  auto shape = shape_at(from->second, own);
  return shape ? *std::move(shape) : unknown_shape();
}

json::object output_members(const Task& task) {
  json::object members;
  for (const Output& output : task.outputs) members[output.name] = output_shape(task, output);
  return members;
}

void add_shared(const Recipe& recipe, const Task& task, ShapeScope& scope) {
  json::object plan{{"prompt", text_shape()},
                    {"start_date", text_shape()},
                    {"intake", unknown_shape()},
                    {"speed", text_shape()},
                    {"title", text_shape()}};
  scope.emplace("plan", object_shape(std::move(plan)));
  for (const Task::Edge& edge : task.edges)
    if (const Task* other = recipe.task(edge.from)) scope.emplace(edge.from, task_shape(*other));
}

bool has_properties(const json::value& shape) {
  if (find(shape, "properties")) return true;
  const json::array* choices = get_array(shape, "anyOf");
  return choices && std::ranges::any_of(*choices, has_properties);
}

/// True when the shape says enough to call a member missing or a list no list.
bool is_known(const Shape& shape) { return !admitted_types(shape, shape).empty(); }

std::vector<std::string> member_names(const Shape& shape) {
  std::vector<std::string> names;
  if (const json::object* properties = get_object(shape, "properties"))
    for (const auto& member : *properties) names.emplace_back(member.key());
  if (const json::array* choices = get_array(shape, "anyOf"))
    for (const json::value& choice : *choices) std::ranges::move(member_names(choice), std::back_inserter(names));
  return names;
}

std::unexpected<Error> impossible(const Path& path, const std::string& why) {
  return fail(ErrorCode::RecipeInvalid, fmt::format("{}: {}", path.text, why));
}

Result<Shape> descend(const Path& path, const Path::Step& step, const Shape& shape) {
  if (!is_known(shape)) return unknown_shape();
  if (step.kind != Path::Step::member) {
    const json::value* items = item_schema(shape, shape);
    if (!items)
      return impossible(path, fmt::format("[] or [n] stands on {}, which is no list",
                                          shape_kind(shape).empty() ? "a value" : "a " + shape_kind(shape)));
    return *items;
  }
  if (const json::value* member = member_schema(shape, shape, step.name)) return *member;
  const std::vector<std::string> names = member_names(shape);
  if (!has_properties(shape))
    return impossible(path, fmt::format("'{}' is asked of a {}", step.name,
                                        shape_kind(shape).empty() ? "plain value" : shape_kind(shape)));
  return impossible(path, fmt::format("there is no '{}' (there is {}){}", step.name, fmt::join(names, ", "),
                                      did_you_mean(step.name, names)));
}

}  // namespace

Shape answer_shape(const Step& step) {
  if (!step.builtin.empty()) return unknown_shape();
  if (step.text_answer) return text_shape();
  return written_out(step.schema, step.schema, 0);
}

Shape task_shape(const Task& task) {
  json::object members = steps_and_answer(task);
  for (auto& member : output_members(task)) members[member.key()] = member.value();
  for (const auto& [name, view] : task.derived) members[name] = text_shape();
  members["status"] = text_shape();
  return object_shape(std::move(members));
}

ShapeScope step_shapes(const Recipe& recipe, const Task& task, const Step& step) {
  ShapeScope scope;
  add_shared(recipe, task, scope);
  for (const Step& earlier : task.steps) {
    if (&earlier == &step) break;
    scope.emplace(earlier.name, object_shape(step_members(earlier)));
  }
  scope.emplace("unit", object_shape({{"number", number_shape()}, {"total", number_shape()}, {"key", text_shape()}}));
  scope.emplace("answer", answer_shape(step));
  if (step.has_rounds()) scope.emplace("previous", list_shape(answer_shape(step)));
  if (!step.map) return scope;
  Shape element = element_of_step(step);
  if (step.map->over) {
    auto list = shape_at(*step.map->over, scope);
    element = list ? element_shape(*list) : unknown_shape();
    if (step.map->batched()) element = list_shape(std::move(element));
  }
  scope.emplace(step.map->as, std::move(element));
  return scope;
}

ShapeScope finish_shapes(const Recipe& recipe, const Task& task) {
  ShapeScope scope;
  add_shared(recipe, task, scope);
  for (auto& member : steps_and_answer(task)) scope.emplace(member.key(), member.value());
  scope.emplace("out", object_shape(output_members(task)));
  scope.emplace("view", unknown_shape());
  return scope;
}

Result<Shape> shape_at(const Path& path, const ShapeScope& scope) {
  const auto root = scope.find(path.root());
  if (root == scope.end()) return unknown_shape();
  Shape shape = root->second;
  bool flat = false;
  for (std::size_t i = 1; i < path.steps.size(); ++i) {
    PLANEXE_TRY_ASSIGN(shape, descend(path, path.steps[i], shape));
    flat = flat || path.steps[i].kind == Path::Step::each;
  }
  if (!flat) return shape;
  // A path with [] gives one flat list: lists at its end lend their elements.
  return list_shape(shape_kind(shape) == "list" ? element_shape(shape) : shape);
}

std::string shape_kind(const Shape& shape) {
  std::set<std::string> kinds;
  for (const std::string& type : admitted_types(shape, shape)) {
    if (type == "null") continue;
    kinds.insert(type == "array" ? "list" : type == "string" ? "text" : type == "integer" ? "number" : type);
  }
  return kinds.size() == 1 ? *kinds.begin() : std::string();
}

Shape element_shape(const Shape& shape) {
  const json::value* items = item_schema(shape, shape);
  return items ? *items : unknown_shape();
}

}  // namespace planexe::recipe
