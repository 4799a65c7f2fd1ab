#include <algorithm>
#include <set>
#include <utility>

#include "base/hash.hpp"
#include "engine/finish.hpp"
#include "engine/plan_run.hpp"
#include "recipe/template.hpp"

namespace planexe::engine {
namespace {

std::string element_key(const UnitRun& unit) {
  const auto slash = unit.unit.key.find('/');
  return slash == std::string::npos ? unit.unit.key : unit.unit.key.substr(slash + 1);
}

void add_roots(const std::vector<recipe::Path>& paths, const std::map<std::string, json::value>& values,
               std::map<std::string, json::value>& roots) {
  for (const auto& path : paths)
    if (const auto it = values.find(path.root()); it != values.end()) roots.try_emplace(it->first, it->second);
}

}  // namespace

json::value PlanRun::plan_value() const {
  return json::object{{"prompt", plan_.prompt},
                      {"title", plan_.title},
                      {"start_date", format_date(date_of(plan_.created_at))},
                      {"created_at", format_iso(plan_.created_at)},
                      {"intake", plan_.enriched_intake},
                      {"speed", plan_.speed_vs_detail},
                      {"rehearsal", plan_.rehearsal}};
}

std::shared_ptr<UnitContext> PlanRun::make_context(TaskRun& task, StepRun* step, UnitRun* unit) {
  auto context = std::make_shared<UnitContext>();
  context->scope = std::make_unique<recipe::Scope>();
  auto& scope = *context->scope;
  scope.set("plan", &plan_value_);
  for (const auto& edge : task.task->edges)
    if (const auto it = values_.find(edge.from); it != values_.end()) scope.set(it->first, &it->second);
  // Own values are copied: a judge may be called after the task has moved on.
  for (const auto& [name, value] : task.local) context->own.emplace(name, value);
  if (unit && step) add_unit_values(*step, *unit, *context);
  for (const auto& [name, value] : context->own) scope.set(name, &value);
  return context;
}

void PlanRun::add_unit_values(const StepRun& step, const UnitRun& unit, UnitContext& context) const {
  context.own["unit"] = json::object{{"number", unit.unit.number},
                                     {"total", static_cast<std::int64_t>(step.units.size())},
                                     {"key", element_key(unit)}};
  if (step.step->map) context.own[step.step->map->as] = unit.unit.element;
  if (step.step->has_rounds()) {
    json::array previous;
    for (const auto& earlier : step.units) {
      if (&earlier == &unit) break;
      if (earlier.row.state == "done") previous.push_back(earlier.row.result);
    }
    context.own["previous"] = std::move(previous);
  }
}

json::object PlanRun::step_value(const StepRun& step) const {
  if (!step.step->map && !step.step->has_rounds()) {
    const bool done = !step.units.empty() && step.units.front().row.state == "done";
    return {{"answer", done ? step.units.front().row.result : json::value(nullptr)}};
  }
  json::array items;
  for (const auto& unit : step.units) {
    json::object item{{"key", element_key(unit)},
                      {"number", unit.unit.number},
                      {"state", unit.row.state},
                      {"answer", unit.row.state == "done" ? unit.row.result : json::value(nullptr)},
                      {"element", unit.unit.element}};
    if (unit.row.state == "missing") item["error"] = unit.row.error_message;
    items.push_back(std::move(item));
  }
  return {{"items", std::move(items)}};
}

Result<plan::BuiltinInput> PlanRun::builtin_input(TaskRun& task, const std::vector<recipe::Path>& reads) {
  plan::BuiltinInput input;
  input.plan_id = plan_.plan_id;
  input.task_key = task.row.task_key;
  input.plan = plan_value_.as_object();
  const auto context = make_context(task);
  for (const auto& path : reads) {
    PLANEXE_TRY_ASSIGN(auto value, recipe::resolve(path, *context->scope));
    std::string name = path.text;
    std::erase(name, '?');
    input.reads[name] = std::move(value);
  }
  for (const auto& step : task.steps) {
    if (step.skipped || !task.local.contains(step.step->name)) continue;
    input.steps[step.step->name] = task.local.at(step.step->name);
  }
  input.statuses = task_statuses();
  return input;
}

json::object PlanRun::task_statuses() const {
  json::object statuses;
  for (const auto* task : order_)
    statuses[task->row.task_key] = json::object{{"status", task->row.state},
                                                {"reason", task->row.state_reason},
                                                {"error", task->row.error_message},
                                                {"degraded", task->row.degraded},
                                                {"title", task->task->title}};
  if (end_error_) statuses["plan"] = json::object{{"status", "failed"}, {"reason", end_error_->message}};
  return statuses;
}

Result<FinishJob> PlanRun::make_finish_job(TaskRun& task) {
  FinishJob job;
  job.recipe = config_.recipe;
  job.task = task.task;
  if (!task.task->finish.empty()) {
    PLANEXE_TRY_ASSIGN(job.input, builtin_input(task, task.task->finish_reads));
    const auto it = config_.builtins->find(task.task->finish);
    if (it == config_.builtins->end())
      return fail(ErrorCode::RecipeInvalid, "Task \"" + task.row.task_key + "\" names the unknown function \"" + task.task->finish + "\".");
    job.builtin = it->second;
  }
  for (const auto& [name, value] : task.local) job.own[name] = value;
  job.roots["plan"] = plan_value_;
  if (task.task->view) add_roots(task.task->view->paths(config_.recipe->fragments), values_, job.roots);
  for (const auto& [name, tmpl] : task.task->derived) add_roots(tmpl.paths(config_.recipe->fragments), values_, job.roots);
  for (const auto& [name, path] : task.task->from) add_roots({path}, values_, job.roots);
  std::set<std::string> models;
  int calls = 0;
  for (const auto& step : task.steps) {
    if (step.step->map) job.item_prompts.clear();
    for (const auto& unit : step.units) {
      const bool done = unit.row.state == "done";
      if (step.step->map) job.item_prompts.push_back(done ? unit.prompt.text() : "");
      if (!done) continue;
      ++calls;
      models.emplace(get_string(unit.row.meta, "model").value_or(""));
      job.system_prompt = unit.prompt.system;
      job.user_prompts.push_back(unit.prompt.text());
    }
  }
  json::array names;
  for (const auto& model : models) names.push_back(json::string(model));
  job.metadata = {{"models", std::move(names)}, {"calls", calls}};
  return job;
}

void PlanRun::put_file(const FinishedTask::File& file, const std::string& phase, const std::string& task_key) {
  store::ContentRow row;
  row.filename = file.filename;
  row.stage = phase;
  row.content_type = file.content_type;
  row.content = file.content;
  row.task_key = task_key;
  row.sha256 = sha256_hex(file.content);
  row.created_at = now_;
  row.size_bytes = static_cast<std::int64_t>(file.content.size());
  auto& version = versions_[file.filename];
  if (version.number == 0 || version.sha256 != row.sha256) version = {version.number + 1, row.sha256};
  write(store::PutFileRow{file.filename, file.content_type, row.sha256, task_key, file.filename, row.size_bytes});
  events_.store("artefact",
                {{"filename", file.filename},
                 {"content_type", file.content_type},
                 {"stage", phase},
                 {"size_bytes", row.size_bytes},
                 {"task_key", task_key.empty() ? json::value(nullptr) : json::value(task_key)},
                 {"version", version.number}},
                now_);
  write(store::PutContent{std::move(row)});
}

void PlanRun::release_memory(TaskRun& task) {
  // Prompts and step values live on in the database; the run keeps only what other tasks read.
  for (auto& step : task.steps)
    for (auto& unit : step.units) {
      unit.prompt = {};
      unit.context.reset();
      unit.row.result = nullptr;
      unit.ledger.reset();
    }
  task.local.clear();
  stored_items_.erase(task.row.task_key);
}

}  // namespace planexe::engine
