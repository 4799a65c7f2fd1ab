#include "recipe/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kPathCharsMax = 512;  // a longer one is a mistake: the deepest real path has six names
constexpr std::size_t kPathStepsMax = 32;   // bounds the recursion of resolve and locate

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_char(char c) { return name_start(c) || (c >= '0' && c <= '9'); }

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  Result<Path> parse() {
    Path path;
    path.text = std::string(text_);
    PLANEXE_TRY(member(path, at('@')));
    while (position_ < text_.size()) {
      if (path.steps.size() >= kPathStepsMax) return bad("it has too many steps");
      if (at('.')) {
        ++position_;
        PLANEXE_TRY(member(path, false));
      } else if (at('[')) {
        PLANEXE_TRY(bracket(path));
      } else {
        return bad(fmt::format("'{}' at character {} is not expected", text_[position_], position_ + 1));
      }
    }
    return path;
  }

 private:
  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }

  std::unexpected<Error> bad(const std::string& why) const {
    return fail(ErrorCode::RecipeInvalid, fmt::format("\"{}\" is no path: {}; write name.name, name[] or name[0]",
                                                      cut_code_points(text_, 80), why));
  }

  bool optional() {
    if (!at('?')) return false;
    ++position_;
    return true;
  }

  Result<void> member(Path& path, bool loop_name) {
    const std::size_t begin = position_;
    if (loop_name) ++position_;
    if (position_ >= text_.size() || !name_start(text_[position_])) return bad("a name is missing");
    while (position_ < text_.size() && name_char(text_[position_])) ++position_;
    Path::Step step;
    step.name = std::string(text_.substr(begin, position_ - begin));
    if (loop_name && step.name != "@number" && step.name != "@first" && step.name != "@last")
      return bad("only @number, @first and @last start with @");
    step.optional = optional();
    path.steps.push_back(std::move(step));
    return {};
  }

  Result<void> bracket(Path& path) {
    ++position_;
    Path::Step step;
    step.kind = Path::Step::each;
    if (!at(']')) {
      const char* begin = text_.data() + position_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), step.number);
      if (error != std::errc() || end == begin) return bad("between [ and ] stands a number or nothing");
      step.kind = Path::Step::index;
      position_ += static_cast<std::size_t>(end - begin);
    }
    if (!at(']')) return bad("']' is missing");
    ++position_;
    step.optional = optional();
    path.steps.push_back(std::move(step));
    return {};
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

std::unexpected<Error> missing(const Path& path, std::string_view what) {
  return fail(ErrorCode::RecipeInvalid, fmt::format("{}: {}", cut_code_points(path.text, 100), what));
}

std::string kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::object: return "an object";
    case json::kind::array: return "a list";
    case json::kind::string: return "a text";
    case json::kind::bool_: return "true or false";
    default: return "a number";
  }
}

/// One step without []. Null pointer: an optional step found nothing.
Result<const json::value*> descend(const Path& path, const Path::Step& step, const json::value& value) {
  if (step.kind == Path::Step::member) {
    if (const json::value* found = find(value, step.name); found && !(step.optional && found->is_null())) return found;
    if (step.optional) return nullptr;
    if (!value.is_object()) return missing(path, fmt::format("'{}' is asked of {}", step.name, kind_name(value)));
    return missing(path, fmt::format("'{}' does not exist", step.name));
  }
  if (value.is_array() && step.number < value.get_array().size()) return &value.get_array()[step.number];
  if (step.optional) return nullptr;
  return missing(path, value.is_array() ? fmt::format("[{}] is beyond the end of a list of {}", step.number,
                                                      value.get_array().size())
                                        : fmt::format("[{}] is asked of {}", step.number, kind_name(value)));
}

Result<const json::value*> root_value(const Path& path, const Scope& scope) {
  const json::value* value = scope.root(path.root());
  const bool optional = path.steps.front().optional;
  if (value && !(optional && value->is_null())) return value;
  if (optional) return nullptr;
  return missing(path, fmt::format("'{}' does not exist here", path.root()));
}

