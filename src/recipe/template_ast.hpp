#pragma once

#include <vector>

#include "recipe/filters.hpp"
#include "recipe/template.hpp"

namespace planexe::recipe {

/// Node of a parsed condition. Internal to the template engine.
struct ConditionNode {
  enum class Kind { path, equals, negate, all_of, any_of } kind = Kind::path;
  Path path;                            ///< path, equals
  json::value literal;                  ///< equals
  bool differs = false;                 ///< equals written as !=
  std::vector<ConditionNode> children;  ///< negate: one; all_of, any_of: two or more
};

/// Node of a parsed template. Internal to the template engine.
struct TemplateNode {
  enum class Kind { text, insert, each, branch, fragment } kind = Kind::text;
  int line = 0;
  std::string text;             ///< text: literal; each: element name; fragment: its name
  Path path;                    ///< insert, each
  std::vector<Filter> filters;  ///< insert
  struct Arm {
    Condition condition;  ///< no node: else
    std::vector<TemplateNode> body;
    int line = 0;
  };
  std::vector<Arm> arms;  ///< branch: in order; each: body and perhaps the else body
};

/// A piece of template source: literal text or the inside of one {{…}}, trimmed.
struct TemplateToken {
  bool tag = false;
  std::string text;
  int line = 0;
};

/// Splits a source at its tags. Block tags that stand alone on their line take the line with them; comments are gone.
/// Error: a tag that is not closed, or longer than 1 KiB.
Result<std::vector<TemplateToken>> tokenize_template(std::string_view source, const std::string& file, int first_line);

}  // namespace planexe::recipe
