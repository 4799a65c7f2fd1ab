#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "recipe/loader.hpp"

namespace planexe::recipe {
namespace {

constexpr int kRoundsMax = 20;  // rounds are sequential: more would take longer than anyone waits
constexpr int kBatchMax = 1000;
constexpr int kOutputTokensMax = 1'000'000;
const std::vector<std::string> kEfforts = {"minimal", "low", "medium", "high"};
constexpr std::array<std::string_view, 14> kStepKeys = {"builtin",
                                                        "reads",
                                                        "when",
                                                        "answer",
                                                        "effort",
                                                        "rounds",
                                                        "min_rounds",
                                                        "map",
                                                        "chain",
                                                        "include_plan",
                                                        "max_output_tokens",
                                                        "complete",
                                                        "assert",
                                                        "check"};

void read_limit(TableReader& table, MapSpec& map) {
  const json::value value = table.value("limit");
  const auto set = [&](const json::value& limit, int& count, std::vector<std::string>& keys) {
    if (limit.is_null()) return;
    if (limit.is_int64() && limit.get_int64() >= 1 && limit.get_int64() <= kBatchMax)
      count = static_cast<int>(limit.get_int64());
    else if (limit.is_array() &&
             std::ranges::all_of(limit.get_array(), [](const json::value& key) { return key.is_string(); }))
      for (const json::value& key : limit.get_array()) keys.emplace_back(key.get_string());
    else
      table.bad("limit", fmt::format("must be a number from 1 to {} or a list of keys, or a table of these by speed",
                                     kBatchMax));
  };
  if (!value.is_object()) {
    for (const Speed speed : kSpeeds) {
      const bool all = speed == Speed::all;
      const bool fast = speed == Speed::fast;
      set(value,
          all    ? map.limit.all
          : fast ? map.limit.fast
                 : map.limit.balanced,
          all    ? map.limit_keys.all
          : fast ? map.limit_keys.fast
                 : map.limit_keys.balanced);
    }
    return;
  }
  for (const auto& member : value.get_object()) {
    if (member.key() == "all")
      set(member.value(), map.limit.all, map.limit_keys.all);
    else if (member.key() == "balanced")
      set(member.value(), map.limit.balanced, map.limit_keys.balanced);
    else if (member.key() == "fast")
      set(member.value(), map.limit.fast, map.limit_keys.fast);
    else
      table.bad("limit",
                fmt::format("'{}' is no speed; known are all, balanced, fast", std::string_view(member.key())));
  }
}

json::array load_items(TaskFolder& folder, TableReader& table, const std::string& name) {
  json::array items;
  const std::string* text = folder.text(name);
  if (!text) {
    table.bad("items", fmt::format("the file {} does not exist", folder.path(name)));
    return items;
  }
  const auto parsed = parse_toml(*text, folder.path(name), folder.problems);
  if (!parsed) return items;
  TableReader reader(*parsed, folder.path(name), folder.problems);
  const json::value list = reader.value("item");
  reader.done();
  if (list.is_array()) items = list.get_array();
  if (items.empty()) folder.bad(name, "has no [[item]]");
  return items;
}

MapSpec load_map(TaskFolder& folder, TableReader& table) {
  MapSpec map;
  map.over = table.path("over");
  if (const auto items = table.text("items")) map.items = load_items(folder, table, *items);
  if (table.has("over") == table.has("items"))
    table.bad("over", "write either over = \"path\" or items = \"file.toml\"");
  map.as = table.text("as").value_or("");
  if (!is_name(map.as)) table.bad("as", "the name of the element is missing");
  map.key = table.text("key").value_or("");
  if (map.key.starts_with(map.as + ".")) map.key.erase(0, map.as.size() + 1);
  if (!map.key.empty()) {
    const auto key = parse_path(map.key);
    if (!key || key->has_each()) table.bad("key", "must be a field of the element");
  }
  map.batch = table.integer_by_speed("batch", 1, 1, kBatchMax);
  map.calls = table.integer_by_speed("calls", 0, 1, kBatchMax);
  read_limit(table, map);
  map.max_missing = table.number("max_missing").value_or(map.max_missing);
  if (!(map.max_missing >= 0 && map.max_missing <= 1)) table.bad("max_missing", "must be a share from 0 to 1");
  table.done();
  return map;
}

std::optional<CompleteSpec> load_complete(TableReader& table) {
  CompleteSpec spec;
  auto list = table.path("list");
  if (!list) {
    if (!table.has("list")) table.bad("list", "is missing");
  } else {
    spec.list = *std::move(list);
    if (spec.list.has_each() || spec.list.tolerant()) table.bad("list", "must be a plain path to one list");
  }
  spec.key = table.text("key").value_or("");
  spec.expect = table.path("expect");
  spec.count = table.integer("count", 1, kBatchMax).value_or(0);
  if (table.has("expect") == table.has("count")) table.bad("list", "write either expect = \"path\" or count = n");
  if (spec.expect && spec.key.empty()) table.bad("expect", "needs key, the field that holds the wanted value");
  spec.degraded = table.boolean("degraded").value_or(false);
  spec.min = table.integer("min", 1, kBatchMax).value_or(1);
  table.done();
  if (spec.list.steps.empty()) return {};
  return spec;
}

void load_shape(TableReader& table, Step& step) {
  step.rounds = table.integer_by_speed("rounds", 1, 1, kRoundsMax);
  step.min_rounds = table.integer("min_rounds", 1, kRoundsMax).value_or(0);
  if (step.map && step.has_rounds()) table.bad("rounds", "a step has rounds or a map, not both");
  if (step.min_rounds && !step.has_rounds()) table.bad("min_rounds", "needs rounds");
  step.chain = table.text("chain").value_or("");
  step.include_plan = table.boolean("include_plan").value_or(true);
  step.max_output_tokens = table.integer("max_output_tokens", 256, kOutputTokensMax).value_or(0);
  step.effort = table.text_by_speed("effort", kEfforts);
  const std::string answer = table.text("answer").value_or("json");
  if (answer != "json" && answer != "text") table.bad("answer", "must be \"json\" or \"text\"");
  step.text_answer = answer == "text";
}

void load_files(TaskFolder& folder, Step& step, bool single) {
  const std::string prompt = single ? "prompt.md" : step_file(step.name, "prompt.md", "prompt.md");
  const std::string schema = single ? "answer.schema.json" : step_file(step.name, "answer.schema.json", "schema.json");
  const std::string example = single ? "example.json" : step_file(step.name, "example.json", "example.json");
  load_prompt(folder, step, prompt);
  if (!step.text_answer)
    step.schema = folder.json_file(schema, "the JSON Schema of the answer");
  else if (folder.has(schema))
    folder.bad(schema, "a text answer has no schema; delete the file or answer = \"text\"");
  step.example = folder.json_file(example, "one good answer");
}

}  // namespace

std::string step_file(std::string_view step, std::string_view single_name, std::string_view suffix) {
  return step == "main" ? std::string(single_name) : fmt::format("{}.{}", step, suffix);
}

bool has_step_keys(const TableReader& table) {
  return std::ranges::any_of(kStepKeys, [&](std::string_view key) { return table.has(key); });
}

Step load_step(TaskFolder& folder, TableReader& table, std::string name, bool single) {
  Step step;
  step.name = std::move(name);
  step.builtin = table.text("builtin").value_or("");
  step.reads = table.paths("reads");
  step.when = table.condition("when");
  if (auto map = table.table("map")) step.map = load_map(folder, *map);
  load_shape(table, step);
  if (auto complete = table.table("complete")) step.complete = load_complete(*complete);
  step.rules = load_rules(table);
  if (!step.builtin.empty()) {
    for (const std::string_view key : kStepKeys)
      if (key != "builtin" && key != "reads" && key != "when" && table.has(key))
        table.bad(key, "does not go with builtin");
    return step;
  }
  if (table.has("reads")) table.bad("reads", "belongs to builtin; what a prompt reads stands in its # context");
  if (step.text_answer && step.complete) table.bad("complete", "needs a JSON answer");
  load_files(folder, step, single);
  return step;
}

}  // namespace planexe::recipe
