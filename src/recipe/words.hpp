#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace planexe::recipe {

/// Words of a text in any language: runs between white space; in scripts without spaces two Chinese, Japanese or Korean
/// characters, or four of Thai, Lao and Khmer, count as one word.
std::size_t word_count(std::string_view text);

/// The different words of a text after normalize_name, without punctuation; characters of scripts without spaces stand
/// for themselves.
std::set<std::string> word_set(std::string_view text);

/// Shared words over all words (Jaccard index), 0 to 1; two empty sets share nothing.
double overlap(const std::set<std::string>& a, const std::set<std::string>& b);

/// Without any white space.
std::string without_spaces(std::string_view text);

/// Length of the UTF-8 sequence at the start of `text` and its code point; bytes that are no UTF-8 count as themselves.
/// `text` must not be empty.
struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};
CodePoint first_code_point(std::string_view text);

}  // namespace planexe::recipe
