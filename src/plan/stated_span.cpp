// parse_span: lengths of time in the user's words.
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/horizon.hpp"
#include "plan/stated_words.hpp"

namespace planexe::plan {
namespace {

// A limit is a few words; a longer text is cut, since nothing behind it can still be the statement.
constexpr std::size_t kStatementCharsMax = 500;
// Two centuries: no plan of this program is longer, and sums stay far inside int.
constexpr double kMonthsMax = 2400;
constexpr double kDaysMax = 73'000;

struct Token {
  std::string word;             // "" for numbers
  std::optional<double> value;  // of a number in digits
};

// Digits, words and single "-" signs; all other punctuation only separates.
std::vector<Token> tokenize(std::string_view text) {
  static const RE2 pattern(R"((\d+(?:[.,]\d{1,2})?|-|[\pL\pM]+))");
  std::vector<Token> tokens;
  const std::string normal =
      replace_all(replace_all(normalize_name(cut_code_points(text, kStatementCharsMax)), "–", "-"), "—", "-");
  re2::StringPiece rest(normal);
  std::string piece;
  while (RE2::FindAndConsume(&rest, pattern, &piece)) {
    if (piece[0] >= '0' && piece[0] <= '9') {
      tokens.push_back({"", std::strtod(replace_all(piece, ",", ".").c_str(), nullptr)});
    } else {
      tokens.push_back({piece, std::nullopt});
    }
  }
  return tokens;
}

bool is_word(const std::vector<Token>& tokens, std::size_t at, std::initializer_list<std::string_view> words) {
  if (at >= tokens.size() || tokens[at].value) return false;
  for (const std::string_view word : words)
    if (tokens[at].word == word) return true;
  return false;
}

bool is_and(const std::vector<Token>& tokens, std::size_t at) {
  return is_word(tokens, at, {"and", "und", "et", "y", "e", "og", "och", "en", "plus"});
}

struct Found {
  CalendarSpan span;
  TimeUnit unit{};
  std::size_t begin = 0;
  std::size_t end = 0;  // one past the unit
};

std::optional<CalendarSpan> span_of(double amount, TimeUnit unit, bool working) {
  if (amount <= 0) return std::nullopt;
  if (working && unit == TimeUnit::day && amount <= kDaysMax)
    return CalendarSpan{.working_days = static_cast<int>(std::ceil(amount))};
  double months = 0;
  double days = 0;
  switch (unit) {
    case TimeUnit::day: days = amount; break;
    case TimeUnit::week: days = amount * 7; break;
    case TimeUnit::month: months = amount; break;
    case TimeUnit::quarter: months = amount * 3; break;
    case TimeUnit::year: months = amount * 12; break;
  }
  if (months > kMonthsMax || days > kDaysMax) return std::nullopt;
  const double whole = std::floor(months + 1e-9);
  days += (months - whole) * 30;
  return CalendarSpan{.months = static_cast<int>(whole), .days = static_cast<int>(std::lround(days))};
}

// "one and a half", "half a", "a", "9": the amount and the token behind it.
std::optional<std::pair<double, std::size_t>> amount_at(const std::vector<Token>& tokens, std::size_t at) {
  std::optional<double> value = tokens[at].value ? tokens[at].value : number_word(tokens[at].word);
  if (!value) return std::nullopt;
  std::size_t next = at + 1;
  if (is_word(tokens, at, {"half"}) && is_word(tokens, next, {"a", "an"})) ++next;
  if (is_and(tokens, next) && is_word(tokens, next + 1, {"a"}) && is_word(tokens, next + 2, {"half"})) {
    *value += 0.5;
    next += 3;
  }
  if (is_word(tokens, at, {"a", "an"}) && is_word(tokens, next, {"half"})) {
    *value = 0.5;
    ++next;
  }
  return std::pair(*value, next);
}

std::optional<Found> found_at(const std::vector<Token>& tokens, std::size_t at) {
  const auto amount = amount_at(tokens, at);
  if (!amount) return std::nullopt;
  double value = amount->first;
  std::size_t next = amount->second;
  while (is_word(tokens, next, {"-", "full", "calendar", "consecutive"})) ++next;
  const bool working = is_word(tokens, next, {"working", "business", "work"});
  if (working) ++next;
  if (next >= tokens.size() || tokens[next].value) return std::nullopt;
  bool compound =
      is_word(tokens, next, {"workdays", "workday", "arbeitstage", "arbeitstagen", "werktage", "werktagen"});
  const auto unit = compound ? std::optional(TimeUnit::day) : time_unit(tokens[next].word);
  if (!unit) return std::nullopt;
  ++next;
  if (is_and(tokens, next) && is_word(tokens, next + 1, {"a"}) && is_word(tokens, next + 2, {"half"}) &&
      (next + 3 >= tokens.size() || !time_unit(tokens[next + 3].word))) {
    value += 0.5;
    next += 3;
  }
  const auto span = span_of(value, *unit, working || compound);
  if (!span) return std::nullopt;
  return Found{*span, *unit, at, next};
}

std::optional<CalendarSpan> combine(const std::vector<Token>& tokens, const std::vector<Found>& found) {
  if (found.empty()) return std::nullopt;
  CalendarSpan sum = found.front().span;
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i].span == found[i - 1].span && found.size() == 2) return sum;
    const std::size_t between = found[i - 1].end;
    const bool joined = found[i].begin == between || (is_and(tokens, between) && found[i].begin == between + 1);
    if (!joined || found[i].unit >= found[i - 1].unit) return std::nullopt;
    sum.months += found[i].span.months;
    sum.days += found[i].span.days;
  }
  return sum;
}

std::optional<CalendarSpan> parse_iso_duration(std::string_view text) {
  static const RE2 pattern(R"(P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?)");
  int parts[4] = {};
  std::string fields[4];
  const std::string whole = trim(text);
  if (whole.size() < 3 || !RE2::FullMatch(whole, pattern, &fields[0], &fields[1], &fields[2], &fields[3]))
    return std::nullopt;
  for (int i = 0; i < 4; ++i) parts[i] = std::atoi(fields[i].c_str());
  const CalendarSpan span{.months = parts[0] * 12 + parts[1], .days = parts[2] * 7 + parts[3]};
  if (span == CalendarSpan{} || span.months > kMonthsMax) return std::nullopt;
  return span;
}

}  // namespace

std::optional<CalendarSpan> parse_span(std::string_view text) {
  if (const auto iso = parse_iso_duration(text)) return iso;
  const std::vector<Token> tokens = tokenize(text);
  std::vector<Found> found;
  for (std::size_t at = 0; at < tokens.size();) {
    const auto here = found_at(tokens, at);
    if (here) found.push_back(*here);
    at = here ? here->end : at + 1;
  }
  return combine(tokens, found);
}

}  // namespace planexe::plan
