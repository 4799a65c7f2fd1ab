#include <fmt/format.h>

#include "base/text.hpp"
#include "recipe/template_ast.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kOutputBytesMax = 8 * 1024 * 1024;  // far more than any model reads; stops multiplied loops
constexpr int kFragmentDepthMax = 8;                      // fragments in fragments; also ends a circle of them
constexpr std::size_t kRoundsMax = 2'000'000;             // nested empty loops produce no output that could be limited

using Nodes = std::vector<TemplateNode>;

class Renderer {
 public:
  explicit Renderer(const Fragments& fragments) : fragments_(fragments) {}

  Result<void> nodes(const Nodes& list, const Scope& scope, const std::string& file, int depth) {
    for (const TemplateNode& node : list) {
      PLANEXE_TRY(one(node, scope, file, depth));
      if (out_.size() > kOutputBytesMax)
        return bad(file, node.line, fmt::format("the text grows over {} MiB", kOutputBytesMax / 1024 / 1024));
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  static std::unexpected<Error> bad(const std::string& file, int line, const std::string& why) {
    return fail(ErrorCode::RecipeInvalid, fmt::format("{}:{}: {}", file, line, why));
  }

  template <class T>
  static Result<T> placed(const std::string& file, int line, Result<T> result) {
    if (result) return result;
    return bad(file, line, result.error().message);
  }

  Result<void> one(const TemplateNode& node, const Scope& scope, const std::string& file, int depth) {
    switch (node.kind) {
      case TemplateNode::Kind::text: out_ += node.text; return {};
      case TemplateNode::Kind::insert: return insert(node, scope, file);
      case TemplateNode::Kind::each: return each(node, scope, file, depth);
      case TemplateNode::Kind::branch: return branch(node, scope, file, depth);
      case TemplateNode::Kind::fragment: return fragment(node, scope, file, depth);
    }
    return {};
  }

  Result<void> insert(const TemplateNode& node, const Scope& scope, const std::string& file) {
    PLANEXE_TRY_ASSIGN(json::value value, placed(file, node.line, resolve(node.path, scope)));
    for (const Filter& filter : node.filters) {
      auto next = apply_filter(filter, value);
      if (!next) return bad(file, node.line, fmt::format("{}: {}", node.path.text, next.error().message));
      value = *std::move(next);
    }
    if (value.is_null()) {
      if (node.path.tolerant()) return {};
      return bad(file, node.line, fmt::format("{} is null; write {}? or ask with #if", node.path.text, node.path.text));
    }
    auto text = plain_text(value);
    if (!text) return bad(file, node.line, fmt::format("{}: {}", node.path.text, text.error().message));
    out_ += *text;
    return {};
  }

  Result<void> each(const TemplateNode& node, const Scope& scope, const std::string& file, int depth) {
    json::value owned;
    const json::value* value = &owned;
    if (node.path.has_each()) {
      PLANEXE_TRY_ASSIGN(owned, placed(file, node.line, resolve(node.path, scope)));
    } else {
      PLANEXE_TRY_ASSIGN(value, placed(file, node.line, resolve_pointer(node.path, scope)));
    }
    const bool nothing = !value || value->is_null();
    if (nothing && !node.path.tolerant())
      return bad(file, node.line, fmt::format("{} is null; write {}?", node.path.text, node.path.text));
    if (!nothing && !value->is_array()) return bad(file, node.line, fmt::format("{} is no list", node.path.text));
    if (nothing || value->get_array().empty())
      return node.arms.size() > 1 ? nodes(node.arms[1].body, scope, file, depth) : Result<void>();
    return loop(node, value->get_array(), scope, file, depth);
  }

  Result<void> loop(const TemplateNode& node, const json::array& list, const Scope& scope, const std::string& file,
                    int depth) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (++rounds_ > kRoundsMax) return bad(file, node.line, fmt::format("more than {} rounds of loops", kRoundsMax));
      const json::value number(static_cast<std::int64_t>(i) + 1);
      const json::value first(i == 0);
      const json::value last(i + 1 == list.size());
      Scope inner(&scope);
      inner.set(node.text, &list[i]);
      inner.set("@number", &number);
      inner.set("@first", &first);
      inner.set("@last", &last);
      PLANEXE_TRY(nodes(node.arms[0].body, inner, file, depth));
    }
    return {};
  }

  Result<void> branch(const TemplateNode& node, const Scope& scope, const std::string& file, int depth) {
    for (const TemplateNode::Arm& arm : node.arms) {
      PLANEXE_TRY_ASSIGN(const bool chosen, placed(file, arm.line, evaluate(arm.condition, scope)));
      if (chosen) return nodes(arm.body, scope, file, depth);
    }
    return {};
  }

  Result<void> fragment(const TemplateNode& node, const Scope& scope, const std::string& file, int depth) {
    const auto found = fragments_.find(node.text);
    if (found == fragments_.end() || found->second.empty())
      return bad(file, node.line, fmt::format("there is no fragment '{}'", node.text));
    if (depth >= kFragmentDepthMax)
      return bad(file, node.line, fmt::format("fragments are nested deeper than {}", kFragmentDepthMax));
    return nodes(*found->second.nodes, scope, found->second.file, depth + 1);
  }

  const Fragments& fragments_;
  std::string out_;
  std::size_t rounds_ = 0;
};

}  // namespace

Result<std::string> render(const Template& tmpl, const Scope& scope, const Fragments& fragments) {
  if (tmpl.empty()) return std::string();
  Renderer renderer(fragments);
  PLANEXE_TRY(renderer.nodes(*tmpl.nodes, scope, tmpl.file, 0));
  return renderer.take();
}

}  // namespace planexe::recipe
