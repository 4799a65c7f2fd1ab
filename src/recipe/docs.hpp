#pragma once

#include <string>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

struct DocPage {
  std::string path;  ///< "pipeline.md", "tasks/KEY.md"
  std::string text;  ///< Markdown
};

/// Reference pages made from the recipe: the pipeline with its graph, chains and tables, and one page per task with its
/// inputs, question, answer and rules. Deterministic, so that a stored copy can be compared.
std::vector<DocPage> docs_pages(const Recipe& recipe);

}  // namespace planexe::recipe
