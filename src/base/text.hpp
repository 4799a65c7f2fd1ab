#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace planexe {

/// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool valid_utf8(std::string_view text);

/// Unicode characters (code points); each byte that is not UTF-8 counts as one.
std::size_t code_points(std::string_view text);

/// Without Unicode white space at both ends.
std::string trim(std::string_view text);

/// At most `n` code points from the start; never cuts inside one.
std::string cut_code_points(std::string_view text, std::size_t n);

/// The text itself when it has at most `max_chars` code points. Else its beginning, at most that long, cut at the end
/// of a paragraph (or line, or word, when the last paragraph end lies in the first half), followed by the mark
/// "\n\n[… shortened: N characters left out]", which comes on top of `max_chars`.
std::string cut_at_paragraph(std::string_view text, std::size_t max_chars);

/// For comparing names: NFKC, case folded, invisible characters removed, runs of white space as one space, trimmed.
std::string normalize_name(std::string_view text);

/// The lines without their ends (\n or \r\n). A final line end does not begin another line. Views into `text`.
std::vector<std::string_view> split_lines(std::string_view text);

/// Every occurrence of `from`, left to right, replaced. `from` must not be empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// Safe for a terminal or a log: without ANSI escape sequences, control characters (but with \n and \t) and characters
/// that reverse the reading direction; bytes that are not UTF-8 become U+FFFD.
std::string strip_control(std::string_view text);

/// Valid UTF-8 without NUL: every offending byte becomes U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace planexe
