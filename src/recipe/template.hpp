#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/path.hpp"

namespace planexe::recipe {

struct Template;
struct TemplateNode;
struct ConditionNode;
using Fragments = std::map<std::string, Template>;

/// A parsed condition of `#if` and `when`; docs/recipe-format.md section 3.
struct Condition {
  std::string text;
  std::shared_ptr<const ConditionNode> node;
  std::vector<Path> paths() const;
};

/// Error RECIPE_INVALID names the word that is not understood.
Result<Condition> parse_condition(std::string_view text);

/// `and` and `or` stop at the first decision, so `a? and a.b` is safe. A missing value is an error unless the path is
/// optional.
Result<bool> evaluate(const Condition& condition, const Scope& scope);

/// False for null, false, "", an empty list and an empty object.
bool truthy(const json::value& value);

/// A parsed template; cheap to copy, immutable, safe on any thread.
struct Template {
  std::string source;
  std::string file;  ///< for messages
  std::shared_ptr<const std::vector<TemplateNode>> nodes;
  std::string fingerprint;          ///< SHA-256 of the source; load_recipe makes it cover the fragments too
  std::vector<Path> paths() const;  ///< every path it mentions that is not bound by an #each, each text once
  std::vector<Path> paths(const Fragments& fragments)
      const;  ///< the same with those of the fragments it includes, in the loops that include them
  std::vector<std::string> fragments() const;  ///< names of {{> fragment}}
  bool empty() const { return !nodes; }
};

/// Errors name file and line. `first_line` is the line of the file at which `source` starts.
Result<Template> parse_template(std::string_view source, std::string file, int first_line = 1);

/// Renders; a missing value is an error with file, line and path. Inserted text is never parsed again. Output is
/// limited to 8 MiB.
Result<std::string> render(const Template& tmpl, const Scope& scope, const Fragments& fragments);

/// A path that a template prints, with the line and whether filters follow; for lint.
struct Insertion {
  Path path;
  int line = 0;
  bool filtered = false;
};
std::vector<Insertion> insertions(const Template& tmpl);

}  // namespace planexe::recipe
