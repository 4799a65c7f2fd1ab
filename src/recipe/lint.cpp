#include "recipe/lint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "recipe/lint_parts.hpp"
#include "recipe/names.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

bool asks(const Task& task) {
  return std::ranges::any_of(task.steps, [](const Step& step) { return step.builtin.empty(); });
}

std::string settings(const Task& task) { return fmt::format("tasks/{}/task.toml", task.key); }

void check_outputs(const Task& task, Problems& problems) {
  if (task.kind == TaskKind::given) return;
  if (task.outputs.empty()) problems.error(settings(task), "has no [outputs]");
  std::size_t from_view = 0;
  for (const Output& output : task.outputs) {
    const bool markdown = output.content_type == "markdown";
    if (!task.finish.empty() || task.from.contains(output.name) || (output.name == "raw" && asks(task))) continue;
    if (markdown && task.view)
      ++from_view;
    else
      problems.error(settings(task), fmt::format("nothing makes the output '{}': it needs {}", output.name,
                                                 markdown ? "view.md" : "[from] or a finish function"));
  }
  if (from_view > 1)
    problems.warning(settings(task), "several Markdown outputs come from the one view.md and are equal");
  const bool has_markdown =
      std::ranges::any_of(task.outputs, [](const Output& output) { return output.content_type == "markdown"; });
  if (task.view && !has_markdown)
    problems.error(task.view->file, "no output shows this view: name an output with the extension .md");
}

void check_functions(const Task& task, const std::set<std::string, std::less<>>& builtins, Problems& problems) {
  if (builtins.empty()) return;
  const std::vector<std::string> known(builtins.begin(), builtins.end());
  const auto check = [&](const std::string& name) {
    if (!name.empty() && !builtins.contains(name))
      problems.error(settings(task), fmt::format("there is no function '{}'{}", name, did_you_mean(name, known)));
  };
  check(task.finish);
  for (const Step& step : task.steps) check(step.builtin);
}

void check_required(const Recipe& recipe, Problems& problems) {
  for (const Task& task : recipe.tasks) {
    const bool last = &task == &recipe.tasks.back();
    bool only_last = true;
    for (const Task& reader : recipe.tasks) {
      for (const Task::Edge& edge : reader.edges) {
        if (edge.from != task.key) continue;
        only_last = only_last && &reader == &recipe.tasks.back();
        if (!task.required && reader.required && !edge.tolerant)
          problems.error(settings(reader),
                         fmt::format("reads '{}', which may fail (required = false), without '?': {}.OUTPUT?", task.key,
                                     task.key));
      }
    }
    if (task.required && only_last && !last && task.kind == TaskKind::llm && task.key != recipe.gate)
      problems.warning(settings(task),
                       "only the last task reads this one; required = false lets the plan finish without it");
    if (last)
      for (const Task::Edge& edge : task.edges)
        if (!edge.tolerant && recipe.task(edge.from)->kind != TaskKind::given)
          problems.warning(
              settings(task),
              fmt::format("the last task reads '{}' without '?': a failed plan would have no report", edge.from));
  }
}

void check_order(const Recipe& recipe, Problems& problems) {
  for (const Task& task : recipe.tasks)
    for (const Task::Edge& edge : task.edges)
      if (const Task* from = recipe.task(edge.from); from && from->position > task.position)
        problems.warning(settings(task), fmt::format("reads '{}', which comes later in recipe.toml", edge.from));
  if (const Task* gate = recipe.task(recipe.gate))
    for (const Task::Edge& edge : gate->edges)
      if (asks(*recipe.task(edge.from)))
        problems.error(settings(*gate), fmt::format("the gate waits for '{}', which itself asks a model", edge.from));
}

void check_fragments(const Recipe& recipe, Problems& problems) {
  // The engine itself takes these two: the text of every request, and the condition of a sensitive one.
  std::set<std::string> used = {"system", "safety_framing"};
  const auto note = [&](const Template& tmpl) {
    for (const std::string& name : tmpl.fragments()) used.insert(name);
  };
  for (const Task& task : recipe.tasks) {
    for (const Step& step : task.steps) {
      note(step.task_template);
      if (step.item_template) note(*step.item_template);
    }
    if (task.view) note(*task.view);
    for (const auto& [name, view] : task.derived) note(view);
  }
  for (const auto& [name, fragment] : recipe.fragments) note(fragment);
  for (const auto& [name, fragment] : recipe.fragments)
    if (!used.contains(name)) problems.warning(fragment.file, "no prompt or view includes this fragment");
}

