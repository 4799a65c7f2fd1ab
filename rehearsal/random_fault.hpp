#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "script.hpp"

namespace planexe::rehearsal {

/// With probability `rate` one of the faults that a client must live through: broken connections, overload, cut streams, answers in the wrong
/// form. A function of seed and key (call and attempt), so a run repeats whatever the order of its requests.
std::optional<ScriptStep> random_fault(double rate, std::uint64_t seed, std::string_view key);

}  // namespace planexe::rehearsal
