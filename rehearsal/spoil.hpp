#pragma once

#include <string>
#include <string_view>

#include "request.hpp"

namespace planexe::rehearsal {

/// Kinds of wrong answers: fenced, prose_after, two_objects, truncated, schema_echo, wrong_count, duplicates, unknown_ids, placeholders,
/// all_equal, min_gt_max, missing_key, surplus_key, wrong_type, refusal, empty.
bool is_spoiling(std::string_view kind);

/// A good answer made wrong in that way. Plain text and answers without what the kind needs (a list, a number) come out as near as possible.
/// "refusal" and "empty" give an empty text.
std::string spoil(std::string_view kind, const std::string& good, const Request& request);

}  // namespace planexe::rehearsal
