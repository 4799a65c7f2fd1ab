#include "base/text.hpp"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <cstdint>
#include <cstring>

#include <unicode/normalizer2.h>
#include <unicode/utf8.h>

#include "base/error.hpp"

namespace planexe {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// One code point at `at`, which moves behind it; negative for a byte that is not UTF-8.
UChar32 next_code_point(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  UChar32 c = 0;
  U8_NEXT(bytes, at, text.size(), c);  // NOLINT(bugprone-inc-dec-in-conditions): ICU's macro
  return c;
}

/// The length of the run of ASCII bytes that begins at `at`, in steps of eight bytes: most texts are ASCII.
std::size_t ascii_run(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  const std::size_t begin = at;
  for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at - begin;
}

/// Where the first code point outside white space begins, and the end of the last one.
std::pair<std::size_t, std::size_t> inner_range(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = text.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const UChar32 c = next_code_point(text, at);
    if (c >= 0 && u_isUWhiteSpace(c)) continue;
    if (begin == text.size()) begin = start;
    end = at;
  }
  return {begin, end};
}

std::size_t byte_length_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; count > 0 && at < text.size(); --count) next_code_point(text, at);
  return at;
}

/// The best place to cut `head`: a paragraph end, else a line end, else a word end, but never in the first half.
std::size_t cut_position(std::string_view head) {
  for (const std::string_view separator : {std::string_view("\n\n"), std::string_view("\n"), std::string_view(" ")}) {
    const std::size_t at = head.rfind(separator);
    if (at != std::string_view::npos && at >= head.size() / 2) return at;
  }
  return head.size();
}

bool reverses_direction(UChar32 c) { return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }

bool is_control(UChar32 c) { return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0); }

/// The end of the escape sequence that begins with ESC at `at` (ECMA-48: CSI, OSC and other strings, two-byte forms).
std::size_t skip_escape(std::string_view text, std::size_t at) {
  ++at;
  if (at >= text.size()) return at;
  const char kind = text[at++];
  if (kind == '[') {
    while (at < text.size() && (text[at] < 0x40 || text[at] > 0x7E)) ++at;
    return at < text.size() ? at + 1 : at;
  }
  if (kind == ']' || kind == 'P' || kind == '^' || kind == '_' || kind == 'X') {
    for (; at < text.size(); ++at) {
      if (text[at] == '\a') return at + 1;
      if (text[at] == '\x1b' && at + 1 < text.size() && text[at + 1] == '\\') return at + 2;
      if (text[at] == '\n') return at;
    }
    return at;
  }
  while (kind >= 0x20 && kind <= 0x2F && at < text.size() && text[at] < 0x30) ++at;
  return kind >= 0x20 && kind <= 0x2F && at < text.size() ? at + 1 : at;
}

const icu::Normalizer2& nfkc_casefold() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFKCCasefoldInstance(status);
  PLANEXE_ASSERT(U_SUCCESS(status) && normalizer != nullptr);
  return *normalizer;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    at += ascii_run(text, at);
    if (at < text.size() && next_code_point(text, at) < 0) return false;
  }
  return true;
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t ascii = ascii_run(text, at);
    count += ascii;
    at += ascii;
    if (at == text.size()) break;
    next_code_point(text, at);
    ++count;
  }
  return count;
}

std::string trim(std::string_view text) {
  const auto [begin, end] = inner_range(text);
  return begin >= end ? std::string{} : std::string(text.substr(begin, end - begin));
}

std::string cut_code_points(std::string_view text, std::size_t n) {
  return std::string(text.substr(0, byte_length_of(text, n)));
}

std::string cut_at_paragraph(std::string_view text, std::size_t max_chars) {
  const std::size_t head_bytes = byte_length_of(text, max_chars);
  if (head_bytes == text.size()) return std::string(text);
  std::string_view head = text.substr(0, head_bytes);
  // A cut exactly between two paragraphs needs no search for an earlier one.
  if (!text.substr(head_bytes).starts_with("\n\n")) head = head.substr(0, cut_position(head));
  while (!head.empty() && (head.back() == '\n' || head.back() == ' ' || head.back() == '\r')) head.remove_suffix(1);
  const std::size_t left_out = code_points(text.substr(head.size()));
  return fmt::format("{}\n\n[… shortened: {} characters left out]", head, left_out);
}

namespace {

/// What normalisation and case folding leave of ASCII: lower case, nothing else.
std::string normalize_ascii(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool gap = false;
  for (const char c : text) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      gap = true;
      continue;
    }
    if (gap && !result.empty()) result += ' ';
    gap = false;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

}  // namespace

std::string normalize_name(std::string_view text) {
  if (ascii_run(text, 0) == text.size()) return normalize_ascii(text);
  UErrorCode status = U_ZERO_ERROR;
  const auto source = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  const icu::UnicodeString folded = nfkc_casefold().normalize(source, status);
  PLANEXE_ASSERT(U_SUCCESS(status));
  icu::UnicodeString result;
  bool gap = false;
  for (int32_t at = 0; at < folded.length(); at = folded.moveIndex32(at, 1)) {
    const UChar32 c = folded.char32At(at);
    if (u_isUWhiteSpace(c)) {
      gap = true;
      continue;
    }
    if (gap && !result.isEmpty()) result.append(static_cast<UChar32>(' '));
    gap = false;
    result.append(c);
  }
  std::string utf8;
  return result.toUTF8String(utf8);
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  PLANEXE_ASSERT(!from.empty());
  std::string result;
  while (true) {
    const std::size_t at = text.find(from);
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    result += to;
    text.remove_prefix(at + from.size());
  }
}

std::string strip_control(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\x1b') {
      at = skip_escape(text, at);
      continue;
    }
    const std::size_t start = at;
    const UChar32 c = next_code_point(text, at);
    if (c < 0) {
      result += kReplacement;
    } else if (!is_control(c) && !reverses_direction(c)) {
      result += text.substr(start, at - start);
    }
  }
  return result;
}

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const UChar32 c = next_code_point(text, at);
    if (c <= 0) {
      result += kReplacement;
    } else {
      result += text.substr(start, at - start);
    }
  }
  return result;
}

}  // namespace planexe
