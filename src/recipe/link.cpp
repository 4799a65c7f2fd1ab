#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/hash.hpp"
#include "recipe/loader.hpp"
#include "recipe/names.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

using Where = Reference::Where;
constexpr std::array<std::string_view, 5> kPlanFields = {"prompt", "start_date", "intake", "speed", "title"};

/// Checks the references of one task and notes the tasks that it reads.
class TaskLinker {
 public:
  TaskLinker(const Recipe& recipe, Task& task, Problems& problems)
      : recipe_(recipe), task_(task), problems_(problems) {}

  void run() {
    for (std::size_t i = 0; i < task_.steps.size(); ++i)
      for (const Reference& reference : step_references(recipe_, task_, task_.steps[i])) check(reference, i);
    for (const Reference& reference : finish_references(recipe_, task_)) check(reference, task_.steps.size());
    for (const auto& [position, tolerant] : found_)
      task_.edges.push_back({recipe_.tasks[static_cast<std::size_t>(position)].key, tolerant});
    check_fragments();
  }

 private:
  void bad(const Reference& reference, const std::string& why) {
    problems_.error(reference.place, fmt::format("{}: {}", reference.path.text, why));
  }

  /// `index`: the step that the reference belongs to, or the number of steps for the finish.
  void check(const Reference& reference, std::size_t index) {
    if (check_own(reference, index)) return;
    const Path& path = reference.path;
    if (path.root() == "plan") return check_plan(reference);
    const Task* other = recipe_.task(path.root());
    if (!other)
      return bad(reference, fmt::format("there is no task or value '{}' here{}", path.root(),
                                        did_you_mean(path.root(), all_roots(index))));
    if (other == &task_)
      return bad(reference, "a task does not name itself; own values are answer, items, STEP.answer, out.NAME");
    if (check_member(reference, *other)) note(*other, tolerant_edge(path));
  }

  bool check_own(const Reference& reference, std::size_t index) {
    const std::string& root = reference.path.root();
    const bool at_end = index == task_.steps.size();
    const Step* step = at_end ? nullptr : &task_.steps[index];
    const bool asks =
        reference.where == Where::prompt || reference.where == Where::rule || reference.where == Where::expect;
    if (step && step->map && root == step->map->as && asks) return true;
    if (root == "unit" && asks && step) return true;
    if (root == "previous" && step && step->has_rounds() && asks) return true;
    if (root == "answer" && reference.where == Where::rule) return true;
    if (root == "out" || root == "view") {
      const bool late =
          reference.where == Where::view || reference.where == Where::derived || reference.where == Where::from;
      if (!late)
        bad(reference, "exists only after the finish, in views and [from]");
      else if (root == "out")
        check_out(reference);
      return true;
    }
    if (root == "answer" || root == "items") {
      check_single(reference, index);
      return true;
    }
    const auto own = std::ranges::find(task_.steps, root, &Step::name);
    if (own == task_.steps.end()) return false;
    if (static_cast<std::size_t>(own - task_.steps.begin()) >= index)
      bad(reference, fmt::format("step '{}' does not come earlier", root));
    else
      check_step_value(reference, *own, 1);
    return true;
  }

  void check_out(const Reference& reference) {
    const auto& steps = reference.path.steps;
    if (steps.size() < 2 || !task_.output(steps[1].name))
      bad(reference, fmt::format("out has the outputs of this task: {}", output_names(task_)));
  }

  void check_single(const Reference& reference, std::size_t index) {
    const Step* single = single_asked_step(task_);
    const std::string& root = reference.path.root();
    if (!single) return bad(reference, fmt::format("the task has not exactly one asked step; write STEP.{}", root));
    if (static_cast<std::size_t>(single - task_.steps.data()) >= index)
      return bad(reference, "the answer does not exist yet");
    if ((root == "items") != has_items(*single))
      bad(reference, has_items(*single) ? "the step is mapped or has rounds; write items"
                                        : "the step has one answer; write answer");
  }

  /// steps[at] must be answer or items, as the step has it.
  void check_step_value(const Reference& reference, const Step& step, std::size_t at) {
    const auto& steps = reference.path.steps;
    const std::string wanted = has_items(step) ? "items" : "answer";
    if (steps.size() <= at || steps[at].name != wanted)
      bad(reference, fmt::format("after '{}' comes {}", steps[at - 1].name, wanted));
  }

  void check_plan(const Reference& reference) {
    const auto& steps = reference.path.steps;
    if (steps.size() > 1 && std::ranges::find(kPlanFields, steps[1].name) != kPlanFields.end()) return;
    bad(reference, fmt::format("plan has {}", fmt::join(kPlanFields, ", ")));
  }

  bool check_member(const Reference& reference, const Task& other) {
    const auto& steps = reference.path.steps;
    if (steps.size() < 2)
      return bad(reference, fmt::format("name what of the task is meant: {}", member_names(other))), false;
    const std::string& name = steps[1].name;
    if (name == "status" || other.output(name) || other.derived.contains(name)) return true;
    if (const Step* step = other.step(name)) {
      check_step_value(reference, *step, 2);
      return true;
    }
    const Step* single = single_asked_step(other);
    if ((name == "answer" || name == "items") && single) {
      if ((name == "items") != has_items(*single))
        bad(reference, fmt::format("the task has {}", has_items(*single) ? "items" : "one answer"));
      return true;
    }
    bad(reference, fmt::format("the task {} has no '{}'; it has {}", other.key, name, member_names(other)));
    return false;
  }

