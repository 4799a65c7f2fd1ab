#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/zip.hpp"
#include "plan/builtin.hpp"
#include "recipe/recipe.hpp"

namespace planexe::plan {

/// What a task of the recipe writes and asks: all that an import needs to know of it.
struct TaskFiles {
  struct Output {
    std::string name;
    std::string filename;  ///< with "{n}" for several files counted from 1
  };
  struct Step {
    std::string name;
    bool items = false;  ///< mapped or in rounds
    json::value schema;  ///< null for text answers
  };
  std::string key;
  std::vector<Output> outputs;
  std::vector<Step> steps;  ///< asked ones only
};

/// The tasks of a recipe in canonical order.
std::vector<TaskFiles> task_files(const recipe::Recipe& recipe);

/// An answer of one map item or round.
struct ImportedItem {
  std::string key;  ///< durable key of the item: "E3", "2.4", "Integrity", "1"
  json::value answer;
};

/// The recovered answers of one step, in the shape of the recipe's schema as far as the old run has the fields.
struct ImportedStep {
  json::value answer;               ///< of a step that asks once
  std::vector<ImportedItem> items;  ///< of a mapped step or rounds
  std::string list;                 ///< the answer's list whose elements carry ids, such as "task_details"; may be ""
  std::map<std::string, json::value, std::less<>> by_id;  ///< all elements of that list by id
};

struct ImportedTask {
  json::object outputs;  ///< output name -> JSON value, text as JSON string, list for "{n}" (null for a hole)
  std::vector<std::string> missing;  ///< output names without a file
  std::map<std::string, ImportedStep, std::less<>> steps;
};

/// A finished or unfinished run of this product or of the reference, ready to be stored or replayed.
struct ImportedRun {
  json::object plan;  ///< prompt, start_date, created_at (as found), title, intake (object or null)
  std::map<std::string, ImportedTask, std::less<>> tasks;
  std::vector<ZipEntry> attachments;  ///< files of no task, reports included
  std::vector<std::string> ignored;   ///< leftovers of other programs and side files
  std::vector<std::string>
      open_tasks;                 ///< tasks whose files are missing or damaged, in canonical order; derived ones too
  std::vector<Finding> findings;  ///< damaged files, joins that failed
};

/// Reads the files of a run (one folder, perhaps inside another). Accepts holes, extra files, the older shapes of
/// fields; fills the fields that newer plans have and that follow from position or name (refs, link types, classes).
/// Ids stay as they are. Error (INVALID_REQUEST): there is neither a prompt nor a single known file.
Result<ImportedRun> import_run(std::vector<ZipEntry> files, std::span<const TaskFiles> tasks);

/// The recovered answer for one request: by the item's key, else by its number from 1 (0 for a step that asks once).
/// Nothing when the run has none.
std::optional<json::value> answer_for(const ImportedRun& run, std::string_view task_key, std::string_view step,
                                      int number, std::string_view key);

/// The same for a step whose answer is a list with ids: an answer with just these ids, in this order. Ids that the run
/// does not know are left out; nothing when none is known.
std::optional<json::value> answer_for_ids(const ImportedRun& run, std::string_view task_key, std::string_view step,
                                          std::span<const std::string> ids);

/// The answer with what it lacks filled from an example, so that it passes the schema. List elements are filled from
/// the example's element at the same place; what neither has becomes null, "", 0, false or an empty list by the schema.
json::value merge_with_example(const json::value& answer, const json::value& example, const json::value& schema);

}  // namespace planexe::plan
