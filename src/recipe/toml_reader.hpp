#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "recipe/lint.hpp"
#include "recipe/path.hpp"
#include "recipe/recipe.hpp"

namespace planexe::recipe {

/// Collects what is wrong with a recipe. One thread.
class Problems {
 public:
  void error(std::string place, std::string message) { list_.push_back({true, std::move(place), std::move(message)}); }
  void warning(std::string place, std::string message) {
    list_.push_back({false, std::move(place), std::move(message)});
  }
  bool has_errors() const;
  std::vector<LintMessage> take();  ///< sorted by place, each once

 private:
  std::vector<LintMessage> list_;
};

/// Reads a TOML table key by key; wrong types are reported with their line. done() reports the keys that nobody asked
/// for, with the nearest that was.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string file, Problems& problems)
      : table_(&table), file_(std::move(file)), problems_(&problems) {}

  bool has(std::string_view key) const { return table_->contains(key); }
  const toml::node* node(std::string_view key);  ///< null when absent; marks the key as known

  std::optional<std::string> text(std::string_view key);
  std::optional<double> number(std::string_view key);
  std::optional<int> integer(std::string_view key, int least, int most);
  std::optional<bool> boolean(std::string_view key);
  std::optional<Path> path(std::string_view key);
  std::optional<Condition> condition(std::string_view key);
  std::vector<std::string> texts(std::string_view key);  ///< a list of texts; empty when absent
  std::vector<Path> paths(std::string_view key);
  json::value value(std::string_view key);  ///< any TOML value as JSON; null when absent
  std::optional<TableReader> table(std::string_view key);
  std::vector<TableReader> tables(std::string_view key);  ///< [[key]]

  /// A number, or a table by speed; speeds that the table leaves out have `fallback`.
  BySpeed<int> integer_by_speed(std::string_view key, int fallback, int least, int most);
  BySpeed<std::string> text_by_speed(std::string_view key, const std::vector<std::string>& allowed);

  void done();  ///< call when all keys were asked for
  void bad(std::string_view key, const std::string& message);
  std::string place(std::string_view key) const;  ///< "file:line"
  std::vector<std::string> keys() const;
  const std::string& file() const { return file_; }
  Problems& problems() const { return *problems_; }

 private:
  void wrong_type(std::string_view key, std::string_view wanted);

  const toml::table* table_;
  std::string file_;
  Problems* problems_;
  std::vector<std::string> known_;
};

/// A TOML value as JSON; dates become text.
json::value toml_to_json(const toml::node& node);

/// Parses a TOML document; reports syntax errors with line and column.
std::optional<toml::table> parse_toml(const std::string& text, const std::string& file, Problems& problems);

}  // namespace planexe::recipe
