#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "recipe/template_ast.hpp"

namespace planexe::recipe {
namespace {

constexpr int kBlockDepthMax = 32;                    // bounds the recursion of parser and renderer
constexpr std::size_t kSourceBytesMax = 1024 * 1024;  // prompts and views are written by hand

using Nodes = std::vector<TemplateNode>;

TemplateNode make_node(TemplateNode::Kind kind, int line, std::string text = {}) {
  TemplateNode node;
  node.kind = kind;
  node.line = line;
  node.text = std::move(text);
  return node;
}

class TemplateParser {
 public:
  TemplateParser(std::vector<TemplateToken> tokens, const std::string& file)
      : tokens_(std::move(tokens)), file_(file) {}

  Result<Nodes> parse() {
    PLANEXE_TRY_ASSIGN(Nodes nodes, body(0));
    if (next_ < tokens_.size())
      return bad(tokens_[next_].line, fmt::format("{{{{{}}}}} has no opening tag", tokens_[next_].text));
    return nodes;
  }

 private:
  std::unexpected<Error> bad(int line, const std::string& why) const {
    return fail(ErrorCode::RecipeInvalid, fmt::format("{}:{}: {}", file_, line, why));
  }

  template <class T>
  Result<T> placed(int line, Result<T> result) const {
    if (result) return result;
    return bad(line, result.error().message);
  }

  static bool ends_body(std::string_view tag) {
    return tag.starts_with('/') || tag == "else" || tag.starts_with("else ");
  }

  /// Nodes up to a tag that ends a body, which is left to the caller.
  Result<Nodes> body(int depth) {
    Nodes nodes;
    for (; next_ < tokens_.size();) {
      const TemplateToken& token = tokens_[next_];
      if (token.tag && ends_body(token.text)) break;
      ++next_;
      if (!token.tag) {
        nodes.push_back(make_node(TemplateNode::Kind::text, token.line, token.text));
        continue;
      }
      PLANEXE_TRY_ASSIGN(TemplateNode node, tag(token, depth));
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  Result<TemplateNode> tag(const TemplateToken& token, int depth) {
    if (token.text.starts_with("#")) {
      if (depth >= kBlockDepthMax)
        return bad(token.line, fmt::format("blocks are nested deeper than {}", kBlockDepthMax));
      if (token.text.starts_with("#each ")) return each(token, depth);
      if (token.text.starts_with("#if ")) return branch(token, depth);
      return bad(token.line,
                 fmt::format("{{{{{}}}}} is unknown; blocks are #each and #if", cut_code_points(token.text, 40)));
    }
    if (token.text.starts_with(">")) return fragment(token);
    return insert(token);
  }

  Result<TemplateNode> fragment(const TemplateToken& token) const {
    const std::string name = trim(std::string_view(token.text).substr(1));
    if (!is_name(name)) return bad(token.line, fmt::format("'{}' is no fragment name", cut_code_points(name, 40)));
    return make_node(TemplateNode::Kind::fragment, token.line, name);
  }

  Result<TemplateNode> insert(const TemplateToken& token) const {
    TemplateNode node = make_node(TemplateNode::Kind::insert, token.line);
    const std::vector<std::string> parts = pipe_parts(token.text);
    PLANEXE_TRY_ASSIGN(node.path, placed(token.line, parse_path(parts.front())));
    for (std::size_t i = 1; i < parts.size(); ++i) {
      PLANEXE_TRY_ASSIGN(Filter filter, placed(token.line, parse_filter(parts[i])));
      node.filters.push_back(std::move(filter));
    }
    return node;
  }

  /// Splits at '|' outside of quoted texts; never empty.
  static std::vector<std::string> pipe_parts(std::string_view text) {
    std::vector<std::string> parts(1);
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (in_text && text[i] == '\\' && i + 1 < text.size())
        parts.back().push_back(text[i++]);
      else if (text[i] == '"')
        in_text = !in_text;
      else if (text[i] == '|' && !in_text) {
        parts.emplace_back();
        continue;
      }
      parts.back().push_back(text[i]);
    }
    return parts;
  }

  Result<TemplateNode> each(const TemplateToken& token, int depth) {
    TemplateNode node = make_node(TemplateNode::Kind::each, token.line, "this");
    std::string head = trim(std::string_view(token.text).substr(6));
    if (const std::size_t as = head.find(" as "); as != std::string::npos) {
      node.text = trim(std::string_view(head).substr(as + 4));
      head = head.substr(0, as);
      if (!is_name(node.text))
        return bad(token.line, fmt::format("'{}' is no name for the element", cut_code_points(node.text, 40)));
    }
    PLANEXE_TRY_ASSIGN(node.path, placed(token.line, parse_path(head)));
    PLANEXE_TRY_ASSIGN(Nodes inside, body(depth + 1));
    node.arms.push_back({{}, std::move(inside), token.line});
    if (next_ < tokens_.size() && tokens_[next_].text == "else") {
      const int line = tokens_[next_++].line;
      PLANEXE_TRY_ASSIGN(Nodes otherwise, body(depth + 1));
      node.arms.push_back({{}, std::move(otherwise), line});
    }
    PLANEXE_TRY(closing("/each", token));
    return node;
  }

  Result<TemplateNode> branch(const TemplateToken& token, int depth) {
    TemplateNode node = make_node(TemplateNode::Kind::branch, token.line);
    PLANEXE_TRY_ASSIGN(Condition first, placed(token.line, parse_condition(std::string_view(token.text).substr(4))));
    PLANEXE_TRY_ASSIGN(Nodes inside, body(depth + 1));
    node.arms.push_back({std::move(first), std::move(inside), token.line});
    while (next_ < tokens_.size() && !tokens_[next_].text.starts_with('/')) {
      const TemplateToken& tag = tokens_[next_++];
      if (!node.arms.back().condition.node)
        return bad(tag.line, fmt::format("{{{{{}}}}} comes after {{{{else}}}}", tag.text));
      Condition condition;
      if (tag.text != "else") {
        if (!tag.text.starts_with("else if ")) return bad(tag.line, "write {{else}} or {{else if condition}}");
        PLANEXE_TRY_ASSIGN(condition, placed(tag.line, parse_condition(std::string_view(tag.text).substr(8))));
      }
      PLANEXE_TRY_ASSIGN(Nodes other, body(depth + 1));
      node.arms.push_back({std::move(condition), std::move(other), tag.line});
    }
    PLANEXE_TRY(closing("/if", token));
    return node;
  }

  Result<void> closing(std::string_view wanted, const TemplateToken& open) {
    if (next_ < tokens_.size() && tokens_[next_].text == wanted) {
      ++next_;
      return {};
    }
    if (next_ >= tokens_.size())
      return bad(open.line,
                 fmt::format("{{{{{}}}}} is not closed with {{{{{}}}}}", cut_code_points(open.text, 60), wanted));
    return bad(tokens_[next_].line, fmt::format("{{{{{}}}}} does not close {{{{{}}}}} of line {}", tokens_[next_].text,
                                                cut_code_points(open.text, 60), open.line));
  }

  std::vector<TemplateToken> tokens_;
  const std::string& file_;
  std::size_t next_ = 0;
};

constexpr int kFragmentDepthMax = 8;

struct PathCollector {
  const Fragments* fragments = nullptr;  // null: fragments are not followed
  std::vector<Path> paths;
  std::set<std::string> seen;

