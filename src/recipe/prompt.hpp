#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// One labelled piece of a request. Equal pieces of different requests are byte-identical, so that provider caches and
/// the content store can share them.
struct PromptBlock {
  enum class Kind { plan, context, task, item, previous } kind = Kind::task;
  std::string label;  ///< "plan", the reference of a context document, "task", "item"
  std::string text;
};

struct Prompt {
  std::string system;
  std::vector<PromptBlock>
      blocks;  ///< plan, context in canonical order, task, item (previous: the item section of a step with rounds)
  std::string text() const;              ///< all blocks joined by a blank line
  std::size_t estimated_tokens() const;  ///< characters / 3.5, rounded up; system included
};

/// What a prompt may see: `scope` has one root per task key it depends on (object with answer, items, outputs, derived
/// texts; status), `plan`, and for units the element name, `unit`, `previous`, and earlier own steps by name. A context
/// entry that is null becomes a marked gap. CONTEXT_TOO_LONG is not decided here; a prompt over the recipe's budget is
/// only reported by lint.
Result<Prompt> render_prompt(const Recipe& recipe, const Task& task, const Step& step, const Scope& scope);

/// The block that all requests of a plan share: prompt, start date, intake; user text fenced as data. `plan` is the
/// `plan` root.
std::string plan_block(const json::value& plan);

/// A context document as it stands in a prompt: `<document name="…" title="…">`, the text, the closing fence. Fences
/// inside the text are neutralised. Null gives the marked gap; JSON values are inserted compact, without the prompts
/// and metadata that stored answers carry.
Result<std::string> document_block(std::string_view name, std::string_view title, const json::value& value,
                                   std::size_t limit);

/// Text that cannot open or close a fence of a request: "<" of our fence tags becomes "&lt;".
std::string neutral_fences(std::string_view text);

/// SHA-256 of what is asked: system, blocks, schema, format version; without model and budgets. It alone decides reuse.
std::string input_hash(const Recipe& recipe, const Step& step, const Prompt& prompt);

/// SHA-256 of a view (with the fragments it includes) and the values it references.
std::string view_key(const Template& view, std::string_view inputs_hash);

/// One unit of a step: a map item, a round, or the whole step.
struct Unit {
  std::string key;  ///< durable key inside the task: "main", "review/E3", "main/2"
  std::string step;
  int position = 0;         ///< from 0 over the whole task
  int number = 1;           ///< from 1 inside the step
  json::value element;      ///< map element, or the list of a batch; null for others
  bool skipped = false;     ///< left out by the speed mode
  std::string skip_reason;  ///< "speed:fast"
};

/// Units of a step in order; for rounds one per round. Map keys are made unique and safe ([A-Za-z0-9._-], at most 64
/// characters). Elements that the speed leaves out come last in their list order, one unit each, as skipped.
/// `first_position`: number of units of the earlier steps. Errors: `over` is no list; more than 1000 units
/// (LIMIT_EXCEEDED).
Result<std::vector<Unit>> expand_units(const Step& step, Speed speed, const Scope& scope, int first_position = 0);

/// The value of `unit` in templates: {"number", "total", "key"}; total counts the units that are not skipped.
json::object unit_value(const Unit& unit, const std::vector<Unit>& units);

/// Planned number of model calls of a task when fan-out sizes are not known yet: medians of the reference's runs
/// (docs/pipeline.md).
int planned_calls(const Task& task, Speed speed);

/// The same for one step. A conditional question that follows another question of its task counts nothing: it repairs a
/// rare gap.
int planned_calls(const Task& task, const Step& step, Speed speed);

}  // namespace planexe::recipe
