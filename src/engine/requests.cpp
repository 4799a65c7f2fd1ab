#include "engine/requests.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "engine/intake_form.hpp"
#include "recipe/prompt.hpp"

namespace planexe::engine {
namespace {

constexpr std::size_t kPromptCharsMax = 50000;
constexpr std::size_t kTitleCharsMax = 120;

std::unexpected<Error> invalid(std::string message) { return fail(ErrorCode::ValidationFailed, std::move(message)); }

/// Where the tasks stand, as status events tell it.
json::object progress_of(const std::vector<store::TaskRow>& tasks) {
  json::object counts{{"completed", 0}, {"running", 0}, {"failed", 0}, {"blocked", 0}, {"skipped", 0}};
  double weight_done = 0;
  for (const auto& task : tasks) {
    if (auto* count = counts.if_contains(task.state)) count->as_int64() += 1;
    if (task.state == "completed" || task.state == "failed" || task.state == "skipped") weight_done += task.weight;
  }
  counts["total"] = tasks.size();
  counts["weight_done"] = weight_done;
  return counts;
}

/// Of an active plan: never 100.
int progress_percentage(const std::vector<store::TaskRow>& tasks) {
  std::int64_t total = 0, done = 0;
  for (const auto& task : tasks) {
    const int weight = std::max(1, task.weight);
    total += weight;
    if (task.state == "completed" || task.state == "failed" || task.state == "skipped") done += weight;
  }
  return total > 0 ? static_cast<int>(std::min<std::int64_t>(99, 100 * done / total)) : 0;
}

store::EventRow status_row(const store::PlanRow& plan, const std::vector<store::TaskRow>& tasks, std::int64_t seq, std::string_view message,
                           TimePoint now) {
  return {seq, "status", now,
          json::object{{"status", plan.status},
                       {"message", message},
                       {"progress_percentage", plan.progress_percentage},
                       {"progress", progress_of(tasks)},
                       {"error_code", plan.error_code.empty() ? json::value(nullptr) : json::value(plan.error_code)}},
          0};
}

/// The rows with those that `writes` puts in their place.
std::vector<store::TaskRow> with_writes(std::vector<store::TaskRow> tasks, const std::vector<store::Write>& writes) {
  for (const auto& write : writes) {
    const auto* put = std::get_if<store::PutTask>(&write);
    if (put == nullptr) continue;
    for (auto& task : tasks)
      if (task.task_key == put->task.task_key) task = put->task;
  }
  return tasks;
}

/// The plan row of a new run attempt, with its status event.
void begin_again(store::PlanRow& plan, const store::RunSnapshot& snapshot, std::string_view message, TimePoint now,
                 std::vector<store::Write>& writes) {
  plan.status = "pending";
  plan.error_code.clear();
  plan.error_message.clear();
  plan.failed_task_key.clear();
  plan.completed_at.reset();
  plan.cancel_requested_at.reset();
  plan.updated_at = now;
  plan.recovery_count = 0;
  ++plan.run_attempt;
  const auto tasks = with_writes(snapshot.tasks, writes);
  plan.progress_percentage = progress_percentage(tasks);
  plan.progress_message = message;
  const auto seq = std::max(snapshot.last_seq, plan.seq_reserved) + 1;
  writes.push_back(store::PutPlan{plan});
  writes.push_back(store::ReserveSeq{seq});
  writes.push_back(store::AppendEvents{{status_row(plan, tasks, seq, message, now)}});
}

void reset_row(store::TaskRow& row) {
  row.state = "pending";
  row.state_reason.clear();
  row.error_code.clear();
  row.error_message.clear();
  row.started_at.reset();
  row.finished_at.reset();
  row.duration_ms = 0;
}

bool active(const store::PlanRow& plan) { return plan.status == "pending" || plan.status == "running"; }

}  // namespace

std::vector<std::string> with_dependents(const recipe::Recipe& recipe, const std::set<std::string>& roots) {
  std::set<std::string> reached = roots;
  std::vector<std::string> ordered;
  for (const auto& task : recipe.tasks) {  // canonical order is topological
    const bool depends = std::any_of(task.edges.begin(), task.edges.end(), [&](const auto& edge) { return reached.contains(edge.from); });
    if (!depends && !reached.contains(task.key)) continue;
    reached.insert(task.key);
    ordered.push_back(task.key);
  }
  return ordered;
}

Result<void> check_request(CreateRequest& request) {
  if (!valid_utf8(request.prompt)) return invalid("The prompt is not valid UTF-8 text.");
  if (request.prompt.find('\0') != std::string::npos) return invalid("The prompt contains a NUL character.");
  request.prompt = trim(request.prompt);
  const auto length = code_points(request.prompt);
  if (length == 0) return invalid("The prompt is empty; describe in a sentence what is to be planned.");
  if (length > kPromptCharsMax)
    return invalid("The prompt has " + std::to_string(length) + " characters; the limit is " + std::to_string(kPromptCharsMax) + ".");
  if (!valid_utf8(request.title) || code_points(request.title) > kTitleCharsMax)
    return invalid("The title is longer than " + std::to_string(kTitleCharsMax) + " characters or not valid UTF-8.");
  const auto speed = recipe::speed_from(request.speed);
  if (!speed) return invalid("Unknown speed \"" + strip_control(request.speed) + "\"; use all, balanced or fast.");
  request.speed = recipe::to_string(*speed);
  constexpr std::array<std::string_view, 4> kEfforts{"minimal", "low", "medium", "high"};
  if (std::find(kEfforts.begin(), kEfforts.end(), request.effort) == kEfforts.end())
    return invalid("Unknown effort \"" + strip_control(request.effort) + "\"; use minimal, low, medium or high.");
  if (request.redline_mode != "block" && request.redline_mode != "warn")
    return invalid("Unknown gate mode \"" + strip_control(request.redline_mode) + "\"; use block or warn.");
  if (request.model == "auto") request.model.clear();
  if (!request.intake.is_null()) PLANEXE_TRY(check_intake(request.intake));
  if (request.max_cost_micros && *request.max_cost_micros <= 0) return invalid("The cost ceiling must be above 0.");
  return {};
}

store::Transaction make_plan(const CreateRequest& request, const recipe::Recipe& recipe, const std::string& packed_recipe,
                             const std::string& plan_id, TimePoint now) {
  store::PlanRow plan;
  plan.plan_id = plan.output_dir = plan_id;
  plan.user_id = request.user_id;
  plan.prompt = request.prompt;
  plan.title = request.title;
  plan.llm_model = request.model;
  plan.speed_vs_detail = request.speed;
  plan.reasoning_effort = request.effort;
  plan.enriched_intake = request.intake;
  plan.conversation_id = request.conversation_id;
  plan.redline_mode = request.redline_mode;
  plan.rehearsal = request.rehearsal;
  plan.created_at = plan.updated_at = now;
  plan.progress_message = "Waiting to start";
  plan.max_cost_micros = request.max_cost_micros;
  plan.pipeline_version = recipe.version;
  plan.recipe_hash = recipe.hash;
  plan.seq_reserved = 1;
  const auto speed = recipe::speed_from(request.speed).value_or(recipe::Speed::all);
  store::CreatePlan create;
  for (const auto& task : recipe.tasks) {
    store::TaskRow row;
    row.task_key = task.key;
    row.position = task.position;
    row.phase = task.phase;
    row.max_attempts = 1;
    row.weight = std::max(1, recipe::planned_calls(task, speed));
    create.tasks.push_back(std::move(row));
    for (const auto& edge : task.edges) create.edges.push_back({edge.from, task.key, edge.tolerant});
  }
  const auto event = status_row(plan, create.tasks, 1, "Plan is waiting to start", now);
  create.plan = std::move(plan);
  store::Transaction transaction{plan_id, std::nullopt, {}, "create"};
  transaction.writes.push_back(store::PutRecipe{recipe.hash, packed_recipe});
  transaction.writes.push_back(std::move(create));
  transaction.writes.push_back(store::AppendEvents{{event}});
  return transaction;
}

void apply_options(store::PlanRow& plan, const ResumeOptions& options) {
  if (options.model) plan.llm_model = *options.model == "auto" ? "" : *options.model;
  if (options.effort) plan.reasoning_effort = *options.effort;
  if (options.max_cost_micros) plan.max_cost_micros = options.max_cost_micros;
  if (options.rehearsal) plan.rehearsal = true;
}

store::Transaction make_abandon(const store::RunSnapshot& snapshot, TimePoint now) {
  auto plan = snapshot.plan;
  plan.status = "failed";
  plan.error_code = to_string(ErrorCode::RunAbandoned);
  plan.error_message = "The run broke off several times in a row without a new result; resume tries again.";
  plan.eta_seconds.reset();
  plan.completed_at = plan.updated_at = now;
  const auto seq = std::max(snapshot.last_seq, plan.seq_reserved) + 1;
  store::EventRow end{seq + 1, "stream_end", now, json::object{{"message", plan.error_message}, {"reason", plan.status}}, 0};
  auto status = status_row(plan, snapshot.tasks, seq, plan.error_message, now);
  return {plan.plan_id,
          std::nullopt,
          {store::PutPlan{plan}, store::ReserveSeq{end.seq}, store::AppendEvents{{std::move(status), std::move(end)}}, store::ReleaseLease{}},
          "abandon"};
}

Result<store::Transaction> make_resume(const store::RunSnapshot& snapshot, const recipe::Recipe& recipe,
                                       const ResumeOptions& options, TimePoint now) {
  auto plan = snapshot.plan;
  if (active(plan)) return fail(ErrorCode::PlanActive, "The plan is " + plan.status + "; it needs no resume.");
  if (plan.status == "completed")
    return fail(ErrorCode::PlanNotResumable, "The plan is complete; retry a task to have it made again.");
  if (plan.error_code == to_string(ErrorCode::PromptRefused))
    return fail(ErrorCode::PlanNotResumable, "The safety gate refused this prompt; only retry of \"" + recipe.gate + "\" has it judged again.");
  std::set<std::string> open;
  for (const auto& row : snapshot.tasks)
    if (row.state != "completed" && row.state != "skipped") open.insert(row.task_key);
  const auto reset = with_dependents(recipe, open);
  store::Transaction transaction{plan.plan_id, std::nullopt, {}, "resume"};
  transaction.writes.push_back(store::ExpectPlan{{"failed", "cancelled"}, plan.run_attempt});
  for (const auto& row : snapshot.tasks) {
    if (std::find(reset.begin(), reset.end(), row.task_key) == reset.end()) continue;
    auto task = row;
    reset_row(task);
    transaction.writes.push_back(store::PutTask{std::move(task)});
  }
  apply_options(plan, options);
  begin_again(plan, snapshot, "Plan goes on", now, transaction.writes);
  return transaction;
}

std::optional<RetryItems> retry_items_from(std::string_view name) {
  if (name.empty()) return RetryItems::automatic;
  if (name == "missing") return RetryItems::missing;
  if (name == "skipped") return RetryItems::skipped;
  if (name == "all") return RetryItems::all;
  return std::nullopt;
}

std::vector<store::ItemRow> items_to_ask(const std::vector<store::ItemRow>& of_task, RetryItems items) {
  const auto is_missing = [](const store::ItemRow& row) { return row.state == "missing"; };
  if (items == RetryItems::automatic) items = std::ranges::any_of(of_task, is_missing) ? RetryItems::missing : RetryItems::all;
  std::vector<store::ItemRow> rows;
  for (auto row : of_task) {
    if (items == RetryItems::missing ? row.state != "missing" : (row.state == "skipped") != (items == RetryItems::skipped)) continue;
    row.state = "waiting";
    row.state_reason = "requested";
    row.error_code.clear();
    row.error_message.clear();
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<RetryPlan> make_retry(const store::RunSnapshot& snapshot, const recipe::Recipe& recipe, const std::string& task_key,
                             const RetryOptions& options, TimePoint now) {
  auto plan = snapshot.plan;
  const auto* task = recipe.task(task_key);
  if (!task) return fail(ErrorCode::TaskNotFound, "The plan has no task \"" + strip_control(task_key) + "\".");
  if (active(plan)) return fail(ErrorCode::PlanActive, "The plan is " + plan.status + "; wait for its end or cancel it first.");
  if (task->kind == recipe::TaskKind::given)
    return fail(ErrorCode::TaskNotRetryable, "Task \"" + task_key + "\" is given by the request; make a new plan to change it.");
  RetryPlan out;
  out.reset_tasks = with_dependents(recipe, {task_key});
  out.transaction = {plan.plan_id, std::nullopt, {}, "retry"};
  auto& writes = out.transaction.writes;
  writes.push_back(store::ExpectPlan{{"completed", "failed", "cancelled"}, plan.run_attempt});
  std::vector<store::ItemRow> of_task;
  std::ranges::copy_if(snapshot.items, std::back_inserter(of_task), [&](const auto& item) { return item.task_key == task_key; });
  for (auto& item : items_to_ask(of_task, options.items)) writes.push_back(store::PutItem{std::move(item)});
  std::set<std::string> open(out.reset_tasks.begin(), out.reset_tasks.end());
  // A plan that failed or was cancelled has more open tasks; they come along, as in resume.
  for (const auto& row : snapshot.tasks)
    if (row.state != "completed" && row.state != "skipped") open.insert(row.task_key);
  for (const auto& key : with_dependents(recipe, open)) {
    for (const auto& row : snapshot.tasks) {
      if (row.task_key != key) continue;
      auto reset = row;
      reset_row(reset);
      if (key == task_key) {
        reset.ask_anew = true;
        if (options.run.model) reset.model = *options.run.model;
      }
      writes.push_back(store::PutTask{std::move(reset)});
      writes.push_back(store::MarkStale{key});
    }
  }
  auto run = options.run;
  run.model.reset();
  apply_options(plan, run);
  begin_again(plan, snapshot, "Task \"" + task->title + "\" is made again", now, writes);
  return out;
}

std::optional<std::string> canonical_task_key(const recipe::Recipe& recipe, std::string_view name) {
  if (recipe.task(name)) return std::string(name);
  // Stage names that the reference wrote instead of task keys.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kAliases{{
      {"vital_few_levers", "focus_on_vital_few_levers"},
      {"governance_phase1", "governance_phase1_audit"},
      {"governance_phase2", "governance_phase2_bodies"},
      {"governance_phase3", "governance_phase3_impl_plan"},
      {"governance_phase4", "governance_phase4_decision_escalation_matrix"},
      {"governance_phase5", "governance_phase5_monitoring_progress"},
      {"governance_phase6", "governance_phase6_extra"},
      {"initial_prompt", "setup"},
  }};
  for (const auto& [alias, key] : kAliases)
    if (alias == name && recipe.task(key)) return std::string(key);
  return std::nullopt;
}

}  // namespace planexe::engine
