#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace planexe::recipe {

/// A literal path: name(.name | [] | [n])*, each step optionally followed by '?'. Grammar in docs/recipe-format.md
/// section 2. The roots `@number`, `@first` and `@last` exist only inside `#each`.
struct Path {
  struct Step {
    enum Kind { member, each, index } kind = member;
    std::string name;
    std::size_t number = 0;
    bool optional = false;
  };
  std::string text;         ///< as written, without filters
  std::vector<Step> steps;  ///< steps[0] is the root member

  const std::string& root() const { return steps.front().name; }
  bool tolerant() const;  ///< any step is optional
  bool has_each() const;  ///< any step is []
};

/// Error RECIPE_INVALID: the text is no path. At most 512 characters and 32 steps.
Result<Path> parse_path(std::string_view text);

/// A name of the format: a letter or '_', then letters, digits, '_'.
bool is_name(std::string_view text);

/// Named JSON roots that paths start from. Holds pointers only: every value must outlive the scope. Lookup goes from
/// the innermost scope outwards.
class Scope {
 public:
  explicit Scope(const Scope* parent = nullptr) : parent_(parent) {}
  void set(std::string name, const json::value* value);
  const json::value* root(std::string_view name) const;  ///< null when unknown

 private:
  const Scope* parent_;
  std::vector<std::pair<std::string, const json::value*>> values_;
};

/// Value at a path. `[]` gives one flat list: `a[].b` has the elements of every b when b is a list. A missing member is
/// an error (RECIPE_INVALID) that names path and member, unless the step is optional: then the value is null, whatever
/// follows, and inside `[]` the element is left out.
Result<json::value> resolve(const Path& path, const Scope& scope);

/// The same without copying, for paths without `[]`; null pointer when an optional step is missing.
Result<const json::value*> resolve_pointer(const Path& path, const Scope& scope);

/// The values at a path inside one JSON document, each with its concrete place ("levers[2].name"), for rules. Members
/// that do not exist give nothing.
struct Located {
  std::string place;
  const json::value* value;
};
std::vector<Located> locate(const Path& path, const json::value& document);

}  // namespace planexe::recipe
