#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace planexe::recipe {

/// The known name that is most like `name`, or "" when none is near enough to be a slip of the pen (Damerau-Levenshtein
/// distance at most a third of the length).
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "; did you mean 'x'?" or "".
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace planexe::recipe
