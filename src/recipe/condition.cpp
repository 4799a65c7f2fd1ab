#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"
#include "recipe/template_ast.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kConditionCharsMax = 1024;  // bounds the recursion over `not`
constexpr int kNotDepthMax = 16;

struct Word {
  enum class Kind { word, text, equal, unequal } kind = Kind::word;
  std::string text;
};

std::unexpected<Error> bad(std::string_view condition, const std::string& why) {
  return fail(ErrorCode::RecipeInvalid, fmt::format("condition \"{}\": {}", cut_code_points(condition, 80), why));
}

bool stops_word(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '=' || c == '!' || c == '"'; }

Result<std::string> read_text(std::string_view source, std::size_t& i) {
  std::string out;
  for (++i; i < source.size() && source[i] != '"'; ++i) {
    if (source[i] == '\\' && i + 1 < source.size()) ++i;
    out.push_back(source[i]);
  }
  if (i >= source.size()) return bad(source, "a text is not closed with \"");
  ++i;
  return out;
}

Result<std::vector<Word>> words(std::string_view source) {
  std::vector<Word> out;
  for (std::size_t i = 0; i < source.size();) {
    const char c = source[i];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++i;
    } else if (c == '"') {
      PLANEXE_TRY_ASSIGN(std::string text, read_text(source, i));
      out.push_back({Word::Kind::text, std::move(text)});
    } else if (source.substr(i, 2) == "==" || source.substr(i, 2) == "!=") {
      out.push_back({c == '=' ? Word::Kind::equal : Word::Kind::unequal, std::string(source.substr(i, 2))});
      i += 2;
    } else {
      const std::size_t begin = i;
      while (i < source.size() && !stops_word(source[i])) ++i;
      if (i == begin) return bad(source, fmt::format("'{}' is not expected; comparisons are == and !=", c));
      out.push_back({Word::Kind::word, std::string(source.substr(begin, i - begin))});
    }
  }
  return out;
}

class ConditionParser {
 public:
  ConditionParser(std::string_view source, std::vector<Word> words) : source_(source), words_(std::move(words)) {}

  Result<ConditionNode> parse() {
    PLANEXE_TRY_ASSIGN(ConditionNode node, any_of());
    if (next_ < words_.size())
      return bad(source_, fmt::format("'{}' is not expected; use and, or, not, ==, !=", words_[next_].text));
    return node;
  }

 private:
  bool take(std::string_view word) {
    if (next_ >= words_.size() || words_[next_].kind != Word::Kind::word || words_[next_].text != word) return false;
    ++next_;
    return true;
  }

  Result<ConditionNode> any_of() {
    PLANEXE_TRY_ASSIGN(ConditionNode first, all_of());
    return chain("or", ConditionNode::Kind::any_of, std::move(first), &ConditionParser::all_of);
  }

  Result<ConditionNode> all_of() {
    PLANEXE_TRY_ASSIGN(ConditionNode first, negation(0));
    return chain("and", ConditionNode::Kind::all_of, std::move(first), &ConditionParser::plain_negation);
  }

  Result<ConditionNode> plain_negation() { return negation(0); }

  Result<ConditionNode> chain(std::string_view word, ConditionNode::Kind kind, ConditionNode first,
                              Result<ConditionNode> (ConditionParser::*operand)()) {
    if (!take(word)) return first;
    ConditionNode node;
    node.kind = kind;
    node.children.push_back(std::move(first));
    do {
      PLANEXE_TRY_ASSIGN(ConditionNode child, (this->*operand)());
      node.children.push_back(std::move(child));
    } while (take(word));
    return node;
  }

  Result<ConditionNode> negation(int depth) {
    if (!take("not")) return comparison();
    if (depth >= kNotDepthMax) return bad(source_, "too many 'not'");
    PLANEXE_TRY_ASSIGN(ConditionNode child, negation(depth + 1));
    ConditionNode node;
    node.kind = ConditionNode::Kind::negate;
    node.children.push_back(std::move(child));
    return node;
  }

