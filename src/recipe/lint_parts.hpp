#pragma once

#include <set>
#include <string>

#include "recipe/lint.hpp"
#include "recipe/toml_reader.hpp"

/// The parts of lint. Internal to the recipe library.
namespace planexe::recipe {

/// Paths of templates, rules and settings that the schemas upstream do not have; lists and objects printed without a
/// filter.
void lint_paths(const Recipe& recipe, Problems& problems);

/// Schemas outside the strict subset; examples that fail schema, rules or their number.
void lint_answers(const Recipe& recipe, Problems& problems);

/// Outputs nobody makes, unknown functions, required flags, answer fields that nothing reads, order, unused fragments.
void lint_structure(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins, Problems& problems);

/// Prompts that are over the budget even with the short examples.
void lint_budget(const Recipe& recipe, Problems& problems);

}  // namespace planexe::recipe
