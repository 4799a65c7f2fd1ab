#include <fmt/core.h>

#include <csignal>
#include <exception>
#include <map>
#include <string_view>

#include "cli/arguments.hpp"
#include "cli/commands.hpp"

namespace {

using planexe::cli::App;
using planexe::cli::Command;
using planexe::cli::Exit;

const std::map<std::string_view, Exit (*)(const App&, const Command&)> kCommands{
    {"plan", planexe::cli::run_plan},
    {"resume", planexe::cli::run_resume},
    {"retry", planexe::cli::run_retry},
    {"serve", planexe::cli::run_serve},
    {"list", planexe::cli::run_list},
    {"show", planexe::cli::run_show},
    {"cancel", planexe::cli::run_cancel},
    {"delete", planexe::cli::run_delete},
    {"export", planexe::cli::run_export},
    {"report", planexe::cli::run_report},
    {"import", planexe::cli::run_import},
    {"models", planexe::cli::run_models},
    {"recipe lint", planexe::cli::run_recipe_lint},
    {"recipe graph", planexe::cli::run_recipe_graph},
    {"recipe show", planexe::cli::run_recipe_show},
    {"recipe render", planexe::cli::run_recipe_render},
    {"recipe test", planexe::cli::run_recipe_test},
    {"recipe docs", planexe::cli::run_recipe_docs},
    {"db migrate", planexe::cli::run_db_migrate},
    {"db status", planexe::cli::run_db_status},
    {"db check", planexe::cli::run_db_check},
    {"db copy", planexe::cli::run_db_copy},
    {"doctor", planexe::cli::run_doctor},
};

Exit run(int argc, char** argv) {
  auto parsed = planexe::cli::parse_arguments(argc, argv);
  if (const auto* exit = std::get_if<Exit>(&parsed)) return *exit;
  const auto& command = std::get<Command>(parsed);
  auto app = App::load(command.common);
  if (!app) return planexe::cli::report(app.error());
  return kCommands.at(command.name)(*app, command);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "planexe: internal error: {}\n", error.what());
    return static_cast<int>(Exit::plan_failed);
  }
}
