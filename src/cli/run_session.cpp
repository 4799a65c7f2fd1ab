#include "cli/run_session.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "store/url.hpp"

namespace planexe::cli {
namespace {

std::string owner_name(Random& random) { return "cli-" + std::to_string(getpid()) + "-" + uuid4(random).substr(0, 8); }

bool any_available(const App& app, const llm::Catalogue& catalogue) {
  for (const auto& model : catalogue.models)
    if (app.why_unavailable(model).empty()) return true;
  return false;
}

}  // namespace

Result<std::unique_ptr<RunSession>> RunSession::open(const App& app, const PlanOptions& options) {
  std::unique_ptr<RunSession> session(new RunSession(app));
  PLANEXE_TRY_ASSIGN(session->loaded_, app.load_recipe());
  PLANEXE_TRY_ASSIGN(session->catalogue_, app.load_catalogue());
  if (!options.model.empty() && !options.rehearsal) PLANEXE_TRY(session->check_model(options.model));
  PLANEXE_TRY(ensure_dir(app.data_dir));
  PLANEXE_TRY_ASSIGN(session->store_, app.open_store());
  PLANEXE_TRY(ensure_dir(app.run_dir));
  // Without the lock another process runs plans here; leases then decide who runs which.
  PLANEXE_TRY_ASSIGN(const auto url, store::parse_database_url(app.db_url, app.data_dir));
  if (auto lock = url.file.empty() ? Result<std::unique_ptr<store::DataDirLock>>(nullptr) : store::DataDirLock::acquire(url.file))
    session->lock_ = std::move(*lock);
  PLANEXE_TRY(session->open_model(options));
  engine::EngineOptions engine_options;
  engine_options.owner = owner_name(*app.random);
  engine_options.run_dir = app.run_dir;
  engine_options.exclusive = session->lock_ != nullptr;
  PLANEXE_TRY_ASSIGN(const auto minutes, app.settings.get_int("PLANEXE_RUN_TIMEOUT_MINUTES", 240, 1, 100000));
  engine_options.run_timeout = std::chrono::minutes(minutes);
  session->engine_ = std::make_unique<engine::Engine>(session->loop_, *session->store_, *session->client_, *app.clock, *app.random,
                                                      session->loaded_.files, session->loaded_.recipe, std::move(engine_options));
  return session;
}

Result<void> RunSession::open_model(const PlanOptions& options) {
  const bool rehearse = options.rehearsal || !options.answers.empty() || app_.settings.get("PLANEXE_REHEARSAL_URL").has_value();
  if (rehearse || !any_available(app_, catalogue_)) {
    PLANEXE_TRY_ASSIGN(const bool cloud, app_.settings.get_bool("PLANEXE_CLOUD_MODE", false));
    if (cloud && !rehearse)
      return fail(ErrorCode::ProviderNotConfigured, "No model provider is configured and PLANEXE_CLOUD_MODE is on; set a key, for example OPENAI_API_KEY.");
    PLANEXE_TRY_ASSIGN(auto process, RehearsalProcess::start(app_.settings, {options.answers, app_.settings.get_or("PLANEXE_RECIPE_DIR", "")}));
    rehearsal_ = std::move(process);
    catalogue_ = llm::rehearsal_catalogue(rehearsal_->base_url() + "/v1");
    if (!app_.common.json)
      fmt::print(stderr,
                 "REHEARSAL: {}. The rehearsal model answers: this is not a real plan, its texts are prepared examples.\n"
                 "           For real plans set a key (docs/providers), for example OPENAI_API_KEY in .env.\n",
                 rehearse ? "asked for" : "no model provider is configured");
  }
  PLANEXE_TRY_ASSIGN(auto client_options, app_.client_options(catalogue_));
  PLANEXE_TRY_ASSIGN(client_, llm::make_model_client(loop_.get_executor(), std::move(client_options), *app_.clock, *app_.random));
  return {};
}

Result<void> RunSession::check_model(const std::string& id) const {
  if (id.empty() || id == "auto") return {};
  const auto* model = catalogue_.find(id);
  if (!model) return fail(ErrorCode::ModelUnavailable, "The catalogue has no model \"" + strip_control(id) + "\"; see: planexe models");
  if (auto why = app_.why_unavailable(*model); !why.empty())
    return fail(ErrorCode::ModelUnavailable, "Model \"" + id + "\" cannot be asked: " + why);
  return {};
}

void RunSession::handle_signals(const std::string& plan_id) {
  signals_.emplace(loop_, SIGINT, SIGTERM);
  signals_->async_wait([this, plan_id](const boost::system::error_code& error, int) {
    if (error) return;
    interrupted_ = true;
    fmt::print(stderr, "\nStopping; finished results are kept. Once more stops at once.\n");
    engine_->shut_down();
    signals_->async_wait([](const boost::system::error_code& again, int) {
      if (!again) std::_Exit(static_cast<int>(Exit::interrupted));
    });
  });
}

Exit RunSession::run_to_end(const std::string& plan_id, const PlanOptions& options) {
  auto row = store_->plan(plan_id);
  auto tasks = store_->tasks(plan_id);
  if (!row || !tasks) return report(!row ? row.error() : tasks.error());
  auto plan_recipe = engine_->recipe_of(**row);
  if (!plan_recipe) return report(plan_recipe.error());
  watcher_ = std::make_unique<Watcher>(loop_, app_.common, Progress(**plan_recipe, app_.clock->now()), *app_.clock);
  watcher_->begin(**row, *tasks);
  watcher_->set_refresh([this, plan_id](Progress& progress) {
    if (const auto* run = engine_->find(plan_id))
      progress.set_totals(run->usage().input_tokens + run->usage().output_tokens, run->usage().cost_micros, run->usage().unpriced == 0,
                          run->plan().eta_seconds);
  });
  engine_->on_events([this](const std::string&, const std::vector<engine::Event>& events) { watcher_->on_events(events); });
  engine_->on_end([this](const std::string&, const engine::RunEnded& end) {
    end_ = end;
    watcher_->stop();
    signals_.reset();
    client_->shut_down();
    loop_.stop();
  });
  handle_signals(plan_id);
  watcher_->start();
  if (auto started = engine_->run(plan_id); !started) {
    watcher_->stop();
    return report(started.error());
  }
  loop_.run();
  engine_->files().flush();
  return finish(plan_id, options);
}

Exit RunSession::finish(const std::string& plan_id, const PlanOptions& options) {
  auto plan = store_->plan(plan_id);
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

Exit RunSession::print_failure(const store::PlanRow& plan) const {
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

Exit RunSession::print_result(const store::PlanRow& plan, const PlanOptions& options, Exit exit) const {
  const auto folder = std::filesystem::absolute(engine_->files().folder(plan.plan_id)).lexically_normal();
  const auto report_path = folder / "029-report.html";
  const bool has_report = std::filesystem::exists(report_path);
  if (!options.out_dir.empty())
    if (auto copied = copy_plan_files(*store_, plan.plan_id, options.out_dir); !copied) exit = report(copied.error());
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
    auto usage = store_->usage(plan.plan_id);
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
