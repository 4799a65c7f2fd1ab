#include <fmt/core.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "base/text.hpp"
#include "base/zip.hpp"
#include "base/file.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/progress.hpp"
#include "engine/preview.hpp"
#include "plan/export.hpp"

namespace planexe::cli {
namespace {

constexpr auto kCancelWait = std::chrono::seconds(5);

json::value time_or_null(const std::optional<TimePoint>& time) { return time ? json::value(format_iso(*time)) : json::value(nullptr); }

json::object plan_object(const store::PlanRow& plan) {
  return {{"plan_id", plan.plan_id},
          {"status", plan.status},
          {"title", plan.title},
          {"prompt", plan.prompt},
          {"progress_percentage", plan.progress_percentage},
          {"progress_message", plan.progress_message},
          {"llm_model", plan.llm_model.empty() ? json::value(nullptr) : json::value(plan.llm_model)},
          {"speed_vs_detail", plan.speed_vs_detail},
          {"rehearsal", plan.rehearsal},
          {"error_code", plan.error_code.empty() ? json::value(nullptr) : json::value(plan.error_code)},
          {"error_message", plan.error_message.empty() ? json::value(nullptr) : json::value(plan.error_message)},
          {"created_at", format_iso(plan.created_at)},
          {"started_at", time_or_null(plan.started_at)},
          {"completed_at", time_or_null(plan.completed_at)},
          {"run_attempt", plan.run_attempt}};
}

json::object task_object(const store::TaskRow& task) {
  return {{"task_key", task.task_key},     {"phase", task.phase},           {"state", task.state},
          {"state_reason", task.state_reason}, {"attempt", task.attempt},   {"units_total", task.units_total},
          {"units_done", task.units_done}, {"units_failed", task.units_failed}, {"duration_ms", task.duration_ms},
          {"model", task.model},           {"degraded", task.degraded},     {"error_code", task.error_code},
          {"error_message", task.error_message}};
}

std::string one_line(const std::string& text, std::size_t width) {
  auto line = strip_control(text);
  for (auto& c : line)
    if (c == '\n' || c == '\t') c = ' ';
  return code_points(line) > width ? cut_code_points(line, width - 1) + "…" : line;
}

struct OpenPlan {
  std::unique_ptr<store::Store> store;
  std::string id;
};

Result<OpenPlan> open_plan(const App& app, const Command& command) {
  PLANEXE_TRY_ASSIGN(auto store, app.open_store());
  PLANEXE_TRY_ASSIGN(auto id, find_plan_id(*store, command.id));
  return OpenPlan{std::move(store), std::move(id)};
}

}  // namespace

Exit run_list(const App& app, const Command& command) {
  auto store = app.open_store();
  if (!store) return report(store.error());
  store::PlanQuery query;
  query.statuses = command.list.statuses;
  query.text = command.list.text;
  query.limit = command.list.limit;
  auto page = (*store)->plans(query);
  if (!page) return report(page.error());
  if (app.common.json) {
    json::array plans;
    for (const auto& plan : page->plans) plans.push_back(plan_object(plan));
    fmt::print("{}\n", to_json(plans));
    return Exit::ok;
  }
  if (page->plans.empty()) fmt::print(stderr, "No plans. Make one with: planexe plan \"what you want to plan\"\n");
  for (const auto& plan : page->plans)
    fmt::print("{}  {:<9} {:>3}%  {}  {}\n", plan.plan_id, plan.status, plan.progress_percentage, format_iso(plan.created_at).substr(0, 16),
               one_line(plan.title.empty() ? plan.prompt : plan.title, 60));
  if (!page->next_cursor.empty()) fmt::print(stderr, "There are more; use --limit or --search.\n");
  return Exit::ok;
}

Exit run_show(const App& app, const Command& command) {
  auto open = open_plan(app, command);
  if (!open) return report(open.error());
  auto plan = open->store->plan(open->id);
  auto tasks = open->store->tasks(open->id);
  auto usage = open->store->usage(open->id);
  auto files = open->store->contents(open->id);
  if (!plan || !tasks || !usage || !files) return report(!plan ? plan.error() : !tasks ? tasks.error() : !usage ? usage.error() : files.error());
  const auto& row = **plan;
  if (app.common.json) {
    auto object = plan_object(row);
    json::array list;
    for (const auto& task : *tasks) list.push_back(task_object(task));
    object["tasks"] = std::move(list);
    object["files"] = files->size();
    object["usage"] = json::object{{"llm_calls", usage->calls}, {"retries", usage->retries}, {"repairs", usage->repairs}, {"input_tokens", usage->input_tokens},
                                   {"cached_input_tokens", usage->cached_input_tokens}, {"output_tokens", usage->output_tokens},
                                   {"cost_micros", usage->cost_micros}, {"unpriced_calls", usage->unpriced}};
    fmt::print("{}\n", to_json(object));
    return Exit::ok;
  }
  fmt::print("{}\n{}, {}%{}\n{}\n\n", row.plan_id, row.status, row.progress_percentage, row.rehearsal ? ", rehearsal" : "", one_line(row.prompt, 200));
  if (!row.error_message.empty()) fmt::print("{}: {}\n\n", row.error_code, strip_control(row.error_message));
  for (const auto& task : *tasks) {
    std::string extra;
    if (task.units_total > 1) extra += fmt::format("  {}/{}", task.units_done, task.units_total);
    if (task.degraded) extra += "  with gaps";
    if (!task.state_reason.empty()) extra += "  " + task.state_reason;
    if (!task.error_message.empty()) extra += "  " + one_line(task.error_message, 100);
    fmt::print("  {:<46} {:<10} {:>10}{}\n", task.task_key, task.state, task.duration_ms > 0 ? human_duration(task.duration_ms) : "", extra);
  }
  fmt::print("\n{} model calls ({} retries, {} repairs), {} tokens in ({} cached), {} out, {}; {} files\n", usage->calls, usage->retries, usage->repairs,
             usage->input_tokens, usage->cached_input_tokens, usage->output_tokens, usage->unpriced > 0 ? "cost unknown" : human_cost(usage->cost_micros),
             files->size());
  return Exit::ok;
}

Exit run_cancel(const App& app, const Command& command) {
  auto open = open_plan(app, command);
  if (!open) return report(open.error());
  auto& store = *open->store;
  auto plan = store.plan(open->id);
  if (!plan) return report(plan.error());
  if ((*plan)->status == "completed" || (*plan)->status == "failed")
    return report(Error(ErrorCode::PlanNotCancellable, "The plan is " + (*plan)->status + "; there is nothing to cancel."));
  const auto written = store.commit({open->id, std::nullopt, {store::RequestCancel{app.clock->now()}}, "cancel_request"});
  if (!written.ok()) return report(written.error.value_or(Error(ErrorCode::DatabaseError, "The request could not be stored.")));
  // The running process sees the request within 250 ms; its last commit says that it has stopped.
  const auto deadline = app.clock->steady() + kCancelWait;
  while (app.clock->steady() < deadline) {
    plan = store.plan(open->id);
    if (!plan) return report(plan.error());
    if ((*plan)->status != "running" && (*plan)->status != "pending") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  fmt::print("{}\n", (*plan)->status == "cancelled" ? "cancelled" : "cancel requested; no process answers, the next resume will see it");
  return Exit::ok;
}

Exit run_delete(const App& app, const Command& command) {
  auto open = open_plan(app, command);
  if (!open) return report(open.error());
  auto& store = *open->store;
  if (!command.yes) {
    if (isatty(STDIN_FILENO) == 0) return report(Error(ErrorCode::InvalidArgument, "Deleting needs --yes where nobody can be asked."));
    fmt::print(stderr, "Delete {} with all its results? Type yes: ", open->id);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "yes") return Exit::ok;
  }
  // Raising the fencing number first makes every late write of a running process fail.
  auto lease = store.acquire_lease(open->id, "delete-" + std::to_string(getpid()), std::chrono::seconds(15), true);
  if (!lease) return report(lease.error());
  const auto result = store.commit({open->id, std::nullopt, {store::DeletePlan{}}, "delete"});
  if (!result.ok()) return report(result.error.value_or(Error(ErrorCode::DatabaseError, "The plan could not be deleted.")));
  std::error_code ignored;
  std::filesystem::remove_all(app.run_dir / open->id, ignored);
  fmt::print("deleted\n");
  return Exit::ok;
}

Exit run_export(const App& app, const Command& command) {
  auto open = open_plan(app, command);
  if (!open) return report(open.error());
  if (!command.export_.dir.empty()) {
    if (auto copied = copy_plan_files(*open->store, open->id, command.export_.dir, command.export_.raw); !copied) return report(copied.error());
    fmt::print("{}\n", command.export_.dir);
    return Exit::ok;
  }
  const auto path = command.export_.zip.empty() ? open->id + ".zip" : command.export_.zip;
  auto rows = open->store->contents(open->id);
  if (!rows) return report(rows.error());
  std::vector<plan::BundleFile> files;
  for (const auto& row : *rows) files.push_back({row.filename, row.task_key, row.size_bytes});
  auto plan = open->store->plan(open->id);
  if (!plan) return report(plan.error());
  const auto load = [&](const std::string& name) -> Result<std::optional<plan::BundleContent>> {
    PLANEXE_TRY_ASSIGN(auto content, open->store->content(open->id, name));
    if (!content) return fail(ErrorCode::ContentNotFound, "The file " + name + " is gone.");
    return plan::BundleContent{std::move(content->content), content->version, content->stale};
  };
  auto bundle = plan::Bundle::make(plan_object(**plan), std::move(files), load, {command.export_.raw, app.clock->now()});
  if (!bundle) return report(bundle.error());
  auto writer = ZipWriter::to_file(path);
  if (!writer) return report(writer.error());
  const auto written = plan::write_bundle(*writer, std::move(*bundle));
  if (!written) return report(written.error());
  fmt::print("{}\n", path);
  return Exit::ok;
}

Exit run_report(const App& app, const Command& command) {
  auto open = open_plan(app, command);
  if (!open) return report(open.error());
  auto html = engine::report_now(*open->store, open->id);
  if (!html) return report(html.error());
  if (command.report.output == "-") {
    fmt::print("{}", *html);
    return Exit::ok;
  }
  const auto path = command.report.output.empty() ? open->id + "-report.html" : command.report.output;
  if (auto written = write_file_atomic(path, *html); !written) return report(written.error());
  fmt::print("{}\n", std::filesystem::absolute(path).string());
  if (command.report.open) open_in_browser(std::filesystem::absolute(path));
  return Exit::ok;
}

}  // namespace planexe::cli
