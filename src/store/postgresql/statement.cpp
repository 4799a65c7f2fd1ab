#include "store/postgresql/statement.hpp"

#include <algorithm>

namespace planexe::store::postgresql {
namespace {

/// The end of a quoted part; a doubled quote does not end it, nor, in E'…', one after a backslash.
std::size_t end_of_quotes(std::string_view text, std::size_t at, bool escapes) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      return at + 1;
    }
  }
  return text.size();
}

/// The end of $tag$…$tag$, or `at` when no such part begins here.
std::size_t end_of_dollars(std::string_view text, std::size_t at) {
  const auto close = text.find('$', at + 1);
  if (close == std::string_view::npos) return at;
  const auto tag = text.substr(at, close - at + 1);
  const auto name = tag.substr(1, tag.size() - 2);
  const auto letter = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!std::ranges::all_of(name, letter)) return at;
  const auto end = text.find(tag, close + 1);
  return end == std::string_view::npos ? text.size() : end + tag.size();
}

std::size_t end_of_block_comment(std::string_view text, std::size_t at) {
  const auto end = text.find("*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + 2;
}

/// Where the part that begins at `at` ends, when it is quoted or a comment; else `at`.
std::size_t skip(std::string_view text, std::size_t at) {
  const auto two = text.substr(at, 2);
  if (two == "--") return std::min(text.find('\n', at), text.size());
  if (two == "/*") return end_of_block_comment(text, at);
  if (text[at] == '\'') return end_of_quotes(text, at, at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e'));
  if (text[at] == '"') return end_of_quotes(text, at, false);
  if (text[at] == '$') return end_of_dollars(text, at);
  return at;
}

/// White space and comments only.
bool is_empty(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto two = text.substr(at, 2);
    if (two == "--" || two == "/*") {
      at = skip(text, at);
    } else if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
      ++at;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Numbered number_parameters(std::string_view statement) {
  Numbered numbered;
  numbered.text.reserve(statement.size() + 32);
  for (std::size_t at = 0; at < statement.size();) {
    if (const auto end = skip(statement, at); end > at) {
      numbered.text.append(statement.substr(at, end - at));
      at = end;
    } else if (statement[at] == '?') {
      numbered.text.append("$").append(std::to_string(++numbered.parameters));
      ++at;
    } else {
      numbered.text.push_back(statement[at++]);
    }
  }
  return numbered;
}

std::vector<std::string_view> split_script(std::string_view script) {
  std::vector<std::string_view> statements;
  std::size_t start = 0;
  const auto add = [&](std::size_t end) {
    if (const auto statement = script.substr(start, end - start); !is_empty(statement)) statements.push_back(statement);
    start = end + 1;
  };
  for (std::size_t at = 0; at < script.size();) {
    if (const auto end = skip(script, at); end > at) {
      at = end;
    } else {
      if (script[at] == ';') add(at);
      ++at;
    }
  }
  if (start < script.size()) add(script.size());
  return statements;
}

}  // namespace planexe::store::postgresql
