#include "recipe/recipe.hpp"

#include <algorithm>

namespace planexe::recipe {

std::string_view to_string(Speed speed) {
  switch (speed) {
    case Speed::all: return "all_details_but_slow";
    case Speed::balanced: return "balanced_speed_and_detail";
    case Speed::fast: return "fast_but_skip_details";
  }
  return "";
}

std::string_view short_name(Speed speed) {
  return speed == Speed::all ? "all" : speed == Speed::balanced ? "balanced" : "fast";
}

std::optional<Speed> speed_from(std::string_view name) {
  for (const Speed speed : kSpeeds)
    if (name == to_string(speed) || name == short_name(speed)) return speed;
  return {};
}

bool MapSpec::batched() const {
  return batch.all > 1 || batch.balanced > 1 || batch.fast > 1 || calls.all > 0 || calls.balanced > 0 || calls.fast > 0;
}

const Step* Task::step(std::string_view wanted) const {
  const auto found = std::ranges::find(steps, wanted, &Step::name);
  return found == steps.end() ? nullptr : &*found;
}

const Output* Task::output(std::string_view wanted) const {
  const auto found = std::ranges::find(outputs, wanted, &Output::name);
  return found == outputs.end() ? nullptr : &*found;
}

const Task* Recipe::task(std::string_view key) const {
  const auto found = std::ranges::find(tasks, key, &Task::key);
  return found == tasks.end() ? nullptr : &*found;
}

}  // namespace planexe::recipe
