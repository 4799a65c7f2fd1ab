#include "plan/markdown_parse.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>

#include "base/text.hpp"
#include "plan/markdown.hpp"

namespace planexe::plan {
namespace {

// The parser's work grows with the square of a paragraph's brackets and of the containers in a line.
constexpr std::size_t kLineBytesMax = 16 * 1024;
constexpr std::size_t kParagraphBytesMax = 32 * 1024;
constexpr int kLineContainersMax = kMarkdownDepthMax;

bool is_space(char c) { return c == ' ' || c == '\t'; }

// The line without container markers beyond the limit; what stands behind them stays.
std::string_view without_surplus_containers(std::string_view line) {
  int containers = 0;
  std::size_t at = 0;
  while (at < line.size()) {
    const char c = line[at];
    const bool bullet = (c == '-' || c == '*' || c == '+') && at + 1 < line.size() && is_space(line[at + 1]);
    if (c != '>' && !bullet && !is_space(c)) break;
    if ((c == '>' || bullet) && ++containers > kLineContainersMax) {
      const std::size_t text = line.find_first_not_of(">-*+ \t", at);
      return text == std::string_view::npos ? std::string_view() : line.substr(text);
    }
    ++at;
  }
  return line;
}

// Splits endless lines and paragraphs. Table rows do not count as a paragraph: a long table is one block by right.
std::string tamed(std::string_view markdown) {
  std::string out;
  out.reserve(markdown.size() + 64);
  std::size_t paragraph = 0;
  for (std::string_view line : split_lines(markdown)) {
    line = without_surplus_containers(line);
    const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
    const bool row = !blank && line.front() == '|';
    paragraph = blank || row ? 0 : paragraph + line.size();
    if (paragraph > kParagraphBytesMax) {
      out += '\n';
      paragraph = 0;
    }
    while (line.size() > kLineBytesMax) {
      std::size_t cut = kLineBytesMax;
      while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0u) == 0x80u) --cut;
      out.append(line.substr(0, cut)) += "\n\n";
      line.remove_prefix(cut);
    }
    out.append(line) += '\n';
  }
  return out;
}

std::string prepared(std::string_view markdown) {
  std::string text;
  if (markdown.size() > kMarkdownBytesMax) {
    text = to_valid_utf8(markdown.substr(0, kMarkdownBytesMax)) + "\n\n[…]\n";
    markdown = text;
  } else if (!valid_utf8(markdown)) {
    text = to_valid_utf8(markdown);
    markdown = text;
  }
  return tamed(markdown);
}

// Only the table extension: those with special inline characters change global tables while they parse.
cmark_syntax_extension* table_extension() {
  static cmark_syntax_extension* const extension = [] {
    cmark_gfm_core_extensions_ensure_registered();
    return cmark_find_syntax_extension("table");
  }();
  return extension;
}

constexpr std::array<std::pair<std::string_view, MarkdownKind>, 4> kTableKinds{{
    {"table", MarkdownKind::table},
    {"table_header", MarkdownKind::table_header},
    {"table_row", MarkdownKind::table_row},
    {"table_cell", MarkdownKind::table_cell},
}};

MarkdownKind table_kind(cmark_node* node) {
  const std::string_view name = cmark_node_get_type_string(node);
  for (const auto& [text, kind] : kTableKinds)
    if (text == name) return kind;
  return MarkdownKind::other;
}

}  // namespace

MarkdownTree parse_markdown(std::string_view markdown) {
  const std::string text = prepared(markdown);
  struct ParserDeleter {
    void operator()(cmark_parser* parser) const { cmark_parser_free(parser); }
  };
  const std::unique_ptr<cmark_parser, ParserDeleter> parser(cmark_parser_new(CMARK_OPT_DEFAULT));
  cmark_parser_attach_syntax_extension(parser.get(), table_extension());
  cmark_parser_feed(parser.get(), text.data(), text.size());
  return MarkdownTree(cmark_parser_finish(parser.get()));
}

MarkdownKind kind_of(cmark_node* node) {
  switch (cmark_node_get_type(node)) {
    case CMARK_NODE_DOCUMENT: return MarkdownKind::document;
    case CMARK_NODE_BLOCK_QUOTE: return MarkdownKind::block_quote;
    case CMARK_NODE_LIST: return MarkdownKind::list;
    case CMARK_NODE_ITEM: return MarkdownKind::item;
    case CMARK_NODE_CODE_BLOCK: return MarkdownKind::code_block;
    case CMARK_NODE_HTML_BLOCK: return MarkdownKind::html_block;
    case CMARK_NODE_PARAGRAPH: return MarkdownKind::paragraph;
    case CMARK_NODE_HEADING: return MarkdownKind::heading;
    case CMARK_NODE_THEMATIC_BREAK: return MarkdownKind::rule;
    case CMARK_NODE_TEXT: return MarkdownKind::text;
    case CMARK_NODE_SOFTBREAK: return MarkdownKind::soft_break;
    case CMARK_NODE_LINEBREAK: return MarkdownKind::line_break;
    case CMARK_NODE_CODE: return MarkdownKind::code;
    case CMARK_NODE_HTML_INLINE: return MarkdownKind::html_inline;
    case CMARK_NODE_EMPH: return MarkdownKind::emphasis;
    case CMARK_NODE_STRONG: return MarkdownKind::strong;
    case CMARK_NODE_LINK: return MarkdownKind::link;
    case CMARK_NODE_IMAGE: return MarkdownKind::image;
    default: return table_kind(node);
  }
}

std::string_view literal_of(cmark_node* node) {
  const char* literal = cmark_node_get_literal(node);
  return literal == nullptr ? std::string_view() : std::string_view(literal);
}

std::string_view url_of(cmark_node* node) {
  const char* url = cmark_node_get_url(node);
  return url == nullptr ? std::string_view() : std::string_view(url);
}

std::string plain_text_of(cmark_node* node) {
  struct IterDeleter {
    void operator()(cmark_iter* iter) const { cmark_iter_free(iter); }
  };
  const std::unique_ptr<cmark_iter, IterDeleter> iter(cmark_iter_new(node));
  std::string text;
  for (cmark_event_type event = cmark_iter_next(iter.get()); event != CMARK_EVENT_DONE;
       event = cmark_iter_next(iter.get())) {
    if (event != CMARK_EVENT_ENTER) continue;
    cmark_node* current = cmark_iter_get_node(iter.get());
    switch (kind_of(current)) {
      case MarkdownKind::text:
      case MarkdownKind::code:
      case MarkdownKind::code_block: text += literal_of(current); break;
      case MarkdownKind::soft_break:
      case MarkdownKind::line_break: text += ' '; break;
      case MarkdownKind::html_inline:
        if (is_line_break_tag(literal_of(current))) text += ' ';
        break;
      case MarkdownKind::paragraph:
      case MarkdownKind::table_cell:
        if (!text.empty() && text.back() != ' ') text += ' ';
        break;
      default: break;
    }
  }
  return trim(text);
}

bool is_line_break_tag(std::string_view html) {
  std::string tag;
  for (const char c : html)
    if (!is_space(c)) tag += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return tag == "<br>" || tag == "<br/>";
}

}  // namespace planexe::plan
