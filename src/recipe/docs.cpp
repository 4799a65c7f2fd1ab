#include "recipe/docs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "recipe/filters.hpp"
#include "recipe/lint.hpp"
#include "recipe/prompt.hpp"
#include "recipe/report.hpp"
#include "recipe/rules.hpp"
#include "recipe/schema_walk.hpp"

namespace planexe::recipe {
namespace {

constexpr int kSchemaDepthMax = 8;

std::string cell(std::string_view text) {
  static const Filter filter{Filter::Kind::cell, 0, ""};
  auto value = apply_filter(filter, json::value(text));
  return value ? plain_text(*value).value_or("") : "";
}

std::string link(std::string_view key) { return fmt::format("[{}]({}.md)", key, key); }

std::string calls(const Task& task) {
  const int all = planned_calls(task, Speed::all);
  const int balanced = planned_calls(task, Speed::balanced);
  const int fast = planned_calls(task, Speed::fast);
  return all == balanced && all == fast ? std::to_string(all) : fmt::format("{} / {} / {}", all, balanced, fast);
}

std::string pipeline_page(const Recipe& recipe) {
  std::string out =
      "# The pipeline\n\nMade by `planexe recipe docs` from the recipe; calls are all / balanced / fast for a plan of "
      "median size.\n\n";
  out += "| # | task | title | stage | phase | calls | required |\n| ---: | --- | --- | --- | --- | ---: | --- |\n";
  for (const Task& task : recipe.tasks)
    out += fmt::format("| {} | [{}](tasks/{}.md) | {} | {} | {} | {} | {} |\n", task.position + 1, task.key, task.key,
                       cell(task.title), task.stage, task.phase, calls(task), task.required ? "yes" : "no");
  out += "\n## Calls and chains\n\n" + chain_report(recipe);
  out +=
      "\n## Graph\n\nDashed: the reader runs even when its input has failed. Edges that a longer way implies are left "
      "out.\n\n```mermaid\n" +
      graph_mermaid(recipe) + "```\n";
  return out;
}

void schema_rows(const json::value& root, const json::value& schema, const std::string& prefix, int depth,
                 std::string& out) {
  if (depth > kSchemaDepthMax) return;
  const json::value* target = resolve_ref(root, &schema);
  const json::object* properties = target ? get_object(*target, "properties") : nullptr;
  if (!properties) {
    if (const json::value* items = target ? item_schema(root, *target) : nullptr)
      schema_rows(root, *items, prefix + "[]", depth + 1, out);
    return;
  }
  for (const auto& member : *properties) {
    const std::string name =
        prefix.empty() ? std::string(member.key()) : fmt::format("{}.{}", prefix, std::string_view(member.key()));
    const std::string types = fmt::format("{}", fmt::join(admitted_types(root, member.value()), " or "));
    out +=
        fmt::format("| `{}` | {} | {} |\n", name, types, cell(get_string(member.value(), "description").value_or("")));
    schema_rows(root, member.value(), name, depth + 1, out);
  }
}

std::string rule_bounds(const Rule& rule) {
  const auto number = [](double value) {
    return to_json(value == static_cast<double>(static_cast<std::int64_t>(value))
                       ? json::value(static_cast<std::int64_t>(value))
                       : json::value(value));
  };
  switch (rule.kind) {
    case RuleKind::len:
    case RuleKind::words:
    case RuleKind::between:
      return rule.min == rule.max ? number(rule.min) : number(rule.min) + " to " + number(rule.max);
    case RuleKind::distinct: return number(rule.min);
    case RuleKind::sums_to: return number(rule.min);
    case RuleKind::max_share: return number(rule.max);
    case RuleKind::in:
    case RuleKind::covers: return fmt::format("`{}`", rule.reference ? rule.reference->text : "");
    case RuleKind::one_of:
    case RuleKind::ordered: return fmt::format("{}", fmt::join(rule.values, ", "));
    case RuleKind::matches:
    case RuleKind::not_matches: return rule.values.empty() ? "" : fmt::format("`{}`", rule.values.front());
    default: return {};
  }
}

void step_section(const Step& step, std::string& out) {
  out += fmt::format("\n## Step {}\n\n", step.name);
  if (!step.builtin.empty()) {
    out += fmt::format("Computed by the function `{}`.\n", step.builtin);
    return;
  }
  if (!step.context.empty()) {
    out += "Documents in the prompt:\n\n";
    for (const ContextEntry& entry : step.context)
      out += fmt::format("- `{}`{}\n", entry.path.text,
                         entry.limit ? fmt::format(", at most {} characters", entry.limit) : "");
    out += "\n";
  }
  if (step.map)
    out += fmt::format("One call per element of {}.\n\n",
                       step.map->over ? fmt::format("`{}`", step.map->over->text)
                                      : fmt::format("{} items of this folder", step.map->items.size()));
  if (step.has_rounds())
    out += fmt::format("{} rounds ({} fast); each sees the earlier answers.\n\n", step.rounds.all, step.rounds.fast);
  if (step.text_answer) {
    out += "The answer is plain text.\n";
  } else {
    out += "| field of the answer | type | meaning |\n| --- | --- | --- |\n";
    schema_rows(step.schema, step.schema, "", 0, out);
  }
  if (step.rules.empty()) return;
  out += "\n| rule | path | bound | when broken |\n| --- | --- | --- | --- |\n";
  for (const Rule& rule : step.rules)
    out += fmt::format("| {} | `{}` | {} | {} |\n", rule_name(rule.kind), rule.path.text, cell(rule_bounds(rule)),
                       rule.is_assert ? "asked again" : "recorded");
}

std::string task_page(const Recipe& recipe, const Task& task) {
  std::string out =
      fmt::format("# {}\n\n`{}`, task {} of {}, stage {}, phase {}. {} Planned calls: {}.\n\n", task.title, task.key,
                  task.position + 1, recipe.tasks.size(), task.stage, task.phase,
                  task.required ? "The plan needs it." : "Its failure fails only what needs it.", calls(task));
  std::vector<std::string> inputs;
  for (const Task::Edge& edge : task.edges)
    inputs.push_back(link(edge.from) + (edge.tolerant ? " (may have failed)" : ""));
  std::vector<std::string> readers;
  for (const Task& other : recipe.tasks)
    if (std::ranges::find(other.edges, task.key, &Task::Edge::from) != other.edges.end())
      readers.push_back(link(other.key));
  out += fmt::format("Reads: {}.\n\nRead by: {}.\n\n",
                     inputs.empty() ? "only the request" : fmt::format("{}", fmt::join(inputs, ", ")),
                     readers.empty() ? "nobody" : fmt::format("{}", fmt::join(readers, ", ")));
  out += "| output | file | type |\n| --- | --- | --- |\n";
  for (const Output& output : task.outputs)
    out += fmt::format("| {} | `{}` | {} |\n", output.name, output.filename, output.content_type);
  for (const auto& [name, view] : task.derived)
    out += fmt::format("| {} | not stored | text for other prompts |\n", name);
  for (const Step& step : task.steps) step_section(step, out);
  if (!task.finish.empty())
    out += fmt::format("\n## Finish\n\nThe function `{}` makes the outputs from the answers.\n", task.finish);
  return out;
}

}  // namespace

std::vector<DocPage> docs_pages(const Recipe& recipe) {
  std::vector<DocPage> pages;
  pages.push_back({"pipeline.md", pipeline_page(recipe)});
  for (const Task& task : recipe.tasks)
    pages.push_back({fmt::format("tasks/{}.md", task.key), task_page(recipe, task)});
  return pages;
}

}  // namespace planexe::recipe
