#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace planexe::plan {

/// Units of stated lengths of time.
enum class TimeUnit { day, week, month, quarter, year };

/// The unit that a word names in one of the languages of parse_span; the word is normalised (normalize_name). Words of
/// scripts without spaces are recognised by their beginning.
std::optional<TimeUnit> time_unit(std::string_view word);

/// The value of a number word ("nine", "zwölf"), and 1 for articles such as "a" and "une".
std::optional<double> number_word(std::string_view word);

/// 1 to 12 for a month's name or English abbreviation.
std::optional<unsigned> month_number(std::string_view word);

/// All month names as alternatives of a regular expression, longest first.
const std::string& month_pattern();

}  // namespace planexe::plan
