#include "engine/restore.hpp"

#include <cctype>
#include <utility>

#include "engine/finish.hpp"

namespace planexe::engine {
namespace {

json::value content_value(const store::ContentRow& row, const recipe::Output& output) {
  if (output.content_type != "json") return json::value(json::string(row.content));
  auto parsed = parse_json(row.content);
  return parsed ? std::move(*parsed) : json::value(json::string(row.content));
}

/// The number in a name made from a "{n}" pattern, 0 when the name is not of that pattern.
std::size_t number_in(std::string_view pattern, std::string_view name) {
  const auto at = pattern.find("{n}");
  const auto tail = pattern.substr(at + 3);
  if (!name.starts_with(pattern.substr(0, at)) || !name.ends_with(tail)) return 0;
  std::size_t number = 0;
  for (const char c : name.substr(at, name.size() - at - tail.size())) {
    if (!std::isdigit(static_cast<unsigned char>(c)) || number > 100000) return 0;
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return number;
}

}  // namespace

void Restore::begin() {
  for (auto* task : run_.order_) {
    auto& row = task->row;
    if (row.state == "running" || row.state == "ready") {
      row.state = "pending";
      row.state_reason.clear();
      run_.dirty_tasks_.insert(row.task_key);
    } else if (task->ended() && !task->succeeded()) {
      run_.values_[row.task_key] = json::object{{"status", row.state}};
    }
  }
}

bool Restore::load_ready() {
  bool moved = false;
  for (auto* task : run_.order_) {
    if (!task->succeeded() || task->loaded || !run_.inputs_ready(*task)) continue;
    moved = true;
    auto& row = task->row;
    if (auto restored = restore_task(*task); restored) {
      task->loaded = true;
      run_.apply_gate(*task);
      continue;
    } else {
      run_.log_event("warning", "Stored results of " + row.task_key + " are computed again: " + restored.error().message, row.task_key);
    }
    row.state = "pending";
    run_.dirty_tasks_.insert(row.task_key);
    run_.values_.erase(row.task_key);
  }
  return moved;
}

json::value Restore::output_value(const recipe::Output& output) const {
  if (!output.numbered) {
    for (const auto& row : run_.stored_contents_)
      if (row.filename == output.filename) return content_value(row, output);
    return nullptr;
  }
  json::array list;
  for (const auto& row : run_.stored_contents_) {
    const auto number = number_in(output.filename, row.filename);
    if (number == 0) continue;
    if (list.size() < number) list.resize(number);
    list[number - 1] = content_value(row, output);
  }
  return list;
}

Result<void> Restore::restore_steps(TaskRun& task, json::object& values) {
  for (auto& step : task.steps) {
    PLANEXE_TRY(run_.expand_inner(task, step, PlanRun::Expanding::reading));
    if (!step.skipped && step.step->builtin.empty()) run_.publish_step_value(task, step);
  }
  for (const auto& [name, value] : task.local) values[name] = value;
  run_.release_memory(task);
  for (auto& step : task.steps) step = StepRun(step.step);
  return {};
}

Result<void> Restore::restore_task(TaskRun& task) {
  json::object values{{"status", task.row.state}};
  PLANEXE_TRY(restore_steps(task, values));
  json::object out;
  for (const auto& output : task.task->outputs) {
    auto value = output_value(output);
    if (value.is_null() && output.content_type != "json")
      return fail(ErrorCode::ContentNotFound, "the file " + output.filename + " is not stored");
    out[output.name] = value;
    values[output.name] = std::move(value);
  }
  recipe::Scope scope;
  scope.set("plan", &run_.plan_value_);
  for (const auto& edge : task.task->edges)
    if (const auto it = run_.values_.find(edge.from); it != run_.values_.end()) scope.set(it->first, &it->second);
  std::map<std::string, json::value> own;
  for (const auto& [name, value] : values) own.emplace(std::string(name), value);
  own["out"] = std::move(out);
  own["view"] = nullptr;
  for (const auto& [name, value] : own) scope.set(name, &value);
  PLANEXE_TRY(render_derived(*run_.config_.recipe, *task.task, scope, values));
  run_.values_[task.row.task_key] = std::move(values);
  return {};
}

}  // namespace planexe::engine
