#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "recipe/lint.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

/// Inputs of every task by position.
using Inputs = std::vector<std::vector<std::size_t>>;

Inputs inputs_of(const Recipe& recipe) {
  Inputs inputs(recipe.tasks.size());
  for (const Task& task : recipe.tasks)
    for (const Task::Edge& edge : task.edges)
      if (const Task* from = recipe.task(edge.from))
        inputs[static_cast<std::size_t>(task.position)].push_back(static_cast<std::size_t>(from->position));
  return inputs;
}

/// Positions so that inputs come first.
std::vector<std::size_t> topological_order(const Inputs& inputs) {
  std::vector<std::size_t> order;
  std::vector<char> done(inputs.size(), 0);
  const auto visit = [&](const auto& self, std::size_t task) -> void {
    if (done[task]) return;
    done[task] = 1;
    for (const std::size_t from : inputs[task]) self(self, from);
    order.push_back(task);
  };
  for (std::size_t task = 0; task < inputs.size(); ++task) visit(visit, task);
  return order;
}

/// Length of the longest way that ends at a task, and the input it comes from. First the main weight counts, then the
/// number of tasks.
struct Longest {
  int weight = 0;
  int tasks = 0;
  std::optional<std::size_t> from;
};

std::vector<Longest> longest_ways(const Inputs& inputs, const std::vector<int>& weights) {
  std::vector<Longest> ways(inputs.size());
  for (const std::size_t task : topological_order(inputs)) {
    Longest& way = ways[task];
    for (const std::size_t from : inputs[task]) {
      const Longest& before = ways[from];
      if (way.from && std::pair(before.weight, before.tasks) <= std::pair(way.weight, way.tasks)) continue;
      way = {before.weight, before.tasks, from};
    }
    way.weight += weights[task];
    way.tasks += 1;
  }
  return ways;
}

std::size_t end_of_longest(const std::vector<Longest>& ways) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < ways.size(); ++i)
    if (std::pair(ways[i].weight, ways[i].tasks) > std::pair(ways[best].weight, ways[best].tasks)) best = i;
  return best;
}

int longest_weight(const Inputs& inputs, const std::vector<int>& weights) {
  if (inputs.empty()) return 0;
  const std::vector<Longest> ways = longest_ways(inputs, weights);
  return ways[end_of_longest(ways)].weight;
}

GraphFacts::Chain chain_of(const Recipe& recipe, const Inputs& inputs, const std::vector<int>& weights,
                           const std::vector<int>& rounds) {
  GraphFacts::Chain chain;
  if (inputs.empty()) return chain;
  const std::vector<Longest> ways = longest_ways(inputs, weights);
  for (std::optional<std::size_t> at = end_of_longest(ways); at; at = ways[*at].from) {
    chain.tasks.push_back(recipe.tasks[*at].key);
    chain.rounds += rounds[*at];
  }
  std::ranges::reverse(chain.tasks);
  return chain;
}

bool asks(const Task& task) {
  return std::ranges::any_of(task.steps, [](const Step& step) { return step.builtin.empty(); });
}

/// Inputs as they are when every task that asks a model waits for the gate, but for those that the gate itself waits
/// for.
Inputs with_gate(const Recipe& recipe, Inputs inputs) {
  const Task* gate = recipe.task(recipe.gate);
  if (!gate) return inputs;
  const auto gate_at = static_cast<std::size_t>(gate->position);
  std::vector<char> before(inputs.size(), 0);
  const auto mark = [&](const auto& self, std::size_t task) -> void {
    if (before[task]) return;
    before[task] = 1;
    for (const std::size_t from : inputs[task]) self(self, from);
  };
  mark(mark, gate_at);
  for (const Task& task : recipe.tasks)
    if (asks(task) && !before[static_cast<std::size_t>(task.position)])
      inputs[static_cast<std::size_t>(task.position)].push_back(gate_at);
  return inputs;
}

/// Inputs without those that another input already waits for.
Inputs reduced(const Inputs& inputs) {
  std::vector<std::vector<char>> reach(inputs.size(), std::vector<char>(inputs.size(), 0));
  for (const std::size_t task : topological_order(inputs))
    for (const std::size_t from : inputs[task]) {
      reach[task][from] = 1;
      for (std::size_t other = 0; other < inputs.size(); ++other) reach[task][other] |= reach[from][other];
    }
  Inputs out(inputs.size());
  for (std::size_t task = 0; task < inputs.size(); ++task)
    for (const std::size_t from : inputs[task]) {
      const bool implied =
          std::ranges::any_of(inputs[task], [&](std::size_t other) { return other != from && reach[other][from]; });
      if (!implied) out[task].push_back(from);
    }
  return out;
}

std::size_t count_edges(const Inputs& inputs) {
  std::size_t count = 0;
  for (const auto& from : inputs) count += from.size();
  return count;
}

std::vector<int> rounds_of(const Recipe& recipe, Speed speed) {
  std::vector<int> rounds;
  for (const Task& task : recipe.tasks) rounds.push_back(task_rounds(task, speed));
  return rounds;
}

