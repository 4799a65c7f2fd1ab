#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"
#include "plan/builtins/text_checks.hpp"
#include "plan/html.hpp"

namespace planexe::plan {
namespace {

using documents::note;

/// From this share of common words on, two questions ask for the same.
constexpr double kSameQuestion = 0.6;

void add_pairs(const json::value& answer, json::array& pairs, BuiltinResult& result) {
  for (const json::value& entry : list(answer, "question_answer_pairs")) {
    const std::string question = trim(text(entry, "question"));
    if (question.empty() || trim(text(entry, "answer")).empty()) continue;
    for (const json::value& earlier : pairs)
      if (word_overlap(question, text(earlier, "question")) >= kSameQuestion)
        note(result, "near_duplicate", fmt::format("pair {}", pairs.size() + 1),
             fmt::format("\"{}\" repeats an earlier question.", question));
    pairs.push_back(json::object{{"item_index", pairs.size() + 1},
                                 {"question", question},
                                 {"answer", text(entry, "answer")},
                                 {"rationale", text(entry, "rationale")}});
  }
}

/// The HTML side file of older plans: numbered bold questions, answers, no rationale.
std::string html_of(const json::array& pairs) {
  std::string html;
  for (const json::value& pair : pairs)
    html += fmt::format("<div class=\"question-answer-pair\"><p><strong>{}.</strong> {}</p>\n<p>{}</p></div>\n",
                        pair.at("item_index").to_number<std::size_t>(), escape_html(text(pair, "question")),
                        escape_html(text(pair, "answer")));
  return html;
}

}  // namespace

Result<BuiltinResult> finish_questions_and_answers(const BuiltinInput& in) {
  BuiltinResult result;
  json::array pairs;
  json::array gaps;
  std::string summary;
  for (const json::value& item : step_items(in)) {
    const json::value* element = find(item, "element");
    const std::string title = element == nullptr ? text(item, "key") : text(*element, "title");
    const json::value* answer = documents::done_answer(item);
    if (answer == nullptr) {
      gaps.emplace_back(documents::gap_sentence(title, item));
      result.degraded = result.degraded || text(item, "state") == "missing";
      continue;
    }
    add_pairs(*answer, pairs, result);
    const std::string part = trim(text(*answer, "summary"));
    if (!part.empty()) summary += (summary.empty() ? "" : "\n\n") + part;
  }
  if (pairs.empty()) return fail(ErrorCode::TaskFailed, "Questions and answers: no pair was answered.");
  result.outputs["html"] = html_of(pairs);
  result.outputs["raw"] = json::object{{"question_answer_pairs", pairs}, {"summary", summary}};
  result.view = json::object{{"pairs", std::move(pairs)}, {"gaps", std::move(gaps)}, {"summary", std::move(summary)}};
  return result;
}

}  // namespace planexe::plan
