#include <fmt/format.h>

#include <set>
#include <utility>

#include "plan/builtins/common.hpp"
#include "plan/builtins/documents.hpp"
#include "plan/builtins/text_checks.hpp"

namespace planexe::plan {
namespace {

/// From this share of common words on, two answers tell a reader the same thing.
constexpr double kDouble = 0.5;

/// A question with the answers it has so far.
struct Question {
  const json::value* element = nullptr;
  const json::value* item = nullptr;
  json::array answers;
  std::vector<std::set<std::string>> words;  ///< of each answer, for comparing

  void set_answers(json::array given) {
    answers = std::move(given);
    words.clear();
    for (const json::value& answer : answers) words.push_back(word_set(answer.get_string()));
  }
  std::string number() const { return text(*element, "number"); }
};

std::vector<Question> questions_of(const BuiltinInput& in) {
  std::vector<Question> questions;
  for (const json::value& item : step_items(in, "ask")) {
    const json::value* element = find(item, "element");
    if (element == nullptr) continue;
    Question question{element, &item, {}, {}};
    if (const json::value* answer = documents::done_answer(item))
      question.set_answers(documents::texts_of(*answer, "bullet_points"));
    questions.push_back(std::move(question));
  }
  return questions;
}

/// Where an earlier question says the same.
struct Double {
  std::size_t answer;
  const Question* other;
  std::size_t other_answer;
};

std::vector<Double> doubles_of(const std::vector<Question>& questions, std::size_t position) {
  std::vector<Double> doubles;
  const Question& question = questions[position];
  for (std::size_t i = 0; i < question.answers.size(); ++i) {
    for (std::size_t k = 0; k < position; ++k)
      for (std::size_t j = 0; j < questions[k].answers.size(); ++j)
        if (word_overlap(question.words[i], questions[k].words[j]) >= kDouble)
          doubles.push_back({i, &questions[k], j});
  }
  return doubles;
}

json::object clash_of(const Question& question, const std::vector<Double>& doubles) {
  json::array entries;
  for (const Double& found : doubles)
    entries.push_back(json::object{{"answer", question.answers[found.answer]},
                                   {"other_number", found.other->number()},
                                   {"other_title", text(*found.other->element, "title")},
                                   {"other_answer", found.other->answers[found.other_answer]}});
  json::object clash = question.element->get_object();
  clash["answers"] = question.answers;
  clash["doubles"] = std::move(entries);
  return clash;
}

/// Puts the second answers in the place of the first ones.
void replace_repeated(const BuiltinInput& in, std::vector<Question>& questions) {
  for (const json::value& item : step_items(in, "again")) {
    const json::value* element = find(item, "element");
    const json::value* answer = documents::done_answer(item);
    if (element == nullptr || answer == nullptr) continue;
    json::array answers = documents::texts_of(*answer, "bullet_points");
    for (Question& question : questions)
      if (!answers.empty() && question.number() == text(*element, "number")) question.set_answers(answers);
  }
}

void note_doubles(const std::vector<Question>& questions, BuiltinResult& result) {
  for (std::size_t i = 0; i < questions.size(); ++i)
    for (const Double& found : doubles_of(questions, i))
      documents::note(result, "near_duplicate", fmt::format("Review {}", questions[i].number()),
                      fmt::format("Answer {} of review {} repeats answer {} of review {}.", found.answer + 1,
                                  questions[i].number(), found.other_answer + 1, found.other->number()));
}

}  // namespace

Result<BuiltinResult> step_review_doubles(const BuiltinInput& in) {
  const std::vector<Question> questions = questions_of(in);
  BuiltinResult result;
  json::array clashes;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::vector<Double> doubles = doubles_of(questions, i);
    if (!doubles.empty()) clashes.push_back(clash_of(questions[i], doubles));
  }
  result.answer = std::move(clashes);
  return result;
}

Result<BuiltinResult> finish_review_plan(const BuiltinInput& in) {
  std::vector<Question> questions = questions_of(in);
  replace_repeated(in, questions);
  BuiltinResult result;
  note_doubles(questions, result);
  json::array stored;
  json::array reviews;
  for (const Question& question : questions) {
    const std::string title = text(*question.element, "title");
    std::string gap;
    if (question.answers.empty())
      gap = documents::gap_sentence(fmt::format("Answers to \"{}\"", title), *question.item);
    if (text(*question.item, "state") == "missing") result.degraded = true;
    stored.push_back(json::object{{"title", title},
                                  {"question", text(*question.element, "question")},
                                  {"answers", question.answers},
                                  {"number", question.number()},
                                  {"state", text(*question.item, "state")}});
    reviews.push_back(
        json::object{{"number", question.number()}, {"title", title}, {"answers", question.answers}, {"gap", gap}});
  }
  result.outputs["raw"] = json::object{{"question_answers_list", std::move(stored)}};
  result.view = json::object{{"reviews", std::move(reviews)}};
  return result;
}

}  // namespace planexe::plan
