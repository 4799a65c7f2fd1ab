#include "recipe/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kCutsShown = 12;

/// Measured on the reference pipeline for a plan of median size (docs/pipeline.md): sequential model calls.
constexpr int kReferenceSerial = 142;    // one worker, every call after the other
constexpr int kReferenceDeclared = 103;  // tasks concurrent along its declared inputs, calls inside a task serial
constexpr int kReferenceFastSerial = 74;

std::string_view kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::llm: return "asks a model";
    case TaskKind::view: return "view";
    case TaskKind::builtin: return "computed";
    case TaskKind::given: return "given";
  }
  return "";
}

std::string by_speed(const BySpeed<int>& value) {
  if (value.all == value.balanced && value.all == value.fast) return std::to_string(value.all);
  return fmt::format("{} / {} / {} (all / balanced / fast)", value.all, value.balanced, value.fast);
}

std::string calls_text(const Task& task) {
  return by_speed(
      {planned_calls(task, Speed::all), planned_calls(task, Speed::balanced), planned_calls(task, Speed::fast)});
}

void show_map(const MapSpec& map, std::string& out) {
  out += fmt::format("    one call per element of {} as {}",
                     map.over ? map.over->text : fmt::format("{} literal items", map.items.size()), map.as);
  if (map.batched()) out += fmt::format(", in batches of {}", by_speed(map.batch));
  if (map.calls.fast || map.calls.balanced || map.calls.all)
    out += fmt::format(", at most {} calls", by_speed(map.calls));
  if (map.limit.fast || map.limit.balanced || map.limit.all)
    out += fmt::format(", first {} (0: all)", by_speed(map.limit));
  out += "\n";
}

void show_step(const Step& step, std::string& out) {
  if (!step.builtin.empty()) {
    out += fmt::format("  {}: computed by {}\n", step.name, step.builtin);
    return;
  }
  out += fmt::format("  {}: {} answer", step.name, step.text_answer ? "text" : "JSON");
  if (step.has_rounds()) out += fmt::format(", {} rounds", by_speed(step.rounds));
  if (!step.chain.empty()) out += fmt::format(", continues {}", step.chain);
  if (step.when) out += fmt::format(", when {}", step.when->text);
  out += "\n";
  if (step.map) show_map(*step.map, out);
  for (const ContextEntry& entry : step.context)
    out += fmt::format("    reads {}{}\n", entry.path.text,
                       entry.limit ? fmt::format(" (at most {} characters)", entry.limit) : "");
  if (step.complete)
    out += fmt::format("    complete: {} by {}\n", step.complete->list.text,
                       step.complete->key.empty() ? "number" : step.complete->key);
  const auto asserts = std::ranges::count_if(step.rules, [](const Rule& rule) { return rule.is_assert; });
  out += fmt::format("    {} asserts, {} checks\n", asserts, static_cast<std::ptrdiff_t>(step.rules.size()) - asserts);
}

std::vector<std::string> readers_of(const Recipe& recipe, const Task& task) {
  std::vector<std::string> readers;
  for (const Task& other : recipe.tasks)
    for (const Task::Edge& edge : other.edges)
      if (edge.from == task.key) readers.push_back(other.key + (edge.tolerant ? "?" : ""));
  return readers;
}

std::string table_row(std::string_view name, const GraphFacts& facts) {
  return fmt::format("| {} | {} | {} | {} | {} |\n", name, facts.calls_serial, facts.longest_by_tasks.tasks.size(),
                     facts.longest_by_rounds.rounds, facts.rounds_with_gate);
}

std::string tree_of_chain(const Recipe& recipe, const std::vector<std::string>& chain, Speed speed) {
  std::string out;
  for (const std::string& key : chain) {
    const int rounds = task_rounds(*recipe.task(key), speed);
    out += (out.empty() ? "" : ", ") + key + (rounds > 1 ? fmt::format(" ({})", rounds) : "");
  }
  return out;
}

}  // namespace

