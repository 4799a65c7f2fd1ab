#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipe/answer.hpp"

namespace planexe::recipe {

/// Problems of one answer by the rules of its step, at most five per rule. `scope` resolves `in` and `covers`; `answer`
/// there is `answer` itself. A rule whose reference cannot be resolved gives a check, never an assert: that is no fault
/// of the answer.
std::vector<AnswerProblem> check_rules(const std::vector<Rule>& rules, const json::value& answer, const Scope& scope);

/// Problems by the rules that nobody writes: the schema sent back, placeholders left in texts.
std::vector<AnswerProblem> check_standing_rules(const json::value& schema, const json::value& answer);

/// "len", "unique", ...: the name as it is written in task.toml.
std::string_view rule_name(RuleKind kind);

/// "levers[2].name" -> "/levers/2/name".
std::string place_to_pointer(std::string_view place);

}  // namespace planexe::recipe
