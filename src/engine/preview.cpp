#include "engine/preview.hpp"

#include "engine/plan_run.hpp"
#include "engine/restore.hpp"

namespace planexe::engine {
namespace {

struct Opened {
  recipe::Recipe recipe;
  std::unique_ptr<PlanRun> run;
};

Result<std::unique_ptr<Opened>> open_run(store::Store& store, const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto snapshot, store.snapshot(plan_id));
  auto opened = std::make_unique<Opened>();
  PLANEXE_TRY_ASSIGN(opened->recipe, stored_recipe(store, snapshot.plan));
  RunConfig config;
  config.recipe = &opened->recipe;
  config.builtins = &plan::builtins();
  config.next_interaction_id = [] { return std::int64_t{0}; };
  const auto now = snapshot.plan.updated_at;
  opened->run = std::make_unique<PlanRun>(std::move(config), std::move(snapshot), store::UsageTotals{}, 0, now);
  return opened;
}

}  // namespace

Result<recipe::Recipe> stored_recipe(store::Store& store, const store::PlanRow& plan) {
  PLANEXE_TRY_ASSIGN(auto packed, store.recipe(plan.recipe_hash));
  if (!packed) return fail(ErrorCode::RecipeInvalid, "The recipe this plan was made with is not in the database.");
  PLANEXE_TRY_ASSIGN(auto files, recipe::unpack_recipe(*packed));
  return recipe::load_recipe(std::move(files));
}

Result<std::string> report_now(store::Store& store, const std::string& plan_id) {
  PLANEXE_TRY_ASSIGN(auto opened, open_run(store, plan_id));
  const auto& tasks = opened->recipe.tasks;
  if (tasks.empty()) return fail(ErrorCode::ReportNotFound, "The recipe of this plan has no tasks.");
  const auto& last = tasks.back();
  const auto* html = last.outputs.empty() ? nullptr : &last.outputs.front();
  if (!html) return fail(ErrorCode::ReportNotFound, "The recipe of this plan makes no report.");
  PLANEXE_TRY_ASSIGN(auto stored, store.content(plan_id, html->filename));
  if (stored && !stored->stale) return stored->content;
  PLANEXE_TRY_ASSIGN(auto finished, opened->run->preview(last.key));
  for (auto& file : finished.files)
    if (file.output == html->name) return std::move(file.content);
  return fail(ErrorCode::ReportNotFound, "The report task made no report.");
}

Result<std::vector<std::pair<std::string, recipe::Prompt>>> prompts_now(store::Store& store, const std::string& plan_id,
                                                                        const std::string& task_key) {
  PLANEXE_TRY_ASSIGN(auto opened, open_run(store, plan_id));
  if (!opened->recipe.task(task_key)) return fail(ErrorCode::TaskNotFound, "The plan has no task \"" + task_key + "\".");
  return opened->run->preview_prompts(task_key);
}

Result<FinishedTask> PlanRun::preview(const std::string& task_key) {
  Restore restore(*this);
  restore.begin();
  while (restore.load_ready()) {
  }
  auto& task = tasks_.at(task_key);
  for (const auto& edge : task.task->edges)
    values_.try_emplace(edge.from, json::object{{"status", tasks_.at(edge.from).row.state}});
  PLANEXE_TRY_ASSIGN(auto job, make_finish_job(task));
  return finish_task(job);
}

Result<std::vector<std::pair<std::string, recipe::Prompt>>> PlanRun::preview_prompts(const std::string& task_key) {
  Restore restore(*this);
  restore.begin();
  while (restore.load_ready()) {
  }
  std::vector<std::pair<std::string, recipe::Prompt>> prompts;
  auto& task = tasks_.at(task_key);
  for (auto& step : task.steps) {
    PLANEXE_TRY(expand_inner(task, step, Expanding::reading));
    for (auto& unit : step.units) {
      PLANEXE_TRY(prepare_unit(task, step, unit));
      prompts.emplace_back(unit.unit.key, unit.prompt);
    }
    publish_step_value(task, step);
  }
  return prompts;
}

}  // namespace planexe::engine