/// Stages in the order in which their first task comes, each with its tasks.
std::vector<std::pair<std::string, std::vector<const Task*>>> by_stage(const Recipe& recipe) {
  std::vector<std::pair<std::string, std::vector<const Task*>>> stages;
  for (const Task& task : recipe.tasks) {
    auto found = std::ranges::find(stages, task.stage, [](const auto& stage) { return stage.first; });
    if (found == stages.end()) found = stages.insert(stages.end(), {task.stage, {}});
    found->second.push_back(&task);
  }
  return stages;
}

std::string label(const Task& task) { return replace_all(task.title, "\"", "'"); }

bool is_tolerant(const Task& task, const std::string& from) {
  const auto edge = std::ranges::find(task.edges, from, &Task::Edge::from);
  return edge != task.edges.end() && edge->tolerant;
}

/// Reduced edges with their two tasks.
template <class Visit>
void visit_edges(const Recipe& recipe, const Visit& visit) {
  const Inputs inputs = reduced(inputs_of(recipe));
  for (const Task& task : recipe.tasks)
    for (const std::size_t from : inputs[static_cast<std::size_t>(task.position)]) visit(recipe.tasks[from], task);
}

}  // namespace

int task_rounds(const Task& task, Speed speed) {
  int rounds = 0;
  for (const Step& step : task.steps) {
    const int calls = planned_calls(task, step, speed);
    rounds += step.map ? std::min(calls, 1) : calls;
  }
  return rounds;
}

GraphFacts graph_facts(const Recipe& recipe, Speed speed) {
  GraphFacts facts;
  const Inputs inputs = inputs_of(recipe);
  const std::vector<int> rounds = rounds_of(recipe, speed);
  std::vector<int> calls;
  for (const Task& task : recipe.tasks) {
    facts.llm_tasks += asks(task) ? 1 : 0;
    calls.push_back(planned_calls(task, speed));
    facts.calls_serial += calls.back();
  }
  facts.tasks = recipe.tasks.size();
  facts.edges = count_edges(inputs);
  facts.reduced_edges = count_edges(reduced(inputs));
  facts.longest_by_tasks = chain_of(recipe, inputs, std::vector<int>(inputs.size(), 0), rounds);
  facts.longest_by_rounds = chain_of(recipe, inputs, rounds, rounds);
  facts.rounds_with_gate = longest_weight(with_gate(recipe, inputs), rounds);
  facts.rounds_tasks_serial = longest_weight(inputs, calls);
  return facts;
}

std::vector<GraphCut> graph_cuts(const Recipe& recipe, Speed speed) {
  const Inputs inputs = inputs_of(recipe);
  const std::vector<int> rounds = rounds_of(recipe, speed);
  const std::vector<int> ones(inputs.size(), 1);
  const GraphFacts facts = graph_facts(recipe, speed);
  std::vector<GraphCut> cuts;
  for (const auto* chain : {&facts.longest_by_rounds.tasks, &facts.longest_by_tasks.tasks}) {
    for (std::size_t i = 1; i < chain->size(); ++i) {
      const Task* from = recipe.task((*chain)[i - 1]);
      const Task* to = recipe.task((*chain)[i]);
      Inputs without = inputs;
      std::erase(without[static_cast<std::size_t>(to->position)], static_cast<std::size_t>(from->position));
      const GraphCut cut{from->key, to->key, static_cast<std::size_t>(longest_weight(without, ones)),
                         longest_weight(without, rounds)};
      const bool gains = cut.tasks < facts.longest_by_tasks.tasks.size() || cut.rounds < facts.longest_by_rounds.rounds;
      const bool known =
          std::ranges::any_of(cuts, [&](const GraphCut& one) { return one.from == cut.from && one.to == cut.to; });
      if (gains && !known) cuts.push_back(cut);
    }
  }
  std::ranges::sort(cuts, {}, [](const GraphCut& cut) { return std::tuple(cut.rounds, cut.tasks, cut.from, cut.to); });
  return cuts;
}

std::string graph_mermaid(const Recipe& recipe) {
  std::string out = "flowchart LR\n";
  for (const auto& [stage, tasks] : by_stage(recipe)) {
    out += fmt::format("  subgraph {}\n", stage);
    for (const Task* task : tasks) out += fmt::format("    {}[\"{}\"]\n", task->key, label(*task));
    out += "  end\n";
  }
  visit_edges(recipe, [&](const Task& from, const Task& to) {
    out += fmt::format("  {} {} {}\n", from.key, is_tolerant(to, from.key) ? "-.->" : "-->", to.key);
  });
  return out;
}

std::string graph_dot(const Recipe& recipe) {
  std::string out = "digraph recipe {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& [stage, tasks] : by_stage(recipe)) {
    out += fmt::format("  subgraph cluster_{} {{\n    label=\"{}\";\n", stage, stage);
    for (const Task* task : tasks) out += fmt::format("    {} [label=\"{}\"];\n", task->key, label(*task));
    out += "  }\n";
  }
  visit_edges(recipe, [&](const Task& from, const Task& to) {
    out += fmt::format("  {} -> {}{};\n", from.key, to.key, is_tolerant(to, from.key) ? " [style=dashed]" : "");
  });
  return out + "}\n";
}

}  // namespace planexe::recipe
