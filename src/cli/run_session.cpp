#include "cli/run_session.hpp"

#include <fmt/core.h>

#include <csignal>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/files.hpp"

namespace planexe::cli {

Result<std::unique_ptr<RunSession>> RunSession::open(const App& app, const PlanOptions& options) {
  PLANEXE_TRY_ASSIGN(auto place, Workplace::open(app, {options}));
  return std::unique_ptr<RunSession>(new RunSession(app, std::move(place)));
}

void RunSession::handle_signals() {
  signals_.emplace(place_->loop(), SIGINT, SIGTERM);
  signals_->async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    interrupted_ = true;
    fmt::print(stderr, "\nStopping; finished results are kept. Once more stops at once.\n");
    engine().shut_down();
    signals_->async_wait([](const boost::system::error_code& again, int) {
      if (!again) std::_Exit(static_cast<int>(Exit::interrupted));
    });
  });
}

Exit RunSession::run_to_end(const std::string& plan_id, const PlanOptions& options) {
  auto row = store().plan(plan_id);
  auto tasks = store().tasks(plan_id);
  if (!row || !tasks) return report(!row ? row.error() : tasks.error());
  auto plan_recipe = engine().recipe_of(**row);
  if (!plan_recipe) return report(plan_recipe.error());
  watcher_ = std::make_unique<Watcher>(place_->loop(), app_.common, Progress(**plan_recipe, app_.clock->now()), *app_.clock);
  watcher_->begin(**row, *tasks);
  watcher_->set_refresh([this, plan_id](Progress& progress) {
    if (const auto* run = engine().find(plan_id))
      progress.set_totals(run->usage().input_tokens + run->usage().output_tokens, run->usage().cost_micros, run->usage().unpriced == 0,
                          run->plan().eta_seconds);
  });
  engine().on_events([this](const std::string&, const std::vector<engine::Event>& events) { watcher_->on_events(events); });
  engine().on_end([this](const std::string&, const engine::RunEnded& end) {
    end_ = end;
    watcher_->stop();
    signals_.reset();
    place_->client().shut_down();
    place_->loop().stop();
  });
  handle_signals();
  watcher_->start();
  if (auto started = engine().run(plan_id); !started) {
    watcher_->stop();
    return report(started.error());
  }
  place_->loop().run();
  engine().files().flush();
  return finish(plan_id, options);
}

Exit RunSession::finish(const std::string& plan_id, const PlanOptions& options) {
  auto plan = store().plan(plan_id);
  // Its own commits fail then, which would read as if the plan could be resumed.
  if (plan && !*plan) {
    fmt::print(stderr, "planexe: The plan was deleted while it was running.\n");
    return Exit::plan_failed;
  }
  if (end_ && end_->status.empty()) {
    const auto code = report(end_->error.value_or(Error(ErrorCode::Internal, "The run broke off.")));
    fmt::print(stderr, "Nothing that was accepted is lost. Go on with: planexe resume {}\n", plan_id);
    return code;
  }
  if (!plan) return report(plan.error());
  if (interrupted_ && (*plan)->status == "pending") {
    fmt::print(stderr, "Interrupted. Go on with: planexe resume {}\n", plan_id);
    return print_result(**plan, options, Exit::interrupted);
  }
  if ((*plan)->status == "completed") return print_result(**plan, options, Exit::ok);
  return print_result(**plan, options, print_failure(**plan));
}

Exit RunSession::print_failure(const store::PlanRow& plan) {
  if (plan.status == "cancelled") {
    fmt::print(stderr, "The plan was cancelled. Go on with: planexe resume {}\n", plan.plan_id);
    return Exit::interrupted;
  }
  fmt::print(stderr, "The plan failed: {} [{}]\n", strip_control(plan.error_message), plan.error_code);
  const auto code = error_code_from(plan.error_code).value_or(ErrorCode::TaskFailed);
  if (code == ErrorCode::PromptRefused) {
    fmt::print(stderr, "Nothing was planned. --redline warn plans with a warning instead, if you are sure.\n");
    return Exit::plan_failed;
  }
  if (code == ErrorCode::ProviderAuth)
    fmt::print(stderr, "Check the key of the provider (planexe models --check), then: planexe resume {}\n", plan.plan_id);
  else
    fmt::print(stderr, "What is finished is kept. Try the rest again with: planexe resume {}\n", plan.plan_id);
  return code == ErrorCode::ProviderAuth || code == ErrorCode::ProviderQuota ? Exit::configuration : Exit::plan_failed;
}

Exit RunSession::print_result(const store::PlanRow& plan, const PlanOptions& options, Exit exit) {
  const auto folder = std::filesystem::absolute(engine().files().folder(plan.plan_id)).lexically_normal();
  const auto report_path = folder / "029-report.html";
  const bool has_report = std::filesystem::exists(report_path);
  if (!options.out_dir.empty())
    if (auto copied = copy_plan_files(store(), plan.plan_id, options.out_dir); !copied) exit = report(copied.error());
  if (app_.common.json) {
    fmt::print("{}\n", to_json(json::object{{"type", "result"},
                                            {"plan_id", plan.plan_id},
                                            {"status", plan.status},
                                            {"error_code", plan.error_code.empty() ? json::value(nullptr) : json::value(plan.error_code)},
                                            {"error_message", plan.error_message},
                                            {"rehearsal", plan.rehearsal},
                                            {"folder", folder.string()},
                                            {"report", has_report ? json::value(report_path.string()) : json::value(nullptr)}}));
    return exit;
  }
  if (exit == Exit::ok) {
    auto usage = store().usage(plan.plan_id);
    const auto wall = plan.completed_at && plan.started_at ? (*plan.completed_at - *plan.started_at).count() : 0;
    fmt::print(stderr, "Done in {}", human_duration(wall));
    if (usage) fmt::print(stderr, ": {} model calls, {} tokens in, {} out, {}", usage->calls, usage->input_tokens, usage->output_tokens,
                          usage->unpriced > 0 ? "cost unknown" : human_cost(usage->cost_micros));
    fmt::print(stderr, ".\n{}Plan:   {}\nFiles:  {}\nReport: ", plan.rehearsal ? "REHEARSAL: the texts are prepared examples, not a real plan.\n" : "",
               plan.plan_id, folder.string());
  }
  if (has_report) {
    if (exit != Exit::ok) fmt::print(stderr, "Report of what exists: ");
    fmt::print("{}\n", report_path.string());
    if (options.open) open_in_browser(report_path);
  } else if (exit == Exit::ok) {
    fmt::print("\n");
  }
  return exit;
}

}  // namespace planexe::cli
