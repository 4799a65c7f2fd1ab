#include "server/task_view.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "plan/artefact.hpp"
#include "server/artefact_view.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

constexpr std::array<std::string_view, 8> kStates{"pending", "ready",   "running", "completed",
                                                  "failed",  "skipped", "blocked", "cancelled"};

using Positions = std::map<std::string_view, int>;

Positions positions_of(const std::vector<store::TaskRow>& tasks) {
  Positions positions;
  for (const auto& task : tasks) positions.emplace(task.task_key, static_cast<int>(positions.size()));
  return positions;
}

/// Edges between tasks of this plan, by the places of both ends.
std::vector<store::EdgeRow> sorted_edges(const std::vector<store::EdgeRow>& edges, const Positions& positions) {
  std::vector<store::EdgeRow> sorted;
  for (const auto& edge : edges)
    if (positions.contains(edge.from_key) && positions.contains(edge.to_key)) sorted.push_back(edge);
  std::ranges::sort(
      sorted, {}, [&](const auto& edge) { return std::pair(positions.at(edge.to_key), positions.at(edge.from_key)); });
  return sorted;
}

json::object output_object(std::string_view filename, const store::ContentRow* row) {
  return {{"filename", filename}, {"available", row != nullptr}, {"stale", row != nullptr && row->stale}};
}

/// What the recipe names, then what else the task has written: numbered files, whose count is known only afterwards. A
/// task that has ended without writing a file had nothing to write there.
json::array outputs_of(const store::TaskRow& task, const store::TaskBoard& board, const recipe::Recipe& recipe) {
  std::map<std::string_view, const store::ContentRow*> written;
  for (const auto& row : board.contents)
    if (row.task_key == task.task_key && is_listed_name(row.filename)) written.emplace(row.filename, &row);
  const bool ended = task.state == "completed" || task.state == "skipped";
  json::array outputs;
  if (const auto* known = recipe.task(task.task_key)) {
    for (const auto& output : known->outputs) {
      const auto found = written.find(output.filename);
      if (output.numbered || (ended && found == written.end())) continue;
      outputs.push_back(output_object(output.filename, found == written.end() ? nullptr : found->second));
      if (found != written.end()) written.erase(found);
    }
  }
  std::vector<const store::ContentRow*> others;
  for (const auto& [name, row] : written) others.push_back(row);
  std::ranges::sort(others, {}, [](const auto* row) {
    return std::pair(plan::artefact_order(row->filename), std::string_view(row->filename));
  });
  for (const auto* row : others) outputs.push_back(output_object(row->filename, row));
  return outputs;
}

json::array attempts_of(const store::TaskRow& task, const store::TaskBoard& board) {
  json::array attempts;
  for (const auto& attempt : board.attempts) {
    // A task that was blocked before it ever began has no attempt.
    if (attempt.task_key != task.task_key || attempt.attempt < 1) continue;
    attempts.push_back(json::object{{"attempt", attempt.attempt},
                                    {"run_attempt", attempt.run_attempt},
                                    {"state", attempt.state},
                                    {"started_at", view::time_or_null(attempt.started_at)},
                                    {"finished_at", view::time_or_null(attempt.finished_at)},
                                    {"error", view::task_error(attempt.error_code, attempt.error_message)}});
  }
  return attempts;
}

void add_usage(const store::TaskUsage& usage, json::object& object) {
  auto tokens = view::token_fields(usage.totals);
  tokens.erase("total_tokens");
  for (auto& [name, value] : tokens) object[name] = std::move(value);
  object["queue_ms"] = usage.queue_ms;
  object["llm_calls"] = usage.totals.calls;
  object["retries"] = usage.totals.retries;
  object["repairs"] = usage.totals.repairs;
  object["cost_micros"] = view::cost_or_null(usage.totals);
}

json::value units_of(const store::TaskRow& task) {
  if (task.units_total <= 1) return nullptr;
  return json::object{{"total", task.units_total}, {"done", task.units_done}, {"failed", task.units_failed}};
}

json::object task_object(const store::PlanRow& plan, const store::TaskRow& task, const store::TaskBoard& board,
                         const recipe::Recipe& recipe) {
  json::object object{{"task_key", task.task_key},
                      {"title", view::task_title(recipe, task.task_key)},
                      {"phase", task.phase},
                      {"position", task.position},
                      {"state", task.state},
                      {"state_reason", view::text_or_null(task.state_reason)},
                      {"attempt", task.attempt},
                      {"max_attempts", task.max_attempts},
                      {"retryable", is_retryable(plan, task, recipe)},
                      {"outputs", outputs_of(task, board, recipe)},
                      {"units", units_of(task)},
                      {"started_at", view::time_or_null(task.started_at)},
                      {"finished_at", view::time_or_null(task.finished_at)},
                      {"duration_ms", task.started_at ? json::value(task.duration_ms) : json::value(nullptr)},
                      {"weight", std::max(1, task.weight)},
                      {"model", view::text_or_null(task.model)},
                      {"degraded", task.degraded},
                      {"error", view::task_error(task.error_code, task.error_message)},
                      {"attempts", attempts_of(task, board)}};
  const auto usage = board.usage.find(task.task_key);
  add_usage(usage == board.usage.end() ? store::TaskUsage{} : usage->second, object);
  return object;
}

json::object counts_of(const std::vector<store::TaskRow>& tasks) {
  json::object counts;
  for (const auto state : kStates)
    counts[state] = std::ranges::count(tasks, state, [](const auto& task) { return std::string_view(task.state); });
  return counts;
}

}  // namespace

bool is_retryable(const store::PlanRow& plan, const store::TaskRow& task, const recipe::Recipe& recipe) {
  if (plan.status == "pending" || (plan.status == "running" && task.state != "failed")) return false;
  const auto* known = recipe.task(task.task_key);
  return known != nullptr && known->kind != recipe::TaskKind::given;
}

json::object task_list(const store::PlanRow& plan, const store::TaskBoard& board, const recipe::Recipe& recipe) {
  const auto edges = sorted_edges(board.edges, positions_of(board.tasks));
  std::map<std::string_view, json::array> needs;
  json::array edge_list;
  for (const auto& edge : edges) {
    needs[edge.to_key].push_back(json::string(edge.from_key));
    edge_list.push_back(json::object{{"from", edge.from_key}, {"to", edge.to_key}});
  }
  json::array tasks;
  for (const auto& task : board.tasks) {
    auto object = task_object(plan, task, board, recipe);
    object["depends_on"] = std::move(needs[task.task_key]);
    tasks.push_back(std::move(object));
  }
  return {{"plan_id", plan.plan_id},   {"total", board.tasks.size()},   {"counts", counts_of(board.tasks)},
          {"tasks", std::move(tasks)}, {"edges", std::move(edge_list)}, {"last_seq", board.last_seq}};
}

}  // namespace planexe::server
