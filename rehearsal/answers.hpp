#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "recipe/recipe.hpp"
#include "request.hpp"

namespace planexe::rehearsal {

/// Answer of a stored run for a task's step and unit (from 1), when it has one.
using StoredAnswers = std::function<std::optional<json::value>(const std::string& task, const std::string& step, int number)>;

/// Knows what to answer: the recipe's example of the step, adapted to the ids of the request, or an answer made from the schema.
class AnswerBook {
 public:
  explicit AnswerBook(std::shared_ptr<const recipe::Recipe> recipe, StoredAnswers stored = {});

  /// Deterministic: equal requests get equal answers.
  [[nodiscard]] std::string answer(const Request& request) const;

 private:
  [[nodiscard]] const recipe::Step* step_of(const Request& request, const recipe::Task** task) const;

  std::shared_ptr<const recipe::Recipe> recipe_;
  StoredAnswers stored_;
};

/// Makes the ids of an answer fit: lists of objects with a "once" field get exactly one element per id, other values of listed fields are
/// replaced by one of the ids when they are none of them.
void fit_ids(json::value& answer, const std::vector<IdsBlock>& blocks);

/// A valid answer for a strict schema: enums by their first value, numbers at their minimum, short texts, one element per list.
json::value answer_from_schema(const json::value& schema);

}  // namespace planexe::rehearsal
