#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>

#include "base/version.hpp"

namespace planexe::cli {
namespace {

void add_common(CLI::App& app, CommonOptions& common) {
  app.add_option("--db", common.db, "Database, for example sqlite:///plans.db (default: DATABASE_URL or ./planexe.db)");
  app.add_option("--data-dir", common.data_dir, "Folder of database and run files (default: PLANEXE_DATA_DIR or .)");
  app.add_option("--recipe", common.recipe_dir, "Folder with task folders laid over the built-in recipe");
  app.add_flag("--json", common.json, "JSON on standard output");
  app.add_flag("--quiet,-q", common.quiet, "No progress, only the result");
}

void add_model_options(CLI::App& app, PlanOptions& plan) {
  app.add_option("--model", plan.model, "Model id of the catalogue (see: planexe models); default: automatic order");
  app.add_option("--effort", plan.effort, "Reasoning effort: minimal, low, medium, high");
  app.add_option("--max-cost-usd", plan.max_cost_usd, "No new model call starts beyond this sum");
  app.add_flag("--rehearsal", plan.rehearsal, "Use the rehearsal model even if a provider is configured");
  app.add_option("--answers", plan.answers, "Rehearse with the stored answers of a finished run (zip or folder)");
  app.add_option("--out", plan.out_dir, "Also copy all files of the plan into this folder");
  app.add_flag("--open", plan.open, "Open the report in the browser at the end");
}

void add_plan(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("plan", "Turn a prompt into a plan");
  add_common(*sub, command.common);
  sub->add_option("prompt", command.plan.prompt, "What is to be planned");
  sub->add_option("--file,-f", command.plan.file, "Read the prompt from a file; - is standard input");
  sub->add_option("--title", command.plan.title, "Short name of the plan");
  sub->add_option("--speed", command.plan.speed, "all, balanced or fast");
  sub->add_option("--intake", command.plan.intake, "JSON file with the intake form");
  sub->add_option("--redline", command.plan.redline, "What a refusing safety gate does: block or warn");
  sub->add_option("--plan-id", command.plan.plan_id, "Fixed plan id, for tests")->group("");
  add_model_options(*sub, command.plan);
}

void add_runs(CLI::App& app, Command& command) {
  auto* resume = app.add_subcommand("resume", "Go on with an interrupted, failed or cancelled plan");
  add_common(*resume, command.common);
  resume->add_option("id", command.id, "Plan id, or its beginning")->required();
  add_model_options(*resume, command.plan);
  auto* retry = app.add_subcommand("retry", "Have one task made again, with what depends on it");
  add_common(*retry, command.common);
  retry->add_option("id", command.id, "Plan id, or its beginning")->required();
  retry->add_option("task", command.retry.task, "Task key, for example project_plan")->required();
  retry->add_option("--items", command.retry.items, "Which parts: missing, skipped or all (default: missing if any, else all)");
  retry->add_flag("--no-run", command.retry.no_run, "Only mark; a later resume runs it");
  add_model_options(*retry, command.plan);
}

CLI::App* add_with_id(CLI::App& app, Command& command, const char* name, const char* text) {
  auto* sub = app.add_subcommand(name, text);
  add_common(*sub, command.common);
  sub->add_option("id", command.id, "Plan id, or its beginning")->required();
  return sub;
}

void add_plan_commands(CLI::App& app, Command& command) {
  auto* list = app.add_subcommand("list", "List plans, newest first");
  add_common(*list, command.common);
  list->add_option("--status", command.list.statuses, "pending, running, completed, failed, cancelled")
      ->check(CLI::IsMember({"pending", "running", "completed", "failed", "cancelled"}));
  list->add_option("--search", command.list.text, "Text in prompt or title");
  list->add_option("--limit", command.list.limit, "How many")->check(CLI::Range(1, 200));
  add_with_id(app, command, "show", "Show a plan and its tasks");
  add_with_id(app, command, "cancel", "Stop a plan; finished results are kept");
  auto* remove = add_with_id(app, command, "delete", "Remove a plan with all its files");
  remove->add_flag("--yes,-y", command.yes, "Do not ask");
  auto* exported = add_with_id(app, command, "export", "Write all files of a plan as zip or folder");
  exported->add_option("--zip", command.export_.zip, "Zip file (default: <plan id>.zip)");
  exported->add_option("--dir", command.export_.dir, "Folder instead of a zip");
  exported->add_flag("!--no-raw", command.export_.raw, "Leave out *_raw.json");
  auto* report = add_with_id(app, command, "report", "Write the report as one HTML file, from what exists");
  report->add_option("--output,-o", command.report.output, "File (default: <plan id>-report.html; - is standard output)");
  report->add_flag("--open", command.report.open, "Open it in the browser");
  auto* import = app.add_subcommand("import", "Make a plan from a finished run (zip or folder)");
  add_common(*import, command.common);
  import->add_option("path", command.path, "Zip file or folder")->required();
  import->add_option("--plan-id", command.plan.plan_id, "Fixed plan id, for tests")->group("");
}

void add_serve(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("serve", "Run the server: REST, live progress, web page");
  add_common(*sub, command.common);
  sub->add_option("--host", command.common.bind, "Address to listen on (default: PLANEXE_BIND or 127.0.0.1)");
  sub->add_option("--port", command.port, "Port (default: PORT or 8080); 0 takes a free one")->check(CLI::Range(0, 65535));
  sub->add_flag("--rehearsal", command.plan.rehearsal, "Use the rehearsal model even if a provider is configured");
  sub->add_option("--answers", command.plan.answers, "Rehearse with the stored answers of a finished run (zip or folder)");
}

void add_tools(CLI::App& app, Command& command) {
  auto* models = app.add_subcommand("models", "List models and whether they can be used");
  add_common(*models, command.common);
  models->add_flag("--check", command.check, "Ask each provider whether key and model work");
  auto* recipe = app.add_subcommand("recipe", "Tools for authors of recipes");
  recipe->require_subcommand(1);
  auto* lint = recipe->add_subcommand("lint", "Check the recipe; print chains and rounds");
  auto* graph = recipe->add_subcommand("graph", "Print the task graph");
  graph->add_option("--format", command.recipe.format, "mermaid, dot or json")->check(CLI::IsMember({"mermaid", "dot", "json"}));
  auto* show = recipe->add_subcommand("show", "Show one task: settings, inputs, outputs, rules");
  show->add_option("key", command.recipe.key, "Task key")->required();
  auto* render = recipe->add_subcommand("render", "Print the requests of a task as a plan would send them");
  render->add_option("key", command.recipe.key, "Task key")->required();
  render->add_option("--plan", command.recipe.plan_id, "Plan whose results are used (default: the example plan)");
  render->add_option("--unit", command.recipe.unit, "Only this unit, for example review/E3");
  auto* test = recipe->add_subcommand("test", "Run examples and cases of one task or of all");
  test->add_option("key", command.recipe.key, "Task key");
  auto* docs = recipe->add_subcommand("docs", "Write the pipeline page and the task pages into a folder");
  docs->add_option("dir", command.path, "Folder")->required();
  for (auto* sub : {lint, graph, show, render, test, docs}) add_common(*sub, command.common);
  auto* db = app.add_subcommand("db", "Database tools");
  db->require_subcommand(1);
  for (auto* sub : {db->add_subcommand("migrate", "Bring the database to this version"),
                    db->add_subcommand("status", "Backend, place, schema version, size"),
                    db->add_subcommand("check", "Check integrity and consistency")})
    add_common(*sub, command.common);
  auto* copy = db->add_subcommand("copy", "Copy a whole database between SQLite and PostgreSQL, and compare");
  copy->add_option("from", command.copy_from, "Database that is read, for example sqlite:///planexe.db")->required();
  copy->add_option("to", command.copy_to, "Empty database that is written, for example postgresql://user@host/database")->required();
  add_common(*copy, command.common);
  auto* doctor = app.add_subcommand("doctor", "Check configuration, database, recipe, models and disk");
  add_common(*doctor, command.common);
}

std::string chosen(const CLI::App& app) {
  const auto subs = app.get_subcommands();
  if (subs.empty()) return {};
  const auto inner = chosen(*subs.front());
  return inner.empty() ? subs.front()->get_name() : subs.front()->get_name() + " " + inner;
}

}  // namespace

std::variant<Command, Exit> parse_arguments(int argc, char** argv) {
  CLI::App app("PlanExe turns a short prompt into a full execution plan.", "planexe");
  app.set_version_flag("--version", std::string(kVersion));
  // Not required here: an unknown word would then be answered with "a subcommand is required".
  app.require_subcommand(0, 1);
  app.fallthrough(false);
  Command command;
  add_plan(app, command);
  add_runs(app, command);
  add_serve(app, command);
  add_plan_commands(app, command);
  add_tools(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? Exit::ok : Exit::usage;
  }
  command.name = chosen(app);
  if (command.name.empty()) return app.exit(CLI::RequiredError("A subcommand")) == 0 ? Exit::ok : Exit::usage;
  return command;
}

}  // namespace planexe::cli
