#include "plan/builtins/text_checks.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "plan/builtins/iso4217.hpp"

namespace planexe::plan {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Bytes above ASCII belong to words: good enough to compare texts of any script without a table of letters.
bool is_word_byte(char c) {
  return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}

// Space, no-break space, narrow no-break space, apostrophes, point and comma.
constexpr auto kSeparators = std::to_array<std::string_view>({" ", "\u00A0", "\u202F", "'", "\u2019", ".", ","});

std::size_t separator_at(std::string_view text, std::size_t position) {
  for (const std::string_view separator : kSeparators) {
    if (text.substr(position).starts_with(separator)) return separator.size();
  }
  return 0;
}

std::size_t digits_at(std::string_view text, std::size_t position) {
  std::size_t count = 0;
  while (position + count < text.size() && is_digit(text[position + count])) ++count;
  return count;
}

struct Number {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
};

// Reads the number that starts at `begin`, which is a digit.
Number read_number(std::string_view text, std::size_t begin) {
  Number number{begin, begin, {}};
  std::size_t count = digits_at(text, begin);
  const bool may_group = count <= 3;
  number.text = text.substr(begin, count);
  number.end = begin + count;
  while (may_group && number.end < text.size()) {
    const std::size_t gap = separator_at(text, number.end);
    if (gap == 0 || digits_at(text, number.end + gap) != 3) break;
    number.text += text.substr(number.end + gap, 3);
    number.end += gap + 3;
  }
  if (number.end + 1 < text.size() && (text[number.end] == '.' || text[number.end] == ',') &&
      is_digit(text[number.end + 1])) {
    count = digits_at(text, number.end + 1);
    number.text += '.';
    number.text += text.substr(number.end + 1, count);
    number.end += 1 + count;
  }
  const std::size_t zeros = std::min(number.text.find_first_not_of('0'), number.text.find('.'));
  if (zeros != std::string::npos && zeros > 0)
    number.text.erase(0, number.text[zeros] == '.' ? zeros - 1 : zeros);
  else if (zeros == std::string::npos)
    number.text = "0";
  return number;
}

std::vector<Number> find_numbers(std::string_view text) {
  std::vector<Number> numbers;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_digit(text[i])) {
      ++i;
      continue;
    }
    numbers.push_back(read_number(text, i));
    i = numbers.back().end;
  }
  return numbers;
}

std::string code_after(std::string_view text, std::size_t end) {
  while (end < text.size() && separator_at(text, end) > 0 && text[end] != '.' && text[end] != ',')
    end += separator_at(text, end);
  const std::string_view rest = text.substr(end);
  if (rest.size() >= 3 && is_currency_code(rest.substr(0, 3)) && (rest.size() == 3 || !is_word_byte(rest[3])))
    return std::string(rest.substr(0, 3));
  for (const std::size_t length : {3U, 2U, 1U}) {
    if (rest.size() < length) continue;
    if (const auto code = currency_of_symbol(rest.substr(0, length)); !code.empty()) return std::string(code);
  }
  return {};
}

std::string code_before(std::string_view text, std::size_t begin) {
  std::string_view head = text.substr(0, begin);
  while (!head.empty() && head.back() == ' ') head.remove_suffix(1);
  if (head.size() >= 3 && is_currency_code(head.substr(head.size() - 3)) &&
      (head.size() == 3 || !is_word_byte(head[head.size() - 4]))) {
    return std::string(head.substr(head.size() - 3));
  }
  for (const std::size_t length : {3U, 2U, 1U}) {
    if (head.size() < length) continue;
    if (const auto code = currency_of_symbol(head.substr(head.size() - length)); !code.empty())
      return std::string(code);
  }
  return {};
}

std::string without_space(std::string_view text) {
  std::string result = normalize_name(text);
  std::erase(result, ' ');
  return result;
}

}  // namespace

std::vector<std::string> word_list(std::string_view text) {
  const std::string folded = normalize_name(text);
  std::vector<std::string> words;
  std::string word;
  for (const char c : folded) {
    if (is_word_byte(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::set<std::string> word_set(std::string_view text) {
  const auto words = word_list(text);
  return {words.begin(), words.end()};
}

double word_overlap(std::string_view a, std::string_view b) { return word_overlap(word_set(a), word_set(b)); }

double word_overlap(const std::set<std::string>& left, const std::set<std::string>& right) {
  if (left.empty() || right.empty()) return 0;
  const auto common =
      static_cast<double>(std::ranges::count_if(left, [&](const std::string& word) { return right.contains(word); }));
  return common / (static_cast<double>(left.size() + right.size()) - common);
}

bool occurs_in(std::string_view needle, std::string_view text) {
  const std::string wanted = without_space(needle);
  return !wanted.empty() && without_space(text).find(wanted) != std::string::npos;
}

std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> result;
  for (Number& number : find_numbers(text)) result.push_back(std::move(number.text));
  return result;
}

std::vector<Amount> amounts_in(std::string_view text) {
  std::vector<Amount> amounts;
  for (const Number& number : find_numbers(text)) {
    std::string code = code_after(text, number.end);
    if (code.empty()) code = code_before(text, number.begin);
    if (code.empty()) continue;
    double value = 0;
    std::from_chars(number.text.data(), number.text.data() + number.text.size(), value);
    amounts.push_back({value, std::move(code)});
  }
  return amounts;
}

}  // namespace planexe::plan