  Result<ConditionNode> comparison() {
    if (next_ >= words_.size()) return bad(source_, "a path is missing at the end");
    if (words_[next_].kind != Word::Kind::word)
      return bad(source_, fmt::format("a path is expected, not '{}'", words_[next_].text));
    ConditionNode node;
    PLANEXE_TRY_ASSIGN(node.path, parse_path(words_[next_++].text));
    if (next_ >= words_.size() ||
        (words_[next_].kind != Word::Kind::equal && words_[next_].kind != Word::Kind::unequal))
      return node;
    node.kind = ConditionNode::Kind::equals;
    node.differs = words_[next_++].kind == Word::Kind::unequal;
    PLANEXE_TRY_ASSIGN(node.literal, literal());
    return node;
  }

  Result<json::value> literal() {
    if (next_ >= words_.size()) return bad(source_, "a \"text\" or a number is missing at the end");
    const Word& word = words_[next_++];
    if (word.kind == Word::Kind::text) return json::value(word.text);
    std::int64_t integer = 0;
    const char* end = word.text.data() + word.text.size();
    if (std::from_chars(word.text.data(), end, integer).ptr == end) return json::value(integer);
    double number = 0;
    if (std::from_chars(word.text.data(), end, number).ptr == end) return json::value(number);
    return bad(
        source_,
        fmt::format("a \"text\" or a number is expected, not '{}'; to test for true write the path alone", word.text));
  }

  std::string_view source_;
  std::vector<Word> words_;
  std::size_t next_ = 0;
};

bool same(const json::value& value, const json::value& literal) {
  if (literal.is_string() || !value.is_number()) return value == literal;
  return value.to_number<double>() == literal.to_number<double>();
}

Result<bool> evaluate_node(const ConditionNode& node, const Scope& scope) {
  if (node.kind == ConditionNode::Kind::path || node.kind == ConditionNode::Kind::equals) {
    PLANEXE_TRY_ASSIGN(const json::value value, resolve(node.path, scope));
    return node.kind == ConditionNode::Kind::path ? truthy(value) : same(value, node.literal) != node.differs;
  }
  if (node.kind == ConditionNode::Kind::negate) {
    PLANEXE_TRY_ASSIGN(const bool inner, evaluate_node(node.children.front(), scope));
    return !inner;
  }
  const bool decisive = node.kind == ConditionNode::Kind::any_of;
  for (const ConditionNode& child : node.children) {
    PLANEXE_TRY_ASSIGN(const bool value, evaluate_node(child, scope));
    if (value == decisive) return decisive;
  }
  return !decisive;
}

void collect_paths(const ConditionNode& node, std::vector<Path>& out) {
  if (!node.path.steps.empty()) out.push_back(node.path);
  for (const ConditionNode& child : node.children) collect_paths(child, out);
}

}  // namespace

bool truthy(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return false;
    case json::kind::bool_: return value.get_bool();
    case json::kind::string: return !value.get_string().empty();
    case json::kind::array: return !value.get_array().empty();
    case json::kind::object: return !value.get_object().empty();
    default: return true;
  }
}

std::vector<Path> Condition::paths() const {
  std::vector<Path> out;
  if (node) collect_paths(*node, out);
  return out;
}

Result<Condition> parse_condition(std::string_view text) {
  const std::string trimmed = trim(text);
  if (trimmed.empty())
    return fail(ErrorCode::RecipeInvalid, "a condition is empty; write a path, not, ==, !=, and, or");
  if (trimmed.size() > kConditionCharsMax) return bad(trimmed, "it is too long");
  PLANEXE_TRY_ASSIGN(std::vector<Word> list, words(trimmed));
  PLANEXE_TRY_ASSIGN(ConditionNode node, ConditionParser(trimmed, std::move(list)).parse());
  return Condition{trimmed, std::make_shared<const ConditionNode>(std::move(node))};
}

Result<bool> evaluate(const Condition& condition, const Scope& scope) {
  return condition.node ? evaluate_node(*condition.node, scope) : Result<bool>(true);
}

}  // namespace planexe::recipe