  void add(const Path& path, const std::vector<std::string>& bound) {
    if (path.root().starts_with('@') || std::ranges::find(bound, path.root()) != bound.end()) return;
    if (seen.insert(path.text).second) paths.push_back(path);
  }

  void walk_fragment(const std::string& name, std::vector<std::string>& bound, int depth) {
    const auto found = fragments ? fragments->find(name) : Fragments::const_iterator();
    if (!fragments || found == fragments->end() || found->second.empty() || depth >= kFragmentDepthMax) return;
    walk(*found->second.nodes, bound, depth + 1);
  }

  void walk(const Nodes& nodes, std::vector<std::string>& bound, int depth) {
    for (const TemplateNode& node : nodes) {
      if (node.kind == TemplateNode::Kind::fragment) walk_fragment(node.text, bound, depth);
      if (node.kind == TemplateNode::Kind::insert || node.kind == TemplateNode::Kind::each) add(node.path, bound);
      for (std::size_t i = 0; i < node.arms.size(); ++i) {
        for (const Path& path : node.arms[i].condition.paths()) add(path, bound);
        const bool binds = node.kind == TemplateNode::Kind::each && i == 0;
        if (binds) bound.push_back(node.text);
        walk(node.arms[i].body, bound, depth);
        if (binds) bound.pop_back();
      }
    }
  }
};

template <class Visit>
void visit_nodes(const Nodes& nodes, const Visit& visit) {
  for (const TemplateNode& node : nodes) {
    visit(node);
    for (const TemplateNode::Arm& arm : node.arms) visit_nodes(arm.body, visit);
  }
}

}  // namespace

namespace {

std::vector<Path> collect_paths(const Template& tmpl, const Fragments* fragments) {
  PathCollector collector;
  collector.fragments = fragments;
  std::vector<std::string> bound;
  if (tmpl.nodes) collector.walk(*tmpl.nodes, bound, 0);
  return std::move(collector.paths);
}

}  // namespace

std::vector<Path> Template::paths() const { return collect_paths(*this, nullptr); }

std::vector<Path> Template::paths(const Fragments& fragments) const { return collect_paths(*this, &fragments); }

std::vector<std::string> Template::fragments() const {
  std::vector<std::string> names;
  if (!nodes) return names;
  visit_nodes(*nodes, [&](const TemplateNode& node) {
    if (node.kind == TemplateNode::Kind::fragment && std::ranges::find(names, node.text) == names.end())
      names.push_back(node.text);
  });
  return names;
}

std::vector<Insertion> insertions(const Template& tmpl) {
  std::vector<Insertion> out;
  if (!tmpl.nodes) return out;
  visit_nodes(*tmpl.nodes, [&](const TemplateNode& node) {
    if (node.kind == TemplateNode::Kind::insert) out.push_back({node.path, node.line, !node.filters.empty()});
  });
  return out;
}

Result<Template> parse_template(std::string_view source, std::string file, int first_line) {
  if (source.size() > kSourceBytesMax)
    return fail(ErrorCode::RecipeInvalid, fmt::format("{}: the template has {} bytes; at most {} are read", file,
                                                      source.size(), kSourceBytesMax));
  PLANEXE_TRY_ASSIGN(std::vector<TemplateToken> tokens, tokenize_template(source, file, first_line));
  PLANEXE_TRY_ASSIGN(Nodes nodes, TemplateParser(std::move(tokens), file).parse());
  Template out;
  out.source = std::string(source);
  out.file = std::move(file);
  out.nodes = std::make_shared<const Nodes>(std::move(nodes));
  out.fingerprint = sha256_hex(source);
  return out;
}

}  // namespace planexe::recipe
