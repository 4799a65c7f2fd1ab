#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "recipe/prompt.hpp"
#include "recipe/references.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kUnitsMax = 1000;  // the largest real fan-out has 51 items
constexpr std::size_t kKeyCharsMax = 64;

/// Letters, digits, '.', '_' and '-' of a text; everything else becomes one '-'.
std::string safe_key(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (good)
      out.push_back(c);
    else if (!out.empty() && out.back() != '-')
      out.push_back('-');
  }
  if (out.size() > kKeyCharsMax) out.resize(kKeyCharsMax);
  while (out.ends_with('-')) out.pop_back();
  // "." and ".." would be folders in an export.
  return out.find_first_not_of('.') == std::string::npos ? std::string() : out;
}

/// The element's own name as text, or "".
std::string raw_key(const MapSpec& map, const json::value& element) {
  if (map.key.empty()) return {};
  const auto path = parse_path(map.key);
  if (!path) return {};
  const std::vector<Located> found = locate(*path, element);
  if (found.empty() || found.front().value->is_null()) return {};
  const json::value& value = *found.front().value;
  return value.is_string() ? std::string(value.get_string()) : value.is_primitive() ? to_json(value) : std::string();
}

class Expander {
 public:
  Expander(const Step& step, Speed speed, int first_position) : step_(step), speed_(speed), position_(first_position) {}

  std::vector<Unit> take() { return std::move(units_); }

  void single() { add(step_.name, nullptr, false); }

  void rounds() {
    for (int round = 1; round <= step_.rounds.at(speed_); ++round)
      add(fmt::format("{}/{}", step_.name, round), nullptr, false);
  }

  Result<void> map(const json::array& elements) {
    if (elements.size() > kUnitsMax)
      return fail(ErrorCode::LimitExceeded, fmt::format("step '{}' would have {} items; at most {} are run", step_.name,
                                                        elements.size(), kUnitsMax));
    json::array chosen;
    json::array left_out;
    for (const json::value& element : elements) (taken(element, chosen.size()) ? chosen : left_out).push_back(element);
    if (step_.map->batched())
      batches(chosen);
    else
      for (std::size_t i = 0; i < chosen.size(); ++i) add(element_key(chosen[i], i + 1), chosen[i], false);
    for (std::size_t i = 0; i < left_out.size(); ++i) {
      json::value element = left_out[i];
      if (step_.map->batched()) element = json::array{left_out[i]};
      add(element_key(left_out[i], chosen.size() + i + 1), std::move(element), true);
    }
    return {};
  }

 private:
  void add(std::string key, json::value element, bool skipped) {
    Unit unit;
    unit.key = std::move(key);
    unit.step = step_.name;
    unit.position = position_++;
    unit.number = static_cast<int>(units_.size()) + 1;
    unit.element = std::move(element);
    unit.skipped = skipped;
    if (skipped) unit.skip_reason = fmt::format("speed:{}", short_name(speed_));
    units_.push_back(std::move(unit));
  }

  bool taken(const json::value& element, std::size_t chosen_so_far) const {
    const std::vector<std::string>& keys = step_.map->limit_keys.at(speed_);
    if (!keys.empty()) return std::ranges::find(keys, raw_key(*step_.map, element)) != keys.end();
    const int limit = step_.map->limit.at(speed_);
    return limit == 0 || chosen_so_far < static_cast<std::size_t>(limit);
  }

  std::string element_key(const json::value& element, std::size_t number) {
    std::string base = safe_key(raw_key(*step_.map, element));
    if (base.empty()) base = std::to_string(number);
    std::string key = base;
    for (int again = 2; !used_.insert(key).second; ++again) {
      const std::string suffix = fmt::format("-{}", again);
      key = base.substr(0, kKeyCharsMax - suffix.size()) + suffix;
    }
    return fmt::format("{}/{}", step_.name, key);
  }

  /// Neighbours stay together. With `calls` the elements are spread evenly over at most so many units.
  void batches(const json::array& elements) {
    const std::size_t count = elements.size();
    const auto calls = static_cast<std::size_t>(step_.map->calls.at(speed_));
    const auto batch = static_cast<std::size_t>(std::max(1, step_.map->batch.at(speed_)));
    const std::size_t units = calls > 0 ? std::min(calls, count) : (count + batch - 1) / batch;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < units; ++i) {
      const std::size_t size = calls > 0 ? count / units + (i < count % units ? 1 : 0) : std::min(batch, count - begin);
      json::array part(elements.begin() + static_cast<std::ptrdiff_t>(begin),
                       elements.begin() + static_cast<std::ptrdiff_t>(begin + size));
      // One element per unit keeps its own name, so that a reader of the results finds it.
      std::string key = batch == 1 && calls == 0 ? element_key(part[0], i + 1) : batch_key(i + 1);
      add(std::move(key), std::move(part), false);
      begin += size;
    }
  }

  std::string batch_key(std::size_t number) {
    used_.insert(std::to_string(number));
    return fmt::format("{}/{}", step_.name, number);
  }

  const Step& step_;
  Speed speed_;
  int position_;
  std::vector<Unit> units_;
  std::set<std::string> used_;
};

