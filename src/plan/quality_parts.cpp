#include "plan/quality_parts.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include <re2/re2.h>

#include "base/text.hpp"
#include "plan/sentences.hpp"

namespace planexe::plan {
namespace {

constexpr int kValuesMin = 6;
constexpr int kOneClassPercent = 90;

struct Norm {
  std::string_view id;
  int low;
  int high;
};

// Words per section: half the smallest to twice the largest of three complete plans, rounded; expert reviews and
// documents grow with their number.
constexpr Norm kNorms[] = {
    {"executive-summary", 200, 800},
    {"pitch", 180, 1000},
    {"project-plan", 350, 1800},
    {"strategic-decisions", 500, 4000},
    {"scenarios", 400, 2000},
    {"assumptions", 1500, 7000},
    {"governance", 1800, 7500},
    {"related-resources", 400, 2200},
    {"data-collection", 700, 5000},
    {"documents", 1500, 16000},
    {"swot", 400, 2000},
    {"team", 1000, 5000},
    {"expert-criticism", 1200, 20000},
    {"review-plan", 800, 8000},
    {"questions-answers", 700, 3000},
    {"premortem", 1000, 7000},
};

// A block's text without list marks, table bars and a leading label.
std::string without_marks(std::string_view line) {
  static const RE2 marks(R"(^\s*(?:[-*+]\s+|\d+[.)]\s+|>\s*|#+\s+)*)");
  static const RE2 label(R"(^(?:\*\*|__|`)[^*_`]{1,60}(?:\*\*|__|`)\s*:?\s*)");
  std::string text(line);
  RE2::Replace(&text, marks, "");
  RE2::Replace(&text, label, "");
  return text;
}

struct Counter {
  std::map<std::string, int> counts;
  int total = 0;