/// Appends what lies at steps[from...] of `value`, flat.
Result<void> collect(const Path& path, std::size_t from, const json::value& value, json::array& out) {
  const json::value* current = &value;
  for (std::size_t i = from; i < path.steps.size(); ++i) {
    const Path::Step& step = path.steps[i];
    if (step.kind != Path::Step::each) {
      PLANEXE_TRY_ASSIGN(current, descend(path, step, *current));
      if (!current) return {};
      continue;
    }
    if (!current->is_array()) {
      if (step.optional) return {};
      return missing(path, fmt::format("[] is asked of {}", kind_name(*current)));
    }
    for (const json::value& element : current->get_array()) PLANEXE_TRY(collect(path, i + 1, element, out));
    return {};
  }
  if (current->is_array()) {
    for (const json::value& element : current->get_array()) out.push_back(element);
  } else {
    out.push_back(*current);
  }
  return {};
}

void locate_from(const Path& path, std::size_t from, const json::value& value, const std::string& place,
                 std::vector<Located>& out) {
  if (from == path.steps.size()) {
    out.push_back({place, &value});
    return;
  }
  const Path::Step& step = path.steps[from];
  if (step.kind == Path::Step::member) {
    const json::value* found = find(value, step.name);
    if (found) locate_from(path, from + 1, *found, place.empty() ? step.name : place + "." + step.name, out);
    return;
  }
  if (!value.is_array()) return;
  const json::array& list = value.get_array();
  const std::size_t first = step.kind == Path::Step::index ? step.number : 0;
  const std::size_t last = step.kind == Path::Step::index ? std::min(step.number + 1, list.size()) : list.size();
  for (std::size_t i = first; i < last; ++i) locate_from(path, from + 1, list[i], fmt::format("{}[{}]", place, i), out);
}

}  // namespace

bool Path::tolerant() const {
  return std::ranges::any_of(steps, [](const Step& step) { return step.optional; });
}

bool Path::has_each() const {
  return std::ranges::any_of(steps, [](const Step& step) { return step.kind == Step::each; });
}

bool is_name(std::string_view text) {
  return !text.empty() && name_start(text.front()) && std::ranges::all_of(text, name_char);
}

Result<Path> parse_path(std::string_view text) {
  const std::string trimmed = trim(text);
  if (trimmed.size() > kPathCharsMax)
    return fail(ErrorCode::RecipeInvalid,
                fmt::format("a path has {} characters; at most {} are read", trimmed.size(), kPathCharsMax));
  return PathParser(trimmed).parse();
}

void Scope::set(std::string name, const json::value* value) {
  for (auto& [known, pointer] : values_) {
    if (known != name) continue;
    pointer = value;
    return;
  }
  values_.emplace_back(std::move(name), value);
}

const json::value* Scope::root(std::string_view name) const {
  for (const auto& [known, value] : values_)
    if (known == name) return value;
  return parent_ ? parent_->root(name) : nullptr;
}

Result<const json::value*> resolve_pointer(const Path& path, const Scope& scope) {
  PLANEXE_TRY_ASSIGN(const json::value* value, root_value(path, scope));
  for (std::size_t i = 1; i < path.steps.size() && value; ++i) {
    if (path.steps[i].kind == Path::Step::each) return missing(path, "a path with [] gives a new list, not a place");
    PLANEXE_TRY_ASSIGN(value, descend(path, path.steps[i], *value));
  }
  return value;
}

Result<json::value> resolve(const Path& path, const Scope& scope) {
  if (!path.has_each()) {
    PLANEXE_TRY_ASSIGN(const json::value* value, resolve_pointer(path, scope));
    return value ? *value : json::value(nullptr);
  }
  PLANEXE_TRY_ASSIGN(const json::value* value, root_value(path, scope));
  std::size_t first = 1;
  for (; value && path.steps[first].kind != Path::Step::each; ++first) {
    PLANEXE_TRY_ASSIGN(value, descend(path, path.steps[first], *value));
  }
  if (!value) return json::value(nullptr);
  if (path.steps[first].optional && value->is_null()) return json::value(nullptr);
  json::array out;
  PLANEXE_TRY(collect(path, first, *value, out));
  return json::value(std::move(out));
}

std::vector<Located> locate(const Path& path, const json::value& document) {
  std::vector<Located> out;
  locate_from(path, 0, document, "", out);
  return out;
}

}  // namespace planexe::recipe
