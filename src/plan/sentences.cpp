#include "plan/sentences.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include <re2/re2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "base/text.hpp"

namespace planexe::plan {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_space(char c) { return c == ' ' || c == '\t'; }

bool ends_sentence(std::string_view line, std::size_t at) {
  if (line[at] != '.' && line[at] != '!' && line[at] != '?') return false;
  if (at + 1 < line.size() && !is_space(line[at + 1])) return false;
  // "1." begins a list item; "e.g." and initials have a letter and a point before.
  const std::size_t word = line.substr(0, at).find_last_of(" \t");
  const std::string_view last =
      line.substr(word == std::string_view::npos ? 0 : word + 1, at - (word == std::string_view::npos ? 0 : word + 1));
  if (last.size() <= 1) return false;
  return !std::ranges::all_of(last, is_digit) && last.find('.') == std::string_view::npos;
}

// The length of a full-width sentence end at this place, or 0.
std::size_t full_width_end(std::string_view text) {
  for (const std::string_view mark : {"。", "！", "？"})
    if (text.starts_with(mark)) return mark.size();
  return 0;
}

void split_line(std::string_view line, std::vector<std::string>& sentences) {
  std::size_t begin = 0;
  const auto take = [&](std::size_t end) {
    if (std::string sentence = trim(line.substr(begin, end - begin)); !sentence.empty())
      sentences.push_back(std::move(sentence));
    begin = end;
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (const std::size_t length = full_width_end(line.substr(at)); length > 0)
      take(at + length);
    else if (ends_sentence(line, at))
      take(at + 1);
  }
  take(line.size());
}

/// How a character takes part in words: scripts without spaces count one word per character.
enum class CharacterKind { other, part, alone };

struct CodePoint {
  CharacterKind kind = CharacterKind::other;
  std::size_t bytes = 1;
};

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {std::isalnum(lead) != 0 ? CharacterKind::part : CharacterKind::other, 1};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t next = at;
  UChar32 c = 0;
  U8_NEXT(bytes, next, text.size(), c);  // NOLINT(bugprone-inc-dec-in-conditions): ICU's macro
  if (c < 0) return {CharacterKind::other, next - at};
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(c, &status);
  const bool alone = script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || script == USCRIPT_HANGUL;
  if (alone) return {CharacterKind::alone, next - at};
  const bool part = (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0;
  return {part ? CharacterKind::part : CharacterKind::other, next - at};
}

/// The length of a mark that joins two parts of one word ("e-mail", "3.5", "l’eau"), or 0.
std::size_t joint_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return 0;
  if (std::string_view("-'.,/").find(text[at]) != std::string_view::npos) return 1;
  constexpr std::string_view kApostrophe = "’";
  return text.substr(at).starts_with(kApostrophe) ? kApostrophe.size() : 0;
}

/// The end of the word whose first character ends at `at`: parts with single joints between, and a percent sign.
std::size_t end_of_word(std::string_view text, std::size_t at) {
  const auto run = [&](std::size_t from) {
    while (from < text.size()) {
      const CodePoint next = code_point_at(text, from);
      if (next.kind != CharacterKind::part) break;
      from += next.bytes;
    }
    return from;
  };
  at = run(at);
  for (std::size_t joint = joint_at(text, at); joint > 0; joint = joint_at(text, at)) {
    const std::size_t end = run(at + joint);
    if (end == at + joint) break;
    at = end;
  }
  return at < text.size() && text[at] == '%' ? at + 1 : at;
}

bool has_digit(std::string_view text) { return std::ranges::any_of(text, is_digit); }

}  // namespace

std::vector<std::string> sentences_of(std::string_view text) {
  std::vector<std::string> sentences;
  for (const std::string_view line : split_lines(text)) split_line(line, sentences);
  return sentences;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint first = code_point_at(text, at);
    std::size_t end = at + first.bytes;
    if (first.kind == CharacterKind::other) {
      at = end;
      continue;
    }
    if (first.kind == CharacterKind::part) end = end_of_word(text, end);
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string without_dates(std::string_view text) {
  static const RE2 date(R"(\b\d{4}-\d{2}-\d{2}\b)");
  std::string rest(text);
  RE2::GlobalReplace(&rest, date, "");
  return rest;
}

std::vector<Figure> figures_of(std::string_view sentence) {
  static const RE2 pattern(
      R"(((?:[$€£¥]|[A-Z]{3})\s?)?(\d{1,3}(?:[ ,.\x{00A0}\x{202F}]\d{3})+|\d+)([.,]\d{1,2})?(\s?[%‰€$£]|\s?[\pL]{2,})?)");
  static const RE2 separators("[ ,.\\x{00A0}\\x{202F}]");
  std::vector<Figure> figures;
  const std::string text = without_dates(sentence);
  re2::StringPiece rest(text);
  std::string currency;
  std::string whole;
  std::string decimals;
  std::string unit;
  while (RE2::FindAndConsume(&rest, pattern, &currency, &whole, &decimals, &unit)) {
    RE2::GlobalReplace(&whole, separators, "");
    if (!decimals.empty()) decimals[0] = '.';
    const bool quantity = whole.size() >= 3 || !currency.empty() || !unit.empty();
    figures.push_back({whole + decimals, quantity});
  }
  return figures;
}

PlanTerms::PlanTerms(std::string_view prompt, const std::vector<std::string>& quotes) {
  add(prompt);
  for (const std::string& quote : quotes) add(quote);
}

// Names are words with a capital that does not begin a sentence, or with capitals inside; long words are content words
// in any language.
void PlanTerms::add(std::string_view text) {
  for (const std::string& sentence : sentences_of(text)) {
    const std::vector<std::string> words = words_of(sentence);
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string folded = normalize_name(words[i]);
      const bool capital = folded != words[i];
      const bool inner_capital = words[i].size() > 1 && normalize_name(words[i].substr(1)) != words[i].substr(1);
      const bool name = inner_capital || (capital && i > 0);
      if ((name && code_points(folded) >= 3) || code_points(folded) >= 7) terms_.insert(folded);
    }
  }
}

bool PlanTerms::specific(std::string_view sentence) const {
  if (has_digit(sentence)) return true;
  return std::ranges::any_of(words_of(sentence),
                             [this](const std::string& word) { return terms_.contains(normalize_name(word)); });
}

}  // namespace planexe::plan
