#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recipe/recipe.hpp"
#include "request.hpp"

namespace planexe::rehearsal {

/// What a stored run is asked for.
struct StoredQuestion {
  std::string task, step;
  int number = 0;                        ///< of the unit, from 1; 0 for a step that asks once
  std::string key;                       ///< of the map item, "" otherwise
  std::vector<std::string> ids;          ///< the ids that the answer must have once each
  const json::value* example = nullptr;  ///< the step's example for this unit
  const json::value* schema = nullptr;   ///< null for text answers
};

/// The answer of a stored run, when it has one.
using StoredAnswers = std::function<std::optional<json::value>(const StoredQuestion& question)>;

/// Knows what to answer: the recipe's example of the step, adapted to the ids of the request, or an answer made from the schema.
class AnswerBook {
 public:
  explicit AnswerBook(std::shared_ptr<const recipe::Recipe> recipe, StoredAnswers stored = {});

  /// Deterministic: equal requests get equal answers.
  [[nodiscard]] std::string answer(const Request& request) const;

 private:
  [[nodiscard]] const recipe::Step* step_of(const Request& request, const recipe::Task** task) const;
  [[nodiscard]] std::optional<json::value> recall(const Request& request, const recipe::Task& task, const recipe::Step& step, int number,
                                                  const json::value& example) const;

  std::shared_ptr<const recipe::Recipe> recipe_;
  StoredAnswers stored_;
};

/// Makes the ids of an answer fit: lists of objects with a "once" field get exactly one element per id, other values of listed fields are
/// replaced by one of the ids when they are none of them.
void fit_ids(json::value& answer, const std::vector<IdsBlock>& blocks);

/// A valid answer for a strict schema: enums by their first value, numbers at their minimum, short texts, one element per list.
json::value answer_from_schema(const json::value& schema);

}  // namespace planexe::rehearsal