  void add(const std::string& value) {
    ++counts[value];
    ++total;
  }
  std::pair<std::string, int> most() const {
    std::pair<std::string, int> best;
    for (const auto& [value, count] : counts)
      if (count > best.second) best = {value, count};
    return best;
  }
};

bool is_class(std::string_view value) {
  // An empty field is no verdict.
  static const std::set<std::string, std::less<>> empty = {"none",           "n/a",    "na", "no", "null",
                                                           "not applicable", "unknown"};
  if (empty.contains(normalize_name(value))) return false;
  // "**Story** (fictional):" is a label that goes on, with the text below it.
  if (value.ends_with(':')) return false;
  const std::size_t words = words_of(value).size();
  return words >= 1 && words <= 4 && value.find_first_of("0123456789") == std::string_view::npos;
}

void add_one_sided(const std::string& field, const Counter& counter, std::vector<ClassShare>& shares) {
  const auto [value, count] = counter.most();
  if (counter.total >= kValuesMin && count * 100 >= counter.total * kOneClassPercent)
    shares.push_back({field, value, count, counter.total});
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  std::string cell;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '|' && line[i - 1] != '\\') {
      cells.push_back(trim(cell));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

// One table from its header line on; gives the number of lines read.
std::size_t read_table(const std::vector<std::string_view>& lines, std::size_t at, std::vector<ClassShare>& shares) {
  const std::vector<std::string> header = cells_of(lines[at]);
  std::vector<Counter> columns(header.size());
  std::size_t row = at + 2;
  for (; row < lines.size() && lines[row].starts_with('|'); ++row) {
    const std::vector<std::string> cells = cells_of(lines[row]);
    for (std::size_t i = 0; i < std::min(cells.size(), columns.size()); ++i)
      columns[i].add(is_class(cells[i]) ? cells[i] : std::string());
  }
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (!columns[i].most().first.empty()) add_one_sided(header[i], columns[i], shares);
  return row - at;
}

}  // namespace

std::string id_prefix(std::string_view id) { return std::string(id.substr(0, id.find_first_of("0123456789"))); }

namespace {

constexpr std::size_t kLabelBytesMax = 60;

void skip_any(std::string_view& text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
}

/// "12. " or "3) ".
void skip_number(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits == text.size() || (text[digits] != '.' && text[digits] != ')')) return;
  text.remove_prefix(digits + 1);
  skip_any(text, " \t");
}

/// "Risk:", letters and spaces only.
void skip_label(std::string_view& text) {
  const std::size_t colon = text.substr(0, kLabelBytesMax).find_first_of(":0123456789.,;|*_`()[]#");
  if (colon == std::string_view::npos || text[colon] != ':') return;
  text.remove_prefix(colon + 1);
  skip_any(text, " \t");
}

/// One or two capitals and one to three digits at the start of the text, as "R12"; empty when there is none.
std::string_view leading_id(std::string_view text) {
  const auto run = [&](std::size_t from, char first, char last) {
    std::size_t end = from;
    while (end < text.size() && text[end] >= first && text[end] <= last) ++end;
    return end;
  };
  const std::size_t letters = run(0, 'A', 'Z');
  const std::size_t end = run(letters, '0', '9');
  const bool fits = letters >= 1 && letters <= 2 && end - letters >= 1 && end - letters <= 3;
  const bool goes_on = end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_');
  return fits && !goes_on ? text.substr(0, end) : std::string_view();
}

}  // namespace

void collect_defined_ids(std::string_view markdown, std::set<std::string>& ids) {
  for (std::string_view line : split_lines(markdown)) {
    skip_any(line, " \t#>*+|_-");
    skip_number(line);
    skip_label(line);
    skip_any(line, "*_`([");
    if (const auto id = leading_id(line); !id.empty()) ids.emplace(id);
  }
}

int repeated_opener_percent(std::string_view markdown) {
  Counter openers;
  for (const std::string_view line : split_lines(markdown)) {
    if (line.starts_with('|') || line.starts_with('#')) continue;
    const std::vector<std::string> words = words_of(without_marks(line));
    if (words.size() >= 5) openers.add(normalize_name(words[0] + ' ' + words[1] + ' ' + words[2]));
  }
  if (openers.total < kValuesMin) return 0;
  const auto [opener, count] = openers.most();
  return count < 3 ? 0 : count * 100 / openers.total;
}

std::vector<ClassShare> one_sided_classes(std::string_view markdown) {
  static const RE2 labelled(R"(^[\s*+-]*\*\*([^*:]{2,40}):?\*\*:?\s*(\S.{0,60}?)\s*$)");
  std::vector<ClassShare> shares;
  std::map<std::string, Counter> fields;
  const std::vector<std::string_view> lines = split_lines(markdown);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string field;
    std::string value;
    const bool table = lines[i].starts_with('|') && i + 1 < lines.size() && lines[i + 1].starts_with('|') &&
                       lines[i + 1].find("---") != std::string_view::npos;
    if (table) {
      i += read_table(lines, i, shares) - 1;
    } else if (RE2::FullMatch(re2::StringPiece(lines[i].data(), lines[i].size()), labelled, &field, &value)) {
      value = replace_all(value, "`", "");
      fields[field].add(is_class(value) ? value : std::string());
    }
  }
  for (const auto& [field, counter] : fields)
    if (!counter.most().first.empty()) add_one_sided(field, counter, shares);
  return shares;
}

bool marks_assumption(std::string_view sentence) {
  static const RE2 pattern(
      R"((?i)(\bassum|\bestimat|\bapprox|\babout\b|\baround\b|\broughly\b|\bverify\b|\bbetween\b|\blikely\b|\bhypoth|\bschätz|\bannahm|\bestim|\bsuppos|\benviron\b|\bantag|\bskøn|≈|~|假设|约|\d\s?(?:-|–|to|bis|à)\s?\d))");
  return RE2::PartialMatch(without_dates(sentence), pattern);
}

std::string length_against_norm(std::string_view section_id, int words) {
  for (const Norm& norm : kNorms)
    if (norm.id == section_id) return words < norm.low ? "short" : words > norm.high ? "long" : "";
  return "";
}

}  // namespace planexe::plan
