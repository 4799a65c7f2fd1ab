#include <string>

#include "base/settings.hpp"
#include "base/text.hpp"

namespace planexe {

namespace {

bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/// True when nothing but white space and a comment is left.
bool only_comment(std::string_view rest) {
  const std::string text = trim(rest);
  return text.empty() || text.front() == '#';
}

Result<std::string> quoted_value(std::string_view text) {
  const char quote = text.front();
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == quote) {
      if (!only_comment(text.substr(i + 1))) return fail(ErrorCode::InvalidConfig, "text behind the closing quote");
      return value;
    }
    if (quote == '\'' || c != '\\') {
      value += c;
      continue;
    }
    if (++i == text.size()) break;
    switch (text[i]) {
      case 'n': value += '\n'; break;
      case 't': value += '\t'; break;
      case '"':
      case '\\':
      case '$': value += text[i]; break;
      default: return fail(ErrorCode::InvalidConfig, std::string("unknown escape \\") + text[i]);
    }
  }
  return fail(ErrorCode::InvalidConfig, "the closing quote is missing");
}

std::string plain_value(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool comment = text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t');
    if (comment) return trim(text.substr(0, i));
  }
  return trim(text);
}

Result<std::pair<std::string, std::string>> parse_line(std::string_view line) {
  if (line.starts_with("export ")) line.remove_prefix(7);
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return fail(ErrorCode::InvalidConfig, "expected NAME=VALUE");
  std::string name = trim(line.substr(0, equals));
  for (const char c : name) {
    if (!is_name_char(c)) return fail(ErrorCode::InvalidConfig, "the name has a character that is not allowed");
  }
  if (name.empty()) return fail(ErrorCode::InvalidConfig, "the name before = is missing");
  const std::string value = trim(line.substr(equals + 1));
  if (value.empty() || (value.front() != '"' && value.front() != '\'')) {
    return std::pair{std::move(name), plain_value(value)};
  }
  PLANEXE_TRY_ASSIGN(auto text, quoted_value(value));
  return std::pair{std::move(name), std::move(text)};
}

}  // namespace

Result<Settings::Values> parse_env_file(std::string_view text, std::string_view source) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Settings::Values values;
  std::size_t number = 0;
  for (const std::string_view raw : split_lines(text)) {
    ++number;
    const std::string line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    auto parsed = parse_line(line);
    if (!parsed) {
      // The line itself is not shown: it may hold a key.
      return fail(ErrorCode::InvalidConfig,
                  std::string(source) + ", line " + std::to_string(number) + ": " + parsed.error().message + ".");
    }
    values.insert_or_assign(std::move(parsed->first), std::move(parsed->second));
  }
  return values;
}

}  // namespace planexe
