#include <fmt/format.h>

#include "recipe/answer.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kProblemsShown = 20;  // more errors than this teach a model nothing

}  // namespace

std::string repair_text(const AnswerVerdict& verdict, const Step& step) {
  std::string out;
  if (verdict.partial && step.complete) {
    const bool counted = step.complete->count > 0;
    const std::string wanted =
        counted ? fmt::format("{} more entries, different from those you gave", verdict.missing.size())
                : fmt::format("the entries with {} = {}", step.complete->key, fmt::join(verdict.missing, ", "));
    out = fmt::format(
        "The complete entries of \"{}\" in your answer were kept. Missing are {}. Send one JSON object of the same "
        "form whose list \"{}\" has only these; fill the other fields as before.\n",
        step.complete->list.text, wanted, step.complete->list.text);
  } else {
    out = step.text_answer
              ? "Your answer cannot be used as it is. Send the whole text again, corrected.\n"
              : "Your answer cannot be used as it is. Send the whole JSON object again, corrected, and nothing else.\n";
  }
  std::size_t shown = 0;
  for (const AnswerProblem& problem : verdict.problems) {
    if (!problem.is_assert || (verdict.partial && problem.rule == "complete")) continue;
    if (shown == 0) out += "What was wrong:\n";
    if (++shown > kProblemsShown) break;
    out += fmt::format("- {}: {}\n", problem.pointer.empty() ? "(whole answer)" : problem.pointer, problem.message);
  }
  return out;
}

}  // namespace planexe::recipe
