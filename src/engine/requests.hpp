#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "recipe/recipe.hpp"
#include "store/store.hpp"

namespace planexe::engine {

/// What a user may ask for when a plan is made.
struct CreateRequest {
  std::string prompt;
  std::string title;
  std::string model;                    ///< catalogue id, "" or "auto" = automatic
  std::string speed = "all_details_but_slow";
  std::string effort = "medium";
  json::value intake;                   ///< object or null
  std::string conversation_id, user_id;
  std::string redline_mode = "block";
  std::optional<std::int64_t> max_cost_micros;
  bool rehearsal = false;
};

/// Checks the request: prompt 1..50000 characters after trimming, valid UTF-8, known speed, effort and mode. VALIDATION_FAILED says which field.
Result<void> check_request(CreateRequest& request);

/// The transaction that creates a plan with its tasks, edges, recipe and first event.
store::Transaction make_plan(const CreateRequest& request, const recipe::Recipe& recipe, const std::string& packed_recipe,
                             const std::string& plan_id, TimePoint now);

struct ResumeOptions {
  std::optional<std::string> model, effort;
  std::optional<std::int64_t> max_cost_micros;
  bool rehearsal = false;  ///< the rehearsal model answers from now on: the plan is marked as one

  [[nodiscard]] bool empty() const { return !model && !effort && !max_cost_micros && !rehearsal; }
};

/// Lays the options over the plan's own settings.
void apply_options(store::PlanRow& plan, const ResumeOptions& options);

/// From failed or cancelled: what did not succeed, and everything that depends on it, is pending again. PLAN_ACTIVE or PLAN_NOT_RESUMABLE otherwise.
Result<store::Transaction> make_resume(const store::RunSnapshot& snapshot, const recipe::Recipe& recipe,
                                       const ResumeOptions& options, TimePoint now);

/// The end of a plan whose runs break off again and again, with its events. The transaction needs the lease's fencing number.
store::Transaction make_abandon(const store::RunSnapshot& snapshot, TimePoint now);

enum class RetryItems { automatic, missing, skipped, all };
std::optional<RetryItems> retry_items_from(std::string_view name);

struct RetryOptions {
  RetryItems items = RetryItems::automatic;
  ResumeOptions run;  ///< its model is for this task only
};

/// Of the stored items of a task those that a retry asks again, marked as asked for; the rest keeps its answers.
/// `automatic`: the missing ones if there are any, else all.
std::vector<store::ItemRow> items_to_ask(const std::vector<store::ItemRow>& of_task, RetryItems items);

/// Tasks and everything that depends on them, in canonical order.
std::vector<std::string> with_dependents(const recipe::Recipe& recipe, const std::set<std::string>& roots);

struct RetryPlan {
  store::Transaction transaction;
  std::vector<std::string> reset_tasks;  ///< the task and its transitive dependents, canonical order
};

/// For a plan that does not run: the task is asked anew; its dependents are pending and keep what still fits. TASK_NOT_FOUND, TASK_NOT_RETRYABLE, PLAN_ACTIVE.
Result<RetryPlan> make_retry(const store::RunSnapshot& snapshot, const recipe::Recipe& recipe, const std::string& task_key,
                             const RetryOptions& options, TimePoint now);

/// Canonical task key for a key or one of the reference's stage names ("vital_few_levers"); nothing when unknown.
std::optional<std::string> canonical_task_key(const recipe::Recipe& recipe, std::string_view name);

}  // namespace planexe::engine
