#include <fmt/format.h>

#include <map>

#include "base/text.hpp"
#include "recipe/answer.hpp"
#include "recipe/lint_parts.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

using Roots = std::map<std::string, json::value>;

std::string example_file(const Task& task, const Step& step) {
  const bool single = step.name == "main";
  return fmt::format("tasks/{}/{}", task.key, single ? "example.json" : step.name + ".example.json");
}

std::string schema_file(const Task& task, const Step& step) {
  return fmt::format("tasks/{}/{}", task.key, step.name == "main" ? "answer.schema.json" : step.name + ".schema.json");
}

/// The answers that the examples stand for, under the names that references use.
Roots example_roots(const Recipe& recipe) {
  Roots roots;
  for (const Task& task : recipe.tasks) {
    json::object root;
    for (const Step& step : task.steps)
      if (step.builtin.empty() && !has_items(step)) root[step.name] = json::object{{"answer", step.example}};
    if (const Step* single = single_asked_step(task); single && !has_items(*single)) root["answer"] = single->example;
    roots.emplace(task.key, std::move(root));
  }
  return roots;
}

/// Judges the examples of one step; what depends on values that no example has is left out.
class ExampleJudge {
 public:
  ExampleJudge(const Task& task, const Step& step, const Roots& roots, Problems& problems)
      : task_(task), step_(step), problems_(problems), place_(example_file(task, step)) {
    for (const auto& [name, value] : roots) scope_.set(name, &value);
    if (const auto own = roots.find(task.key); own != roots.end())
      for (const auto& member : own->second.get_object())
        if (task.step(member.key())) scope_.set(std::string(member.key()), &member.value());
  }

  void run() {
    if (step_.example.is_null()) return;
    if (!has_items(step_)) return judge(step_.example, nullptr, "");
    if (!step_.example.is_array()) return problems_.error(place_, "must be a list of answers, one per item or round");
    const json::array& answers = step_.example.get_array();
    const auto units = expand_units(step_, Speed::all, scope_);
    const bool known = units.has_value();
    if (answers.empty())
      problems_.error(place_, "has no answer");
    else if (known && units->size() != answers.size())
      problems_.warning(place_, fmt::format("has {} answers for {} items or rounds", answers.size(), units->size()));
    for (std::size_t i = 0; i < answers.size(); ++i)
      judge(answers[i], known && i < units->size() ? &(*units)[i].element : nullptr, fmt::format("[{}]", i));
  }

 private:
  void judge(const json::value& answer, const json::value* element, const std::string& which) {
    Scope inner(&scope_);
    if (element && step_.map) inner.set(step_.map->as, element);
    const AnswerVerdict verdict = judge_value(task_, step_, answer, inner);
    for (const AnswerProblem& problem : verdict.problems) {
      if (!problem.is_assert && problem.message.contains("cannot be checked:")) continue;
      if (problem.rule == "complete" && !problem.is_assert) continue;
      const std::string message = fmt::format("{}{}: {}: {}", which, problem.pointer, problem.rule, problem.message);
      if (problem.is_assert)
        problems_.error(place_, message);
      else
        problems_.warning(place_, message);
    }
  }

  const Task& task_;
  const Step& step_;
  Problems& problems_;
  std::string place_;
  Scope scope_;
};

}  // namespace

void lint_answers(const Recipe& recipe, Problems& problems) {
  const Roots roots = example_roots(recipe);
  for (const Task& task : recipe.tasks) {
    for (const Step& step : task.steps) {
      if (!step.builtin.empty()) continue;
      if (!step.text_answer && !step.schema.is_null())
        for (const AnswerProblem& problem : check_strict_subset(step.schema))
          problems.error(schema_file(task, step),
                         fmt::format("{}: {}", problem.pointer.empty() ? "(root)" : problem.pointer, problem.message));
      if (!step.schema.is_null() || step.text_answer) ExampleJudge(task, step, roots, problems).run();
    }
  }
}

}  // namespace planexe::recipe
