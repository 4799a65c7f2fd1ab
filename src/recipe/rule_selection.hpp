#pragma once

#include <string>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// The values of an answer that a rule is about, with their places. `if_path` decides once for the whole answer; where
/// it shares a [] with the rule's path, each element of that list decides for itself.
std::vector<Located> selected_values(const Rule& rule, const json::value& answer);

/// The place of the list that a path walks: the path up to its first [].
std::string list_place(const Path& path);

}  // namespace planexe::recipe
