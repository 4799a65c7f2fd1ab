#include "recipe/filters.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "base/text.hpp"
#include "recipe/names.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kIndentMax = 64;        // deeper than any list of a readable document
constexpr std::size_t kLimitMax = 1'000'000;  // more characters than any model reads

struct FilterName {
  std::string_view name;
  Filter::Kind kind;
  enum class Argument { none, number, text } argument;
};

using Kind = Filter::Kind;
constexpr std::array<FilterName, 10> kFilters{{
    {"json", Kind::compact, FilterName::Argument::none},
    {"table", Kind::table, FilterName::Argument::none},
    {"indent", Kind::indent, FilterName::Argument::number},
    {"limit", Kind::limit, FilterName::Argument::number},
    {"join", Kind::join, FilterName::Argument::text},
    {"line", Kind::line, FilterName::Argument::none},
    {"cell", Kind::cell, FilterName::Argument::none},
    {"quote", Kind::quote, FilterName::Argument::none},
    {"count", Kind::count, FilterName::Argument::none},
    {"inline", Kind::inline_text, FilterName::Argument::none},
}};

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::RecipeInvalid, std::move(message)); }

Result<std::string> string_argument(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"')
    return bad("join wants its separator in double quotes: join \", \"");
  std::string out;
  const std::string_view inner = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\' || i + 1 == inner.size()) {
      out.push_back(inner[i]);
      continue;
    }
    ++i;
    out.push_back(inner[i] == 'n' ? '\n' : inner[i]);
  }
  return out;
}

Result<void> read_argument(const FilterName& known, std::string_view argument, Filter& out) {
  if (known.argument == FilterName::Argument::none) {
    if (argument.empty()) return {};
    return bad(fmt::format("the filter '{}' takes no argument", known.name));
  }
  if (known.argument == FilterName::Argument::text) {
    PLANEXE_TRY_ASSIGN(out.text, string_argument(argument));
    return {};
  }
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), out.number);
  const std::size_t most = known.kind == Kind::indent ? kIndentMax : kLimitMax;
  if (error != std::errc() || end != argument.data() + argument.size() || out.number < 1 || out.number > most)
    return bad(fmt::format("the filter '{}' wants a number from 1 to {}", known.name, most));
  return {};
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\v'; }

std::string indented(std::string_view text, std::size_t columns) {
  const std::string pad(columns, ' ');
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] != '\n' && text[i + 1] != '\r') out += pad;
  }
  return out;
}

std::string cell_text(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    // After a backslash an escaped pipe would be read as an escaped backslash and a cell border.
    if (c == '|' && !out.empty() && out.back() == '\\')
      out += "&#124;";
    else if (c == '|')
      out += "\\|";
    else
      out.push_back(c);
  }
  // A backslash at the end would escape the cell border that follows.
  if (!out.empty() && out.back() == '\\') out += ' ';
  return out;
}

std::string quoted(std::string_view text) {
  std::string out;
  for (const std::string_view row : split_lines(text)) {
    if (!out.empty()) out.push_back('\n');
    out.push_back('>');
    if (!row.empty()) (out += ' ') += row;
  }
  return out;
}

std::string escaped_inline(std::string_view text) {
  static constexpr std::string_view kSyntax = "\\`*_[]<>|~#&$!";
  std::string out;
  const std::string flat = one_line(text);
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const char c = flat[i];
    const bool list_marker = i == 0 && (c == '-' || c == '+' || c == '=');
    const bool number_marker = (c == '.' || c == ')') && i > 0 && i < 10 && flat.find_first_not_of("0123456789") == i;
    if (kSyntax.contains(c) || list_marker || number_marker) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Result<std::string> joined(const json::array& values, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const json::value& value : values) {
    if (!first) out += separator;
    first = false;
    if (value.is_null()) return bad("the list to join has a null");
    PLANEXE_TRY_ASSIGN(const std::string text, plain_text(value));
    out += text;
  }
  return out;
}