void check_titles(const Recipe& recipe, Problems& problems) {
  std::map<std::string, std::string> seen;
  for (const Task& task : recipe.tasks) {
    const auto [known, fresh] = seen.emplace(normalize_name(task.title), task.key);
    if (!fresh) problems.warning(settings(task), fmt::format("has the same title as {}", known->second));
  }
}

/// Fields of an answer that no view, prompt, rule or function of any task can see.
void check_unused_fields(const Recipe& recipe, const Task& task, Problems& problems) {
  const Step* step = single_asked_step(task);
  if (!task.finish.empty() || !step || step->text_answer || has_items(*step)) return;
  const json::value* properties = find(step->schema, "properties");
  if (!properties || !properties->is_object()) return;
  std::set<std::string> used;
  bool whole = false;
  const auto note = [&](const Path& path, std::size_t from) {
    if (path.steps.size() > from)
      used.insert(path.steps[from].name);
    else
      whole = true;
  };
  for (const Reference& reference : finish_references(recipe, task)) {
    if (reference.path.root() == "answer") note(reference.path, 1);
    if (reference.path.root() == step->name) note(reference.path, 2);
  }
  for (const Task& other : recipe.tasks) {
    std::vector<Reference> references = finish_references(recipe, other);
    for (const Step& reader : other.steps)
      std::ranges::move(step_references(recipe, other, reader), std::back_inserter(references));
    for (const Reference& reference : references) {
      if (reference.path.root() != task.key || reference.path.steps.size() < 2) continue;
      if (reference.path.steps[1].name == "answer" || reference.path.steps[1].name == "raw") note(reference.path, 2);
      if (reference.path.steps[1].name == step->name) note(reference.path, 3);
    }
  }
  if (whole) return;
  for (const auto& member : properties->get_object())
    if (!used.contains(std::string(member.key())))
      problems.warning(settings(task),
                       fmt::format("the answer field '{}' is in no view or prompt", std::string_view(member.key())));
}

}  // namespace

void lint_structure(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins, Problems& problems) {
  for (const Task& task : recipe.tasks) {
    check_outputs(task, problems);
    check_functions(task, builtins, problems);
    check_unused_fields(recipe, task, problems);
  }
  check_required(recipe, problems);
  check_order(recipe, problems);
  check_fragments(recipe, problems);
  check_titles(recipe, problems);
}

void lint_budget(const Recipe& recipe, Problems& problems) {
  std::map<std::string, std::size_t> sizes;
  for (const Task& task : recipe.tasks)
    for (const Step& step : task.steps)
      sizes[task.key] += step.example.is_null() ? 0 : code_points(to_json(step.example));
  for (const Task& task : recipe.tasks) {
    for (const Step& step : task.steps) {
      if (!step.builtin.empty()) continue;
      std::size_t characters = code_points(recipe.system.source) + code_points(step.task_template.source);
      for (const std::string& name : step.task_template.fragments())
        if (const auto fragment = recipe.fragments.find(name); fragment != recipe.fragments.end())
          characters += code_points(fragment->second.source);
      for (const ContextEntry& entry : step.context) {
        const std::size_t whole = sizes[entry.path.root()];
        characters += entry.limit > 0 ? std::min(entry.limit, whole) : whole;
      }
      const std::size_t tokens = (characters * 2 + 6) / 7;
      if (tokens > static_cast<std::size_t>(recipe.prompt_tokens_max))
        problems.error(step.task_template.file,
                       fmt::format("the prompt has about {} tokens with the examples alone; the budget is {}", tokens,
                                   recipe.prompt_tokens_max));
    }
  }
}

std::vector<LintMessage> lint(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins) {
  Problems problems;
  if (recipe.tasks.empty()) return {};
  lint_structure(recipe, builtins, problems);
  lint_paths(recipe, problems);
  lint_answers(recipe, problems);
  lint_budget(recipe, problems);
  return problems.take();
}

}  // namespace planexe::recipe
