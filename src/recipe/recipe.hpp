#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "recipe/path.hpp"
#include "recipe/template.hpp"

namespace planexe::recipe {

/// How much detail a plan gets; the API's names are all_details_but_slow, balanced_speed_and_detail,
/// fast_but_skip_details.
enum class Speed { all, balanced, fast };

std::string_view to_string(Speed speed);                 ///< the API's name
std::string_view short_name(Speed speed);                ///< all, balanced, fast
std::optional<Speed> speed_from(std::string_view name);  ///< API name or short name
inline constexpr Speed kSpeeds[] = {Speed::all, Speed::balanced, Speed::fast};

/// A setting that may differ by speed.
template <class T>
struct BySpeed {
  T all{};
  T balanced{};
  T fast{};
  const T& at(Speed speed) const { return speed == Speed::all ? all : speed == Speed::balanced ? balanced : fast; }
};

struct RecipeFile {
  std::string path;  ///< relative, '/' separators
  std::string bytes;
};

enum class TaskKind { llm, view, builtin, given };
enum class RuleKind {
  len,
  words,
  unique,
  distinct,
  nonempty,
  between,
  one_of,
  in,
  covers,
  matches,
  not_matches,
  sums_to,
  ordered,
  max_share,
  quoted,
  present,
  absent
};

/// One [[assert]] or [[check]] of a step; docs/recipe-format.md section 4 has the meaning of each kind.
struct Rule {
  RuleKind kind{};
  bool is_assert = true;
  Path path;                ///< in the answer
  double min = 0, max = 0;  ///< len, words, between, sums_to (min = target, max = tolerance), overlap, max_share (max)
  std::vector<std::string> values;  ///< one_of, ordered; matches: one pattern
  std::optional<Path> reference;    ///< in, covers
  std::optional<Path> if_path;
  json::value if_value;
  bool if_negated = false;
  std::string message;
};

struct MapSpec {
  std::optional<Path> over;  ///< absent: literal items
  json::array items;         ///< literal items
  std::string as;
  std::string key;  ///< "" = position
  BySpeed<int> batch{1, 1, 1};
  BySpeed<int> calls{0, 0, 0};  ///< 0 = no cap
  BySpeed<int> limit{0, 0, 0};  ///< 0 = all
  BySpeed<std::vector<std::string>> limit_keys;
  double max_missing = 0.5;
  /// True when `as` names a list: with `batch` above 1 or `calls` at any speed, so that a prompt has one shape at all
  /// speeds.
  bool batched() const;
};

struct CompleteSpec {
  Path list;
  std::string key;
  std::optional<Path> expect;
  int count = 0;
  bool degraded = false;
  int min = 1;
};

struct ContextEntry {
  Path path;
  bool tolerant = false;
  std::size_t limit = 0;  ///< characters, 0 = whole
};

struct Step {
  std::string name = "main";
  std::string builtin;  ///< not empty: computed
  std::vector<Path> reads;
  std::optional<Condition> when;
  bool text_answer = false;
  BySpeed<std::string> effort;  ///< "" = the plan's
  BySpeed<int> rounds{1, 1, 1};
  int min_rounds = 0;  ///< 0 = all
  std::optional<MapSpec> map;
  std::string chain;
  bool include_plan = true;
  int max_output_tokens = 0;  ///< 0 = recipe default
  std::optional<CompleteSpec> complete;
  std::vector<Rule> rules;
  std::vector<ContextEntry> context;
  Template task_template;
  std::optional<Template> item_template;
  json::value schema;   ///< null for text answers
  json::value example;  ///< an answer, or a list of answers for mapped steps and rounds
  bool has_rounds() const { return rounds.all > 1 || rounds.balanced > 1 || rounds.fast > 1; }
};

struct Output {
  std::string name;
  std::string filename;      ///< may hold "{n}"
  std::string content_type;  ///< json, markdown, csv, html, txt
  bool numbered = false;
};

struct Task {
  std::string key;
  std::string title;
  std::string phase;
  std::string stage;  ///< derived from the phase
  TaskKind kind = TaskKind::llm;
  bool required = true;
  int position = 0;  ///< canonical order, from 0
  std::vector<Output> outputs;
  std::vector<Step> steps;
  std::string finish;  ///< builtin name or ""
  std::vector<Path> finish_reads;
  std::map<std::string, Path> from;  ///< output -> own value
  std::string raw_shape = "flat";    ///< flat, response
  bool raw_prompts = true;
  std::optional<Template> view;             ///< view.md
  std::map<std::string, Template> derived;  ///< NAME.view.md
  /// Tasks this one reads, in canonical order; `tolerant` when every use is tolerant.
  struct Edge {
    std::string from;
    bool tolerant = false;
  };
  std::vector<Edge> edges;
  std::vector<RecipeFile> cases;  ///< files of cases/, paths below it: "NAME/scope.json"

  const Step* step(std::string_view name) const;
  const Output* output(std::string_view name) const;
};

struct Recipe {
  std::string name;
  std::string version;
  int format = 1;
  std::string gate;  ///< key of the judging task, "" = none
  std::string default_effort;
  int max_output_tokens = 16384;
  int prompt_tokens_max = 110000;
  Template system;
  std::map<std::string, Template> fragments;
  std::vector<Task> tasks;  ///< canonical order
  std::string hash;         ///< SHA-256 of the sorted files: the content address

  const Task* task(std::string_view key) const;
};

/// Parses and links a recipe. Errors are RECIPE_INVALID and name file, line and what to do; the first 20 are joined in
/// `detail`.
Result<Recipe> load_recipe(std::vector<RecipeFile> files);

/// Lays whole task folders (and fragments) of `overlay` over `base`, by key.
std::vector<RecipeFile> overlay_files(std::vector<RecipeFile> base, std::vector<RecipeFile> overlay);

/// One JSON document with all files, and back: how a plan keeps the recipe it was made with.
std::string pack_recipe(const std::vector<RecipeFile>& files);
Result<std::vector<RecipeFile>> unpack_recipe(std::string_view packed);

/// The recipe folder of the file system as files; symbolic links and files over 1 MiB are refused.
Result<std::vector<RecipeFile>> read_recipe_folder(const std::string& folder);

}  // namespace planexe::recipe
