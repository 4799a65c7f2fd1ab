#pragma once

#include <map>
#include <optional>
#include <string>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// What is known of a value before a plan runs, as a JSON Schema with all $ref written out. The empty schema {} is
/// known of nothing.
using Shape = json::value;

/// Shapes of the names that paths of one place may start with.
using ShapeScope = std::map<std::string, Shape, std::less<>>;

/// The value that other tasks see under the key of this one: answers by their schemas, texts, and {} for what a
/// function makes.
Shape task_shape(const Task& task);

/// Names that a step's prompt, rules and settings may use, other tasks included.
ShapeScope step_shapes(const Recipe& recipe, const Task& task, const Step& step);

/// Names that views and [from] may use.
ShapeScope finish_shapes(const Recipe& recipe, const Task& task);

/// The shape at a path: {} when it is not known. An error names the member that cannot exist, and what there is.
Result<Shape> shape_at(const Path& path, const ShapeScope& scope);

/// The shape of the answer of a step: its schema written out, or a text.
Shape answer_shape(const Step& step);

/// "list", "object", "text", "number", "boolean", or "" when it may be several things or is not known. Null does not
/// count.
std::string shape_kind(const Shape& shape);

/// Shape of the elements of a list; {} when unknown.
Shape element_shape(const Shape& shape);

}  // namespace planexe::recipe
