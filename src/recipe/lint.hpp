#pragma once

#include <set>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

struct LintMessage {
  bool is_error = true;
  std::string place;  ///< file or task key
  std::string message;
};

/// A recipe as far as it could be read, with everything that is wrong with it. Tasks whose task.toml is unreadable are
/// left out.
struct Inspection {
  Recipe recipe;
  std::vector<LintMessage> problems;  ///< sorted by place
};

/// What load_recipe does, without stopping at errors: for authors who write a recipe piece by piece.
Inspection inspect_recipe(std::vector<RecipeFile> files);

/// The graph of a recipe: what lint prints and docs show.
struct GraphFacts {
  struct Chain {
    std::vector<std::string> tasks;
    int rounds = 0;
  };
  std::size_t tasks = 0, llm_tasks = 0, edges = 0,
              reduced_edges = 0;  ///< reduced: without edges that a longer way implies
  Chain longest_by_tasks;
  Chain longest_by_rounds;      ///< sequential model calls, fan-outs concurrent
  int rounds_with_gate = 0;     ///< every model task waits for the gate
  int calls_serial = 0;         ///< planned calls, one after another
  int rounds_tasks_serial = 0;  ///< longest chain when the calls inside a task follow each other
};

/// The graph must have no cycle: load_recipe has checked that.
GraphFacts graph_facts(const Recipe& recipe, Speed speed);

/// Sequential model calls of one task as planned: rounds count, a fan-out counts once, steps follow each other.
int task_rounds(const Task& task, Speed speed);

/// What the longest chain would be without one of its edges.
struct GraphCut {
  std::string from, to;
  std::size_t tasks = 0;  ///< longest chain in tasks then
  int rounds = 0;         ///< longest chain in rounds then
};

/// The edges of the two longest chains whose removal shortens one of them, largest gain in rounds first.
std::vector<GraphCut> graph_cuts(const Recipe& recipe, Speed speed);

/// Everything wrong with a recipe that can be known without running it: unknown names, cycles, paths that the upstream
/// schema or example does not have, unused answer fields (warning), schemas outside the strict subset, examples that
/// fail schema or rules, outputs nobody makes, prompts over budget, missing files, phases, required flags of what only
/// the report reads. `builtins` = registered function names.
std::vector<LintMessage> lint(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins);

/// Mermaid or DOT text of the graph, grouped by stage, transitively reduced.
std::string graph_mermaid(const Recipe& recipe);
std::string graph_dot(const Recipe& recipe);

}  // namespace planexe::recipe
