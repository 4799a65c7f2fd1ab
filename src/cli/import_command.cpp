#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"
#include "base/zip.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "engine/engine.hpp"
#include "engine/import_plan.hpp"
#include "plan/import.hpp"

namespace planexe::cli {
namespace {

Result<std::vector<ZipEntry>> read_run(const std::string& path) {
  std::error_code ignored;
  auto files = std::filesystem::is_directory(path, ignored) ? read_folder(path) : read_zip(path);
  // Whatever is wrong with it, it is what the user named.
  if (!files) {
    const auto& message = files.error().message;
    return fail(ErrorCode::InvalidArgument, message.find(path) == std::string::npos ? path + ": " + message : message, files.error().detail);
  }
  return files;
}

/// Makes what code computes; no model is asked.
Result<store::PlanRow> compute(const App& app, const App::LoadedRecipe& loaded, store::Store& store, const std::string& plan_id) {
  boost::asio::io_context loop;
  auto client = engine::make_offline_client(loop.get_executor());
  engine::EngineOptions options;
  options.owner = "import-" + std::to_string(getpid());
  options.run_dir = app.run_dir;
  engine::Engine engine(loop, store, *client, *app.clock, *app.random, loaded.files, loaded.recipe, std::move(options));
  engine.on_end([&loop](const std::string&, const engine::RunEnded&) { loop.stop(); });
  PLANEXE_TRY(engine.run(plan_id));
  loop.run();
  engine.files().flush();
  PLANEXE_TRY_ASSIGN(auto row, store.plan(plan_id));
  if (!row) return fail(ErrorCode::PlanNotFound, "The imported plan is gone.");
  return *row;
}

Result<std::string> store_run(const App& app, const App::LoadedRecipe& loaded, store::Store& store, const plan::ImportedRun& run, std::string plan_id) {
  if (plan_id.empty()) plan_id = new_plan_id(*app.random);
  auto transaction = engine::make_import(run, *loaded.recipe, recipe::pack_recipe(loaded.files), plan_id, app.clock->now());
  const auto result = store.commit(std::move(transaction));
  if (!result.ok())
    return std::unexpected(result.error.value_or(Error(ErrorCode::DatabaseError, "The imported run could not be stored.")));
  return plan_id;
}

/// What neither the run held nor code could compute.
Result<std::vector<std::string>> open_tasks(store::Store& store, const std::string& plan_id) {
  std::vector<std::string> open;
  PLANEXE_TRY_ASSIGN(const auto tasks, store.tasks(plan_id));
  for (const auto& task : tasks)
    if (task.state != "completed" && task.state != "skipped") open.push_back(task.task_key);
  return open;
}

}  // namespace

Exit run_import(const App& app, const Command& command) {
  auto loaded = app.load_recipe();
  if (!loaded) return report(loaded.error());
  auto files = read_run(command.path);
  if (!files) return report(files.error());
  auto run = plan::import_run(std::move(*files), plan::task_files(*loaded->recipe));
  if (!run) return report(run.error());
  if (auto made = ensure_dir(app.run_dir); !made) return report(made.error());
  auto store = app.open_store();
  if (!store) return report(store.error());
  auto id = store_run(app, *loaded, **store, *run, command.plan.plan_id);
  if (!id) return report(id.error());
  auto plan = compute(app, *loaded, **store, *id);
  if (!plan) return report(plan.error());
  const auto folder = std::filesystem::absolute(app.run_dir / *id).lexically_normal();
  // The run has written what it computed; here come the files that were imported.
  if (auto copied = copy_plan_files(**store, *id, folder); !copied) return report(copied.error());
  auto open = open_tasks(**store, *id);
  if (!open) return report(open.error());
  if (app.common.json) {
    json::array keys;
    for (const auto& key : *open) keys.push_back(json::string(key));
    fmt::print("{}\n", to_json(json::object{{"plan_id", *id}, {"status", plan->status}, {"open_tasks", std::move(keys)}, {"attachments", run->attachments.size()},
                                            {"findings", run->findings.size()}, {"folder", folder.string()}}));
    return Exit::ok;
  }
  fmt::print(stderr, "Imported as {}: {} attachments, {} leftovers ignored.\n", *id, run->attachments.size(), run->ignored.size());
  for (const auto& finding : run->findings) fmt::print(stderr, "  {}: {}\n", strip_control(finding.path), strip_control(finding.message));
  if (plan->status != "completed")
    fmt::print(stderr, "Open tasks: {}\nAsk a model for them with: planexe resume {}\n", fmt::join(*open, ", "), *id);
  fmt::print("{}\n", (folder / "029-report.html").string());
  return Exit::ok;
}

}  // namespace planexe::cli
