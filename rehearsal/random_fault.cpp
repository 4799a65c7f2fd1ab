#include "random_fault.hpp"

#include <string>

#include "pace.hpp"

namespace planexe::rehearsal {
namespace {

using Make = void (*)(ScriptStep&);

constexpr Make kFaults[] = {
    [](ScriptStep& step) { step.connection = "reset"; },
    [](ScriptStep& step) { step.connection = "close"; },
    [](ScriptStep& step) { step.connection = "reset"; step.after_events = 4; },
    [](ScriptStep& step) { step.connection = "close"; step.after_events = 6; },
    [](ScriptStep& step) { step.status = 500; },
    [](ScriptStep& step) { step.status = 503; step.body = "<html>Busy</html>"; step.headers = {{"content-type", "text/html"}}; },
    [](ScriptStep& step) { step.status = 429; step.headers = {{"retry-after-ms", "50"}}; },
    [](ScriptStep& step) { step.incomplete = "max_output_tokens"; step.answer = "truncated"; },
    [](ScriptStep& step) { step.failed = "server_error"; },
    [](ScriptStep& step) { step.answer = "fenced"; },
    [](ScriptStep& step) { step.answer = "prose_after"; },
    [](ScriptStep& step) { step.answer = "missing_key"; },
    [](ScriptStep& step) { step.answer = "truncated"; },
    [](ScriptStep& step) { step.bytes = {1, 7, 3}; },
};

}  // namespace

std::optional<ScriptStep> random_fault(double rate, std::uint64_t seed, std::string_view key) {
  if (rate <= 0) return std::nullopt;
  const double unit = static_cast<double>(seeded(seed, key) >> 11U) * 0x1.0p-53;
  if (unit >= rate) return std::nullopt;
  ScriptStep step;
  kFaults[seeded(seed, std::string(key) + "/kind") % std::size(kFaults)](step);
  return step;
}

}  // namespace planexe::rehearsal
