#include <fmt/format.h>

#include "base/text.hpp"
#include "recipe/template_ast.hpp"

namespace planexe::recipe {
namespace {

constexpr std::size_t kTagCharsMax = 1024;  // an unclosed tag must not swallow the file before it is noticed

bool blank(char c) { return c == ' ' || c == '\t'; }

bool is_block(std::string_view tag) {
  return tag.starts_with('#') || tag.starts_with('/') || tag.starts_with('!') || tag == "else" ||
         tag.starts_with("else ");
}

/// End of the tag whose inside starts at `from`: the position of "}}" outside of quoted texts.
std::size_t tag_end(std::string_view source, std::size_t from) {
  if (source[from] == '!') return source.find("}}", from);
  bool in_text = false;
  for (std::size_t i = from; i + 1 < source.size(); ++i) {
    if (in_text && source[i] == '\\')
      ++i;
    else if (source[i] == '"')
      in_text = !in_text;
    else if (!in_text && source[i] == '}' && source[i + 1] == '}')
      return i;
  }
  return std::string_view::npos;
}

/// When only blanks surround [open, close) on its line: where the line starts and where the next one does.
struct Line {
  bool alone = false;
  std::size_t begin = 0;
  std::size_t end = 0;
};
Line surrounding_line(std::string_view source, std::size_t open, std::size_t close) {
  Line line;
  line.begin = open;
  while (line.begin > 0 && blank(source[line.begin - 1])) --line.begin;
  if (line.begin > 0 && source[line.begin - 1] != '\n') return line;
  line.end = close;
  while (line.end < source.size() && blank(source[line.end])) ++line.end;
  if (line.end + 1 < source.size() && source[line.end] == '\r' && source[line.end + 1] == '\n') ++line.end;
  line.alone = line.end == source.size() || source[line.end] == '\n';
  if (line.alone && line.end < source.size()) ++line.end;
  return line;
}

class Tokenizer {
 public:
  Tokenizer(std::string_view source, const std::string& file, int line) : source_(source), file_(file), line_(line) {}

  Result<std::vector<TemplateToken>> run() {
    while (true) {
      const std::size_t open = source_.find("{{", position_);
      if (open == std::string_view::npos) break;
      PLANEXE_TRY(tag(open));
    }
    literal(source_.size());
    return std::move(tokens_);
  }

 private:
  void literal(std::size_t end) {
    if (end > position_) tokens_.push_back({false, std::string(source_.substr(position_, end - position_)), line_});
    advance(end);
  }

  void advance(std::size_t end) {
    for (; position_ < end; ++position_)
      if (source_[position_] == '\n') ++line_;
  }

  Result<void> tag(std::size_t open) {
    const std::size_t close = open + 2 < source_.size() ? tag_end(source_, open + 2) : std::string_view::npos;
    if (close == std::string_view::npos) return unclosed(open);
    const std::string inside = trim(source_.substr(open + 2, close - open - 2));
    if (inside.size() > kTagCharsMax && !inside.starts_with('!')) return unclosed(open);
    const Line line = is_block(inside) ? surrounding_line(source_, open, close + 2) : Line();
    // The blanks before the tag may belong to a line of which an earlier tag on it was alone: never step back.
    literal(line.alone ? std::max(position_, line.begin) : open);
    advance(open);
    if (!inside.starts_with('!')) tokens_.push_back({true, inside, line_});
    advance(line.alone ? line.end : close + 2);
    return {};
  }

  Result<void> unclosed(std::size_t open) {
    literal(open);
    return fail(ErrorCode::RecipeInvalid, fmt::format("{}:{}: {{{{ is not closed with }}}}", file_, line_));
  }

  std::string_view source_;
  const std::string& file_;
  std::size_t position_ = 0;
  int line_;
  std::vector<TemplateToken> tokens_;
};

}  // namespace

Result<std::vector<TemplateToken>> tokenize_template(std::string_view source, const std::string& file, int first_line) {
  return Tokenizer(source, file, first_line).run();
}

}  // namespace planexe::recipe
