#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// Words of a text for comparison: runs of letters, digits and non-ASCII bytes after normalize_name.
std::set<std::string> word_set(std::string_view text);

/// Words of a text in order, as word_set sees them.
std::vector<std::string> word_list(std::string_view text);

/// Jaccard index of the word sets, 0..1; 0 when either has no words.
double word_overlap(std::string_view a, std::string_view b);
double word_overlap(const std::set<std::string>& a, const std::set<std::string>& b);

/// True when `needle` occurs in `text`, white space and letter case ignored; an empty needle never does.
bool occurs_in(std::string_view needle, std::string_view text);

/// Numbers of a text in order of appearance, in one spelling: "18 000", "18.000" and "18,000" are "18000", "2,5" and
/// "2.5" are "2.5". Grouping is assumed when exactly three digits follow a separator. Signs and units are ignored.
std::vector<std::string> numbers_in(std::string_view text);

/// A sum of money named in a text.
struct Amount {
  double value = 0;      ///< in units of the currency; "40 million" and the like are not multiplied out
  std::string currency;  ///< ISO 4217 code
};

/// Amounts that have a currency code or an unambiguous symbol directly before or after the number.
std::vector<Amount> amounts_in(std::string_view text);

}  // namespace planexe::plan