std::string cell_of(const json::value* value) {
  if (!value || value->is_null()) return {};
  if (value->is_array()) {
    if (auto text = joined(value->get_array(), ", ")) return cell_text(*text);
    return cell_text(to_json(*value));
  }
  if (value->is_object()) return cell_text(to_json(*value));
  return cell_text(plain_text(*value).value_or(""));
}

Result<std::string> markdown_table(const json::array& rows) {
  std::vector<std::string> columns;
  for (const json::value& row : rows) {
    if (!row.is_object()) return bad("the filter 'table' takes a list of objects");
    for (const auto& member : row.get_object()) {
      const std::string key(member.key());
      if (std::ranges::find(columns, key) == columns.end()) columns.push_back(key);
    }
  }
  if (columns.empty()) return std::string();
  std::string head = "|";
  std::string rule = "|";
  for (const std::string& column : columns) {
    head += fmt::format(" {} |", cell_text(column));
    rule += " --- |";
  }
  std::string out = head + "\n" + rule;
  for (const json::value& row : rows) {
    out += "\n|";
    for (const std::string& column : columns) out += fmt::format(" {} |", cell_of(find(row, column)));
  }
  return out;
}

Result<json::value> apply_to_list(const Filter& filter, const json::value& value) {
  if (filter.kind == Kind::count && value.is_array())
    return json::value(static_cast<std::int64_t>(value.get_array().size()));
  if (filter.kind == Kind::count && value.is_object())
    return json::value(static_cast<std::int64_t>(value.get_object().size()));
  if (!value.is_array())
    return bad(filter.kind == Kind::count  ? "the filter 'count' takes a list"
               : filter.kind == Kind::join ? "the filter 'join' takes a list"
                                           : "the filter 'table' takes a list");
  PLANEXE_TRY_ASSIGN(const std::string text, filter.kind == Kind::join ? joined(value.get_array(), filter.text)
                                                                       : markdown_table(value.get_array()));
  return json::value(text);
}

std::string apply_to_text(const Filter& filter, std::string_view text) {
  switch (filter.kind) {
    case Kind::indent: return indented(text, filter.number);
    case Kind::limit: return cut_at_paragraph(text, filter.number);
    case Kind::line: return one_line(text);
    case Kind::cell: return cell_text(text);
    case Kind::quote: return quoted(text);
    default: return escaped_inline(text);
  }
}

}  // namespace

Result<Filter> parse_filter(std::string_view text) {
  const std::string trimmed = trim(text);
  const std::size_t space = trimmed.find_first_of(" \t");
  const std::string name = trimmed.substr(0, space);
  const std::string argument =
      space == std::string::npos ? std::string() : trim(std::string_view(trimmed).substr(space));
  std::vector<std::string> names;
  for (const FilterName& known : kFilters) {
    names.emplace_back(known.name);
    if (known.name != name) continue;
    Filter filter;
    filter.kind = known.kind;
    PLANEXE_TRY(read_argument(known, argument, filter));
    return filter;
  }
  return bad(fmt::format("there is no filter '{}'{}", cut_code_points(name, 40), did_you_mean(name, names)));
}

Result<json::value> apply_filter(const Filter& filter, const json::value& value) {
  if (value.is_null()) return filter.kind == Kind::count ? json::value(0) : json::value(nullptr);
  if (filter.kind == Kind::compact) return json::value(to_json(value));
  if (filter.kind == Kind::count || filter.kind == Kind::join || filter.kind == Kind::table)
    return apply_to_list(filter, value);
  PLANEXE_TRY_ASSIGN(const std::string text, plain_text(value));
  return json::value(apply_to_text(filter, text));
}

Result<std::string> plain_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_array()) return bad("it is a list; use #each, join, table, count or json");
  if (value.is_object()) return bad("it is an object; name one of its fields, or use json");
  return value.is_null() ? std::string() : to_json(value);
}

std::string one_line(std::string_view text) {
  std::string out;
  bool gap = false;
  for (const char c : text) {
    if (is_space(c)) {
      gap = !out.empty();
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    out.push_back(c);
  }
  return out;
}

}  // namespace planexe::recipe
