#pragma once

#include <memory>

#include "options.hpp"
#include "recipe/recipe.hpp"

namespace planexe::rehearsal {

/// The built-in recipe with a folder laid over it ("" = none). Errors name file and line.
Result<std::shared_ptr<const recipe::Recipe>> load_answers_recipe(const std::string& folder);

/// Adds the script, or the list of scripts, of a file.
Result<void> load_scripts(const std::string& path, ScriptBook& scripts);

/// Runs the server until SIGTERM or SIGINT; prints "listening URL" first. Gives the exit status.
int run(const Options& options);

}  // namespace planexe::rehearsal
