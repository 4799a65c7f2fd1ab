#include <fmt/format.h>

#include <optional>

#include "base/text.hpp"
#include "recipe/answer.hpp"

namespace planexe::recipe {
namespace {

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::InvalidJson, std::move(message)); }

/// Position after the JSON string that starts at `i`, or npos when it does not end.
std::size_t skip_string(std::string_view text, std::size_t i) {
  for (++i; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return std::string_view::npos;
}

/// Position after the object or list that starts at `i`, or npos when it does not end. Brackets inside texts do not
/// count.
std::size_t skip_container(std::string_view text, std::size_t i) {
  std::size_t depth = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"') {
      i = skip_string(text, i);
      if (i == std::string_view::npos) return i;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    ++i;
  }
  return std::string_view::npos;
}

/// All complete JSON objects at the outermost level (or, for a text that starts with '[', lists).
struct Found {
  std::vector<json::value> values;
  std::string first_error;  ///< of a balanced piece that is no JSON
  bool cut = false;
};

Found outermost_values(std::string_view text) {
  Found found;
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  const char open = start != std::string_view::npos && text[start] == '[' ? '[' : '{';
  std::size_t i = text.find(open);
  while (i != std::string_view::npos) {
    const std::size_t end = skip_container(text, i);
    if (end == std::string_view::npos) {
      found.cut = true;
      return found;
    }
    auto parsed = parse_json(text.substr(i, end - i));
    if (parsed)
      found.values.push_back(*std::move(parsed));
    else if (found.first_error.empty())
      found.first_error = parsed.error().message;
    i = text.find(open, end);
  }
  return found;
}

std::string_view without_wrapping(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  if (!text.starts_with("```")) return text;
  text.remove_prefix(std::min(text.find('\n'), text.size()));
  if (text.ends_with("```")) text.remove_suffix(3);
  return text;
}

/// Walks a JSON text that may end anywhere, towards one list.
class Salvager {
 public:
  Salvager(std::string_view text, const Path& list) : text_(text), path_(list) {}

  json::array run() {
    at_ = text_.find('{');
    if (at_ != std::string_view::npos) descend(0);
    return std::move(elements_);
  }

 private:
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  /// The position is at the value for path step `depth` - 1; goes on into the member for step `depth`.
  void descend(std::size_t depth) {
    if (depth == path_.steps.size()) return collect();
    if (path_.steps[depth].kind != Path::Step::member || !take('{')) return;
    do {
      blanks();
      if (at_ >= text_.size() || text_[at_] != '"') return;
      const std::size_t end = skip_string(text_, at_);
      if (end == std::string_view::npos) return;
      const std::string_view key = text_.substr(at_ + 1, end - at_ - 2);
      at_ = end;
      if (!take(':')) return;
      blanks();
      if (key == path_.steps[depth].name) return descend(depth + 1);
      if (!skip_value()) return;
    } while (take(','));
  }

  /// False: the text ends inside the value.
  bool skip_value() {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    const std::size_t end = c == '"'               ? skip_string(text_, at_)
                            : c == '{' || c == '[' ? skip_container(text_, at_)
                                                   : text_.find_first_of(",]}", at_);
    if (end == std::string_view::npos) return false;
    at_ = end;
    return true;
  }

  void collect() {
    if (!take('[')) return;
    do {
      blanks();
      const std::size_t begin = at_;
      if (!skip_value() || at_ == begin) return;
      auto element = parse_json(text_.substr(begin, at_ - begin));
      if (!element) return;
      elements_.push_back(*std::move(element));
    } while (take(','));
  }

  std::string_view text_;
  const Path& path_;
  std::size_t at_ = 0;
  json::array elements_;
};

}  // namespace

Result<json::value> read_json_answer(std::string_view text) {
  if (!valid_utf8(text)) return bad("the answer is not UTF-8 text");
  const std::string_view inner = without_wrapping(text);
  if (inner.empty()) return bad("the answer is empty; send one JSON object");
  Found found = outermost_values(inner);
  if (found.cut) return bad("the JSON ends before it is complete; send the whole object");
  if (found.values.size() > 1) return bad("there are several JSON values; send one object and nothing else");
  if (found.values.size() == 1) return std::move(found.values.front());
  if (!found.first_error.empty()) return bad(found.first_error);
  return bad("there is no JSON object in the answer; send one JSON object and nothing else");
}

json::array salvage_list(std::string_view text, const Path& list) {
  return Salvager(without_wrapping(text), list).run();
}

}  // namespace planexe::recipe
