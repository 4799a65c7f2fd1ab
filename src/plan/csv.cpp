#include "plan/csv.hpp"

#include <utility>

namespace planexe::plan {
namespace {

bool starts_formula(std::string_view value) {
  return !value.empty() && std::string_view("=+-@\t").find(value.front()) != std::string_view::npos;
}

bool needs_quotes(std::string_view value, char delimiter) {
  if (value.empty()) return false;
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  return value.find_first_of("\"\r\n") != std::string_view::npos || value.find(delimiter) != std::string_view::npos ||
         space(value.front()) || space(value.back());
}

// Reads the field that begins at `at` and leaves `at` on the delimiter or line end behind it.
std::string read_field(std::string_view text, std::size_t& at, char delimiter) {
  std::string field;
  const auto ends = [&](char c) { return c == delimiter || c == '\n' || c == '\r'; };
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size(); ++at) {
      if (text[at] != '"') {
        field += text[at];
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        field += text[++at];
      } else {
        ++at;
        break;
      }
    }
  }
  for (; at < text.size() && !ends(text[at]); ++at) field += text[at];
  if (field.size() > 1 && field.front() == '\'' && starts_formula(std::string_view(field).substr(1))) field.erase(0, 1);
  return field;
}

}  // namespace

std::string csv_field(std::string_view value, char delimiter) {
  std::string guarded = starts_formula(value) ? "'" + std::string(value) : std::string(value);
  if (!needs_quotes(guarded, delimiter)) return guarded;
  std::string quoted = "\"";
  for (const char c : guarded) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_row(std::span<const std::string> fields, char delimiter) {
  std::string row;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) row += delimiter;
    row += csv_field(fields[i], delimiter);
  }
  return row;
}

std::vector<std::vector<std::string>> read_csv(std::string_view text, char delimiter) {
  std::vector<std::vector<std::string>> rows;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::size_t at = 0;
  while (at < text.size()) {
    std::vector<std::string> row{read_field(text, at, delimiter)};
    while (at < text.size() && text[at] == delimiter) row.push_back(read_field(text, ++at, delimiter));
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') ++at;
    const bool blank = row.size() == 1 && row.front().find_first_not_of(" \t") == std::string::npos;
    if (!blank) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace planexe::plan
