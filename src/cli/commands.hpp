#pragma once

#include "cli/app.hpp"
#include "cli/exit_code.hpp"

namespace planexe::cli {

// One function per command; each prints its result and gives the exit code.
Exit run_plan(const App& app, const Command& command);
Exit run_resume(const App& app, const Command& command);
Exit run_retry(const App& app, const Command& command);
Exit run_list(const App& app, const Command& command);
Exit run_show(const App& app, const Command& command);
Exit run_cancel(const App& app, const Command& command);
Exit run_delete(const App& app, const Command& command);
Exit run_export(const App& app, const Command& command);
Exit run_report(const App& app, const Command& command);
Exit run_import(const App& app, const Command& command);
Exit run_models(const App& app, const Command& command);
Exit run_recipe_lint(const App& app, const Command& command);
Exit run_recipe_graph(const App& app, const Command& command);
Exit run_recipe_show(const App& app, const Command& command);
Exit run_recipe_render(const App& app, const Command& command);
Exit run_recipe_test(const App& app, const Command& command);
Exit run_recipe_docs(const App& app, const Command& command);
Exit run_db_migrate(const App& app, const Command& command);
Exit run_db_status(const App& app, const Command& command);
Exit run_db_check(const App& app, const Command& command);
Exit run_db_copy(const App& app, const Command& command);
Exit run_serve(const App& app, const Command& command);
Exit run_doctor(const App& app, const Command& command);

}  // namespace planexe::cli