std::string chain_report(const Recipe& recipe) {
  const GraphFacts all = graph_facts(recipe, Speed::all);
  std::string out = fmt::format("{} tasks, {} of them ask a model; {} edges, {} without those that others imply.\n\n",
                                all.tasks, all.llm_tasks, all.edges, all.reduced_edges);
  out +=
      "| plan of median size | calls | longest chain in tasks | in rounds | in rounds, gate first |\n| --- | ---: | "
      "---: | ---: | ---: |\n";
  out += fmt::format("| reference, one call after the other | {} | - | {} | - |\n", kReferenceSerial, kReferenceSerial);
  out += fmt::format("| reference, declared inputs, calls inside a task serial | {} | 36 | {} | - |\n",
                     kReferenceSerial, kReferenceDeclared);
  out += fmt::format("| this recipe, calls inside a task serial | {} | {} | {} | - |\n", all.calls_serial,
                     all.longest_by_tasks.tasks.size(), all.rounds_tasks_serial);
  out += table_row("this recipe, all details", all);
  out += table_row("this recipe, balanced", graph_facts(recipe, Speed::balanced));
  out += table_row("this recipe, fast", graph_facts(recipe, Speed::fast));
  out += fmt::format("| reference, fast, one call after the other | {} | - | {} | - |\n\n", kReferenceFastSerial,
                     kReferenceFastSerial);
  out += fmt::format("Longest chain in tasks ({}): {}.\n\n", all.longest_by_tasks.tasks.size(),
                     tree_of_chain(recipe, all.longest_by_tasks.tasks, Speed::all));
  out += fmt::format("Longest chain in rounds ({}): {}.\n", all.longest_by_rounds.rounds,
                     tree_of_chain(recipe, all.longest_by_rounds.tasks, Speed::all));
  const std::vector<GraphCut> cuts = graph_cuts(recipe, Speed::all);
  if (!cuts.empty()) out += "\n| link that, taken away, shortens a chain | tasks | rounds |\n| --- | ---: | ---: |\n";
  for (std::size_t i = 0; i < std::min(kCutsShown, cuts.size()); ++i)
    out += fmt::format("| {} <- {} | {} | {} |\n", cuts[i].to, cuts[i].from, cuts[i].tasks, cuts[i].rounds);
  return out;
}

std::string lint_report(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins,
                        std::vector<LintMessage> loading) {
  std::vector<LintMessage> messages = std::move(loading);
  for (LintMessage& message : lint(recipe, builtins)) messages.push_back(std::move(message));
  std::string out;
  for (const bool errors : {true, false})
    for (const LintMessage& message : messages)
      if (message.is_error == errors)
        out += fmt::format("{}: {}: {}\n", errors ? "error" : "warning", message.place, message.message);
  if (!out.empty()) out += "\n";
  out += chain_report(recipe);
  const auto errors = std::ranges::count_if(messages, [](const LintMessage& message) { return message.is_error; });
  return out + fmt::format("\n{} errors, {} warnings\n", errors, static_cast<std::ptrdiff_t>(messages.size()) - errors);
}

std::string show_task(const Recipe& recipe, std::string_view key) {
  const Task* task = recipe.task(key);
  if (!task) return {};
  std::string out = fmt::format("{}: {}\n", task->key, task->title);
  out += fmt::format("  {} of {}, stage {}, phase {}, {}, {}\n", task->position + 1, recipe.tasks.size(), task->stage,
                     task->phase, kind_name(task->kind), task->required ? "required" : "may fail");
  out += fmt::format("  planned calls: {}\n", calls_text(*task));
  std::vector<std::string> inputs;
  for (const Task::Edge& edge : task->edges) inputs.push_back(edge.from + (edge.tolerant ? "?" : ""));
  out += fmt::format("  reads: {}\n", inputs.empty() ? "nothing" : fmt::format("{}", fmt::join(inputs, ", ")));
  const std::vector<std::string> readers = readers_of(recipe, *task);
  out += fmt::format("  read by: {}\n", readers.empty() ? "nobody" : fmt::format("{}", fmt::join(readers, ", ")));
  if (!task->steps.empty()) out += "Steps\n";
  for (const Step& step : task->steps) show_step(step, out);
  if (!task->finish.empty()) out += fmt::format("Finish: {}\n", task->finish);
  out += "Outputs\n";
  for (const Output& output : task->outputs)
    out += fmt::format("  {:<12} {} ({})\n", output.name, output.filename, output.content_type);
  for (const auto& [name, view] : task->derived) out += fmt::format("  {:<12} derived text, not stored\n", name);
  return out;
}

}  // namespace planexe::recipe