  static std::string output_names(const Task& task) {
    std::vector<std::string> names;
    for (const Output& output : task.outputs) names.push_back(output.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  static std::string member_names(const Task& task) {
    std::vector<std::string> names;
    for (const Output& output : task.outputs) names.push_back(output.name);
    for (const auto& [name, view] : task.derived) names.push_back(name);
    if (const Step* single = single_asked_step(task)) names.emplace_back(has_items(*single) ? "items" : "answer");
    return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
  }

  std::vector<std::string> all_roots(std::size_t index) const {
    std::vector<std::string> names = {"plan", "answer", "items", "out", "view", "unit", "previous"};
    for (const Task& task : recipe_.tasks) names.push_back(task.key);
    for (const Step& step : task_.steps) names.push_back(step.name);
    if (index < task_.steps.size() && task_.steps[index].map) names.push_back(task_.steps[index].map->as);
    return names;
  }

  void note(const Task& other, bool tolerant) {
    const auto [edge, fresh] = found_.emplace(other.position, tolerant);
    if (!fresh) edge->second = edge->second && tolerant;
  }

  void check_fragments() {
    std::vector<const Template*> templates;
    for (const Step& step : task_.steps) {
      templates.push_back(&step.task_template);
      if (step.item_template) templates.push_back(&*step.item_template);
    }
    if (task_.view) templates.push_back(&*task_.view);
    for (const auto& [name, view] : task_.derived) templates.push_back(&view);
    std::vector<std::string> known;
    for (const auto& [name, fragment] : recipe_.fragments) known.push_back(name);
    for (const Template* tmpl : templates)
      for (const std::string& name : tmpl->fragments())
        if (!recipe_.fragments.contains(name))
          problems_.error(tmpl->file, fmt::format("there is no fragment '{}'{}", name, did_you_mean(name, known)));
  }

  const Recipe& recipe_;
  Task& task_;
  Problems& problems_;
  std::map<int, bool> found_;  // position of a task that is read -> every use is tolerant
};

/// Names that two things share: a step, or the element of a map, called like a task.
void check_clashes(const Recipe& recipe, Problems& problems) {
  for (const Task& task : recipe.tasks) {
    const std::string place = fmt::format("tasks/{}/task.toml", task.key);
    for (const Step& step : task.steps) {
      if (recipe.task(step.name)) problems.error(place, fmt::format("the step '{}' has the name of a task", step.name));
      if (!step.map) continue;
      const std::string& as = step.map->as;
      const bool taken = as == "plan" || as == "answer" || as == "items" || as == "out" || as == "view" ||
                         as == "unit" || as == "previous";
      if (taken || recipe.task(as) || task.step(as))
        problems.error(place, fmt::format("as = \"{}\": the name is taken; choose another", as));
    }
  }
}

/// Depth-first search that reports the first circle it closes.
class CycleFinder {
 public:
  CycleFinder(const Recipe& recipe, Problems& problems)
      : recipe_(recipe), problems_(problems), state_(recipe.tasks.size(), State::fresh) {}

  void run() {
    for (const Task& task : recipe_.tasks)
      if (visit(task)) return;
  }

 private:
  enum class State { fresh, open, done };

  bool visit(const Task& task) {
    State& state = state_[static_cast<std::size_t>(task.position)];
    if (state == State::done) return false;
    if (state == State::open) return report(task);
    state = State::open;
    trail_.push_back(task.key);
    for (const Task::Edge& edge : task.edges)
      if (const Task* from = recipe_.task(edge.from); from && visit(*from)) return true;
    trail_.pop_back();
    state = State::done;
    return false;
  }

  bool report(const Task& task) {
    const auto begin = std::ranges::find(trail_, task.key);
    std::vector<std::string> circle(begin, trail_.end());
    circle.push_back(task.key);
    problems_.error(fmt::format("tasks/{}", task.key),
                    fmt::format("tasks wait for each other: {}", fmt::join(circle, " <- ")));
    return true;
  }

  const Recipe& recipe_;
  Problems& problems_;
  std::vector<State> state_;
  std::vector<std::string> trail_;
};

void seal(const Recipe& recipe, Template& tmpl) {
  std::map<std::string, const Template*> reached;
  std::vector<std::string> open = tmpl.fragments();
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    const auto fragment = recipe.fragments.find(name);
    if (fragment == recipe.fragments.end() || !reached.emplace(name, &fragment->second).second) continue;
    for (std::string& inner : fragment->second.fragments()) open.push_back(std::move(inner));
  }
  if (reached.empty()) return;
  Sha256 hash;
  hash.update(tmpl.source);
  for (const auto& [name, fragment] : reached)
    hash.update(fmt::format("\n{} {}\n", name, fragment->source.size())).update(fragment->source);
  tmpl.fingerprint = hash.hex();
}

}  // namespace

void link_recipe(Recipe& recipe, Problems& problems) {
  check_clashes(recipe, problems);
  for (Task& task : recipe.tasks) TaskLinker(recipe, task, problems).run();
  CycleFinder(recipe, problems).run();
}

void seal_fingerprints(Recipe& recipe) {
  for (Task& task : recipe.tasks) {
    for (Step& step : task.steps) {
      seal(recipe, step.task_template);
      if (step.item_template) seal(recipe, *step.item_template);
    }
    if (task.view) seal(recipe, *task.view);
    for (auto& [name, view] : task.derived) seal(recipe, view);
  }
  for (auto& [name, fragment] : recipe.fragments) seal(recipe, fragment);
}

}  // namespace planexe::recipe
