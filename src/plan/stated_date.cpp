// parse_stated_date and parse_stated_start: dates in the user's words.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/horizon.hpp"
#include "plan/stated_words.hpp"

namespace planexe::plan {
namespace {

constexpr std::size_t kStatementCharsMax = 500;

// A stated date as the days it may mean: one day, or a whole month, quarter or year.
struct Period {
  Date first;
  Date last;
  std::size_t position = 0;
};

std::optional<Period> day_period(unsigned year, unsigned month, unsigned day) {
  const Date date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || year < 1900 || year > 2400) return std::nullopt;
  return Period{date, date, 0};
}

std::optional<Period> months_period(unsigned year, unsigned first_month, unsigned months) {
  auto period = day_period(year, first_month, 1);
  if (period) period->last = end_of_month(add_months(period->first, static_cast<int>(months) - 1));
  return period;
}

unsigned number(const std::string& digits) { return static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 10)); }

// Slashes mean month/day or day/month; only a number above 12, or two equal ones, tells which.
std::optional<Period> slashed(unsigned a, unsigned b, unsigned year) {
  if (a > 12 && b <= 12) return day_period(year, b, a);
  if (b > 12 && a <= 12) return day_period(year, a, b);
  if (a == b) return day_period(year, a, b);
  return std::nullopt;
}

using Reader = std::optional<Period> (*)(const std::string* fields);

struct Form {
  Form(const std::string& text, Reader reader) : pattern(std::make_shared<const RE2>(text)), read(reader) {}
  std::shared_ptr<const RE2> pattern;  // with up to three groups
  Reader read;
};

const std::vector<Form>& exact_forms() {
  static const std::string month = "(" + month_pattern() + ")";
  static const std::vector<Form> list = {
      {R"(\b(\d{4})[-/](\d{1,2})[-/](\d{1,2})\b)",
       [](const std::string* f) { return day_period(number(f[0]), number(f[1]), number(f[2])); }},
      {R"((\d{4})年(\d{1,2})月(\d{1,2})日)",
       [](const std::string* f) { return day_period(number(f[0]), number(f[1]), number(f[2])); }},
      {R"(\b(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\b)",
       [](const std::string* f) { return day_period(number(f[2]), number(f[1]), number(f[0])); }},
      {R"(\b(\d{1,2})/(\d{1,2})/(\d{4})\b)",
       [](const std::string* f) { return slashed(number(f[0]), number(f[1]), number(f[2])); }},
      {R"(\b(\d{1,2})(?:st|nd|rd|th|er|\.|º)?\s+(?:of\s+|de\s+)?)" + month + R"(\b\.?,?\s+(?:de\s+)?(\d{4})\b)",
       [](const std::string* f) { return day_period(number(f[2]), *month_number(f[1]), number(f[0])); }},
      {R"(\b)" + month + R"(\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b)",
       [](const std::string* f) { return day_period(number(f[2]), *month_number(f[0]), number(f[1])); }},
  };
  return list;
}

const std::vector<Form>& period_forms() {
  static const std::string month = "(" + month_pattern() + ")";
  static const std::vector<Form> list = {
      {R"((\d{4})年(\d{1,2})月()())",
       [](const std::string* f) { return months_period(number(f[0]), number(f[1]), 1); }},
      {R"(\b(\d{4})-(\d{2})()\b)", [](const std::string* f) { return months_period(number(f[0]), number(f[1]), 1); }},
      {R"(\b)" + month + R"(\.?,?\s+(?:of\s+|de\s+)?(\d{4})()\b)",
       [](const std::string* f) { return months_period(number(f[1]), *month_number(f[0]), 1); }},
      {R"(\bq([1-4])(?:\s|/|-)*(?:of\s+)?(\d{4})()\b)",
       [](const std::string* f) { return months_period(number(f[1]), number(f[0]) * 3 - 2, 3); }},
      {R"(\b(\d{4})(?:\s|/|-)*q([1-4])()\b)",
       [](const std::string* f) { return months_period(number(f[0]), number(f[1]) * 3 - 2, 3); }},
      {R"(\bh([12])(?:\s|/|-)*(?:of\s+)?(\d{4})()\b)",
       [](const std::string* f) { return months_period(number(f[1]), number(f[0]) * 6 - 5, 6); }},
      {R"(\bmid(?:dle)?(?:\s|-)*(?:of\s+)?(\d{4})()()\b)",
       [](const std::string* f) { return months_period(number(f[0]), 6, 1); }},
  };
  return list;
}

// Vague parts of a year have no last day that anyone could hold a plan to.
bool vague(const std::string& text) {
  static const RE2 pattern(
      R"(\b(early|beginning|start|late|spring|summer|autumn|fall|winter|anfang|frühjahr|sommer|herbst|début|debut|printemps|été|automne|hiver|principios|verano)\b)");
  return RE2::PartialMatch(text, pattern);
}

// Reads all forms in their order; what one has matched is blanked, so that no shorter form reads a part of it
// ("February 2026" in "31 February 2026").
std::vector<Period> read_forms(std::string& text, const std::vector<Form>& forms) {
  std::vector<Period> periods;
  for (const Form& form : forms) {
    re2::StringPiece groups[4];
    std::size_t from = 0;
    while (form.pattern->Match(text, from, text.size(), RE2::UNANCHORED, groups, 4)) {
      const std::string fields[3] = {std::string(groups[1]), std::string(groups[2]), std::string(groups[3])};
      const auto position = static_cast<std::size_t>(groups[0].data() - text.data());
      const std::size_t length = groups[0].size();
      if (auto period = form.read(fields)) {
        period->position = position;
        periods.push_back(*period);
      }
      text.replace(position, length, length, ' ');
      from = position + length;
    }
  }
  return periods;
}

std::vector<Period> read_year(const std::string& text) {
  static const RE2 year(R"(\b((?:19|20|21)\d{2})\b)");
  static const RE2 digits(R"(\d+)");
  re2::StringPiece rest(text);
  int numbers = 0;
  while (RE2::FindAndConsume(&rest, digits)) ++numbers;
  std::string found;
  if (numbers != 1 || vague(text) || !RE2::PartialMatch(text, year, &found)) return {};
  if (auto period = months_period(number(found), 1, 12)) return {*period};
  return {};
}

std::vector<Period> stated_periods(std::string_view statement) {
  std::string text = normalize_name(cut_code_points(statement, kStatementCharsMax));
  std::vector<Period> periods = read_forms(text, exact_forms());
  if (!periods.empty()) return periods;
  if (periods = read_forms(text, period_forms()); !periods.empty()) return periods;
  return read_year(text);
}

}  // namespace

std::vector<Date> exact_dates(std::string_view text) {
  std::string normal = normalize_name(cut_code_points(text, kStatementCharsMax));
  std::vector<Date> dates;
  for (const Period& period : read_forms(normal, exact_forms())) dates.push_back(period.first);
  return dates;
}

std::optional<Date> parse_stated_date(std::string_view text) {
  std::optional<Date> last;
  for (const Period& period : stated_periods(text))
    if (!last || period.last > *last) last = period.last;
  return last;
}

std::optional<Date> parse_stated_start(std::string_view text) {
  std::optional<Date> first;
  for (const Period& period : stated_periods(text))
    if (!first || period.first < *first) first = period.first;
  return first;
}

}  // namespace planexe::plan
