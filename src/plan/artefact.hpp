#pragma once

#include <cstdint>
#include <string_view>

namespace planexe::plan {

/// The place of a file in listings: group * 10^6 + index * 10^3 + number from names such as "017-11-2-draft...", so
/// that 002-2 comes before 002-10. Names without such a prefix come last (10^9).
std::int64_t artefact_order(std::string_view filename);

/// json, markdown, html, csv, txt or unknown, by extension; the project title is text in spite of its name.
std::string_view artefact_content_type(std::string_view filename);

/// True for files that hold a whole model answer with its prompts.
bool is_raw_artefact(std::string_view filename);

}  // namespace planexe::plan
