#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// One field for a CSV row (RFC 4180): quoted when it holds the delimiter, a quote or a line end, or begins or ends
/// with white space. Text that a spreadsheet would run as a formula (first character = + - @ or a tab) gets an
/// apostrophe in front.
std::string csv_field(std::string_view value, char delimiter);

/// The fields joined by the delimiter, without a line end.
std::string csv_row(std::span<const std::string> fields, char delimiter);

/// Rows of fields, tolerant: quotes are honoured only at the start of a field, an unclosed quote ends with the text,
/// rows may differ in length, blank rows are left out, a byte order mark is dropped. csv_field's apostrophe is removed.
std::vector<std::vector<std::string>> read_csv(std::string_view text, char delimiter);

}  // namespace planexe::plan
