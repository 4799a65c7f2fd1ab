#pragma once

#include "base/json.hpp"

namespace planexe::plan {

/// What of `value` fits `schema`: unknown members are dropped, members of the wrong kind too, a text where a list of
/// texts is wanted becomes one element, a list of texts where a text is wanted is joined by line ends, enum values
/// match without regard to case. Nothing when the value itself does not fit.
std::optional<json::value> shaped(const json::value& value, const json::value& schema);

}  // namespace planexe::plan
