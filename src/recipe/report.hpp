#pragma once

#include <set>
#include <string>
#include <string_view>

#include "recipe/lint.hpp"

namespace planexe::recipe {

/// The page that `planexe recipe lint` prints: errors, warnings, the longest chains, and the table of calls before and
/// after. `loading`: what inspect_recipe found, when the caller has it. Ends with one line "N errors, N warnings".
std::string lint_report(const Recipe& recipe, const std::set<std::string, std::less<>>& builtins,
                        std::vector<LintMessage> loading = {});

/// The chains and the table alone, for the docs; Markdown.
std::string chain_report(const Recipe& recipe);

/// Everything that is known of one task: settings, inputs, readers, steps, outputs. "" for an unknown key.
std::string show_task(const Recipe& recipe, std::string_view key);

}  // namespace planexe::recipe
