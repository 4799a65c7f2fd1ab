#include "plan/sentences.hpp"

#include <algorithm>

#include <re2/re2.h>

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

bool has_digit(std::string_view text) { return std::ranges::any_of(text, is_digit); }

}  // namespace

std::vector<std::string> sentences_of(std::string_view text) {
  std::vector<std::string> sentences;
  for (const std::string_view line : split_lines(text)) split_line(line, sentences);
  return sentences;
}

std::vector<std::string> words_of(std::string_view text) {
  static const RE2 pattern(R"(([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]|[\pL\pM\pN]+(?:[-'’.,/][\pL\pM\pN]+)*%?))");
  std::vector<std::string> words;
  re2::StringPiece rest(text.data(), text.size());
  std::string word;
  while (RE2::FindAndConsume(&rest, pattern, &word)) words.push_back(word);
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
