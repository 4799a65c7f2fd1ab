#include "recipe/words.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace planexe::recipe {
namespace {

bool between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

bool is_space(char32_t c) {
  return c == ' ' || between(c, '\t', '\r') || c == 0x85 || c == 0xA0 || c == 0x1680 || between(c, 0x2000, 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// Han, kana, Hangul is written with spaces and not here.
bool is_cjk(char32_t c) {
  return between(c, 0x3040, 0x30FF) || between(c, 0x3400, 0x4DBF) || between(c, 0x4E00, 0x9FFF) ||
         between(c, 0xF900, 0xFAFF) || between(c, 0x20000, 0x3FFFF);
}

bool is_southeast_asian(char32_t c) {
  return between(c, 0x0E00, 0x0EFF) || between(c, 0x1780, 0x17FF) || between(c, 0x1000, 0x109F);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return !(between(c, '0', '9') || between(c, 'a', 'z') || between(c, 'A', 'Z'));
  return between(c, 0xA1, 0xBF) || between(c, 0x2010, 0x206F) || between(c, 0x3001, 0x303F) ||
         between(c, 0xFF00, 0xFF0F) || c == 0xD7 || c == 0xF7;
}

}  // namespace

CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned lead = byte(0);
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  if (between(lead, 0xC2, 0xDF) && tail(1)) return {((lead & 0x1FU) << 6U) | (byte(1) & 0x3FU), 2};
  if (between(lead, 0xE0, 0xEF) && tail(1) && tail(2))
    return {((lead & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU), 3};
  if (between(lead, 0xF0, 0xF4) && tail(1) && tail(2) && tail(3))
    return {((lead & 0x07U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) | (byte(3) & 0x3FU), 4};
  return {lead, 1};
}

std::size_t word_count(std::string_view text) {
  std::size_t words = 0;
  std::size_t cjk = 0;
  std::size_t other = 0;
  bool inside = false;
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    text.remove_prefix(c.bytes);
    const bool alone = is_cjk(c.value) || is_southeast_asian(c.value);
    cjk += is_cjk(c.value);
    other += is_southeast_asian(c.value);
    const bool part = !is_space(c.value) && !alone;
    words += part && !inside && !(is_punctuation(c.value) && c.value >= 0x80);
    inside = part;
  }
  return words + (cjk + 1) / 2 + (other + 3) / 4;
}

std::set<std::string> word_set(std::string_view source) {
  std::set<std::string> words;
  const std::string normal = normalize_name(source);
  std::string_view text = normal;
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) words.insert(word);
    word.clear();
  };
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (is_space(c.value) || is_punctuation(c.value)) {
      flush();
    } else if (is_cjk(c.value) || is_southeast_asian(c.value)) {
      flush();
      words.emplace(text.substr(0, c.bytes));
    } else {
      word += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  flush();
  return words;
}

double overlap(const std::set<std::string>& a, const std::set<std::string>& b) {
  const auto shared =
      static_cast<double>(std::ranges::count_if(a, [&](const std::string& word) { return b.contains(word); }));
  const double all = static_cast<double>(a.size() + b.size()) - shared;
  return all > 0 ? shared / all : 0;
}

std::string without_spaces(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (!is_space(c.value)) out += text.substr(0, c.bytes);
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace planexe::recipe
