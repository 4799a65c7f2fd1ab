#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace planexe::store {

/// The opaque text that stands for a place in a list. `kind` names list and order, so that a cursor of one is refused
/// by another; a check sum refuses what this program did not make. At most limits::kCursorBytesMax characters, all of
/// them safe in a URL.
std::string make_cursor(std::string_view kind, const std::vector<std::int64_t>& keys);

/// The keys of a cursor. Error: CURSOR_INVALID.
Result<std::vector<std::int64_t>> read_cursor(std::string_view kind, std::size_t keys, std::string_view cursor);

}  // namespace planexe::store