/// Sizes of lists that exist only while a plan runs: medians of 48 to 59 real runs of the reference (docs/pipeline.md),
/// by what `over` starts with, [] left out.
struct MedianSize {
  std::string_view source;
  int size;
  int fast;  // where a function packs the list in fast mode
};
constexpr std::array<MedianSize, 10> kMedians{{
    {"deduplicate_levers", 8, 8},                  // K: levers after deduplication
    {"create_wbs_level2.clean.subtasks", 33, 33},  // T: tasks of the breakdown
    {"create_wbs_level2", 7, 7},                   // P: its phases
    {"groups.answer", 7, 2},                       // phases whose dependencies are asked together
    {"leaves.answer", 33, 33},                     // L: tasks to split further
    {"nodes.answer", 40, 40},                      // P + T: what gets a duration
    {"filter_documents_to_find", 7, 7},            // F
    {"filter_documents_to_create", 7, 7},          // C
    {"panel.answer.experts", 8, 8},                // E
    {"sections.answer.long", 6, 6},                // parts of the assumptions that are long enough to shorten
}};

std::optional<int> median_size(const Path& over, Speed speed) {
  std::string text;
  for (const Path::Step& step : over.steps)
    if (step.kind == Path::Step::member) text += (text.empty() ? "" : ".") + step.name;
  for (const MedianSize& median : kMedians)
    if (text == median.source || text.starts_with(std::string(median.source) + "."))
      return speed == Speed::fast ? median.fast : median.size;
  return {};
}

int fan_out(const Step& step, Speed speed) {
  if (!step.map->over) return static_cast<int>(step.map->items.size());
  if (const auto size = median_size(*step.map->over, speed)) return *size;
  return step.example.is_array() ? std::max(1, static_cast<int>(step.example.get_array().size())) : 1;
}

}  // namespace

Result<std::vector<Unit>> expand_units(const Step& step, Speed speed, const Scope& scope, int first_position) {
  Expander expander(step, speed, first_position);
  if (!step.map) {
    if (step.has_rounds())
      expander.rounds();
    else
      expander.single();
    return expander.take();
  }
  if (!step.map->over) {
    PLANEXE_TRY(expander.map(step.map->items));
    return expander.take();
  }
  PLANEXE_TRY_ASSIGN(const json::value list, resolve(*step.map->over, scope));
  if (list.is_null() && step.map->over->tolerant()) return std::vector<Unit>();
  if (!list.is_array())
    return fail(ErrorCode::RecipeInvalid,
                fmt::format("step '{}': {} is no list to map over", step.name, step.map->over->text));
  PLANEXE_TRY(expander.map(list.get_array()));
  return expander.take();
}

json::object unit_value(const Unit& unit, const std::vector<Unit>& units) {
  const auto total = std::ranges::count_if(units, [](const Unit& one) { return !one.skipped; });
  return json::object{{"number", unit.number},
                      {"total", static_cast<std::int64_t>(total)},
                      {"key", unit.key.substr(unit.key.find('/') + 1)}};
}

namespace {

/// A conditional question after another one repairs a rare gap of its answer; a conditional first question is a branch
/// that most plans take.
bool is_follow_up(const Task& task, const Step& step) {
  if (!step.when) return false;
  for (const Step& earlier : task.steps) {
    if (&earlier == &step) return false;
    if (earlier.builtin.empty()) return true;
  }
  return false;
}

}  // namespace

int planned_calls(const Task& task, const Step& step, Speed speed) {
  if (!step.builtin.empty() || is_follow_up(task, step)) return 0;
  if (!step.map) return step.has_rounds() ? step.rounds.at(speed) : 1;
  int size = fan_out(step, speed);
  const std::vector<std::string>& keys = step.map->limit_keys.at(speed);
  if (!keys.empty())
    size = std::min(size, static_cast<int>(keys.size()));
  else if (step.map->limit.at(speed) > 0)
    size = std::min(size, step.map->limit.at(speed));
  if (step.map->calls.at(speed) > 0) return std::min(size, step.map->calls.at(speed));
  const int batch = std::max(1, step.map->batch.at(speed));
  return (size + batch - 1) / batch;
}

int planned_calls(const Task& task, Speed speed) {
  int calls = 0;
  for (const Step& step : task.steps) calls += planned_calls(task, step, speed);
  return calls;
}

}  // namespace planexe::recipe
