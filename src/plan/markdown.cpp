#include "plan/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include <cmark-gfm-core-extensions.h>

#include "base/text.hpp"
#include "plan/html.hpp"
#include "plan/markdown_parse.hpp"

namespace planexe::plan {
namespace {

constexpr std::size_t kUrlBytesMax = 2000;
constexpr std::size_t kHeadingIdsMax = 10'000;

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// A target that is safe to offer, or nothing. Control characters inside hide schemes from simple checks.
std::optional<std::string> safe_target(std::string_view url, std::string_view id_prefix) {
  if (url.empty() || url.size() > kUrlBytesMax) return std::nullopt;
  for (const char c : url)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) return std::nullopt;
  if (url.front() == '#') return fmt::format("#{}-{}", id_prefix, html_slug(url.substr(1)));
  const std::string lower = lower_ascii(url);
  if (lower.starts_with("https://") || lower.starts_with("mailto:")) return std::string(url);
  return std::nullopt;
}

class Renderer {
 public:
  explicit Renderer(const MarkdownOptions& options) : options_(options) {}

  MarkdownHtml run(cmark_node* document) {
    drop_repeated_title(document);
    shift_ = options_.top_heading - highest_heading(document);
    children(document, 0);
    return std::move(out_);
  }

 private:
  void drop_repeated_title(cmark_node* document) const {
    cmark_node* first = cmark_node_first_child(document);
    if (first == nullptr || options_.drop_title.empty() || kind_of(first) != MarkdownKind::heading) return;
    if (normalize_name(plain_text_of(first)) != normalize_name(options_.drop_title)) return;
    cmark_node_unlink(first);
    cmark_node_free(first);
  }

  static int highest_heading(cmark_node* document) {
    int level = 6;
    for (cmark_node* node = cmark_node_first_child(document); node != nullptr; node = cmark_node_next(node))
      if (kind_of(node) == MarkdownKind::heading) level = std::min(level, cmark_node_get_heading_level(node));
    return level;
  }

  void children(cmark_node* node, int depth) {
    for (cmark_node* child = cmark_node_first_child(node); child != nullptr; child = cmark_node_next(child))
      render(child, depth + 1);
  }

  void element(std::string_view tag, cmark_node* node, int depth, std::string_view after = "") {
    fmt::format_to(std::back_inserter(out_.html), "<{}>", tag);
    children(node, depth);
    fmt::format_to(std::back_inserter(out_.html), "</{}>{}", tag, after);
  }

  void text(std::string_view plain) { out_.html += escape_html(plain); }

  void render(cmark_node* node, int depth) {
    if (depth > kMarkdownDepthMax) return text(plain_text_of(node));
    switch (kind_of(node)) {
      case MarkdownKind::block_quote: return element("blockquote", node, depth, "\n");
      case MarkdownKind::list: return list(node, depth);
      case MarkdownKind::item: return element("li", node, depth, "\n");
      case MarkdownKind::paragraph: return paragraph(node, depth);
      case MarkdownKind::heading: return heading(node, depth);
      case MarkdownKind::table: return table(node, depth);
      case MarkdownKind::rule: out_.html += "<hr>\n"; return;
      case MarkdownKind::code_block:
        out_.html += "<pre><code>";
        text(literal_of(node));
        out_.html += "</code></pre>\n";
        return;
      default: return render_inline(node, depth);
    }
  }

  void render_inline(cmark_node* node, int depth) {
    switch (kind_of(node)) {
      case MarkdownKind::text: return text(literal_of(node));
      case MarkdownKind::soft_break: out_.html += '\n'; return;
      case MarkdownKind::line_break: out_.html += "<br>\n"; return;
      case MarkdownKind::emphasis: return element("em", node, depth);
      case MarkdownKind::strong: return element("strong", node, depth);
      case MarkdownKind::link: return link(node, depth);
      case MarkdownKind::image: return image(node);
      case MarkdownKind::code:
        out_.html += "<code>";
        text(literal_of(node));
        out_.html += "</code>";
        return;
      case MarkdownKind::html_inline:
        if (is_line_break_tag(literal_of(node))) out_.html += "<br>";
        return;
      case MarkdownKind::html_block: return;
      default: return children(node, depth);
    }
  }

  void paragraph(cmark_node* node, int depth) {
    cmark_node* item = cmark_node_parent(node);
    const bool tight =
        item != nullptr && kind_of(item) == MarkdownKind::item && cmark_node_get_list_tight(cmark_node_parent(item));
    if (!tight) return element("p", node, depth, "\n");
    children(node, depth);
    if (cmark_node_next(node) != nullptr) out_.html += '\n';
  }

  void list(cmark_node* node, int depth) {
    const bool ordered = cmark_node_get_list_type(node) == CMARK_ORDERED_LIST;
    if (!ordered) return element("ul", node, depth, "\n");
    const int start = cmark_node_get_list_start(node);
    out_.html += start == 1 ? std::string("<ol>\n") : fmt::format("<ol start=\"{}\">\n", start);
    children(node, depth);
    out_.html += "</ol>\n";
  }

  void heading(cmark_node* node, int depth) {
    const int level = std::clamp(cmark_node_get_heading_level(node) + shift_, 1, 6);
    const std::string plain = plain_text_of(node);
    const std::string id = heading_id(plain);
    fmt::format_to(std::back_inserter(out_.html), "<h{} id=\"{}\">", level, id);
    children(node, depth);
    fmt::format_to(std::back_inserter(out_.html), "</h{}>\n", level);
    if (!plain.empty()) out_.headings.push_back({level, id, plain});
  }

  std::string heading_id(std::string_view plain) {
    std::string id = fmt::format("{}-{}", options_.id_prefix, html_slug(plain));
    const int repeat = used_.size() < kHeadingIdsMax ? ++used_[id] : ++surplus_;
    return repeat == 1 ? id : fmt::format("{}--{}", id, repeat);
  }

  void table(cmark_node* node, int depth) {
    alignments_ = {cmark_gfm_extensions_get_table_alignments(node), cmark_gfm_extensions_get_table_columns(node)};
    out_.html += "<div class=\"table\" tabindex=\"0\"><table>\n";
    bool body = false;
    for (cmark_node* row = cmark_node_first_child(node); row != nullptr; row = cmark_node_next(row)) {
      const bool header = kind_of(row) == MarkdownKind::table_header;
      if (header) out_.html += "<thead>";
      if (!header && !body) out_.html += "<tbody>";
      table_row(row, header, depth);
      if (header) out_.html += "</thead>\n";
      body = body || !header;
    }
    out_.html += body ? "</tbody></table></div>\n" : "</table></div>\n";
  }

  void table_row(cmark_node* row, bool header, int depth) {
    out_.html += "<tr>";
    std::size_t column = 0;
    for (cmark_node* cell = cmark_node_first_child(row); cell != nullptr; cell = cmark_node_next(cell), ++column) {
      const auto align = column < alignments_.size() ? alignments_[column] : std::uint8_t{0};
      const char* kind = align == 'r' ? " class=\"right\"" : align == 'c' ? " class=\"center\"" : "";
      const char* tag = header ? "th" : "td";
      fmt::format_to(std::back_inserter(out_.html), "<{}{}{}>", tag, kind, header ? " scope=\"col\"" : "");
      children(cell, depth);
      fmt::format_to(std::back_inserter(out_.html), "</{}>", tag);
    }
    out_.html += "</tr>\n";
  }

  void link(cmark_node* node, int depth) {
    const std::string_view url = url_of(node);
    const auto target = safe_target(url, options_.id_prefix);
    if (!target) {
      children(node, depth);
      // A plain-text source keeps its address to read; anything else is not worth showing.
      if (lower_ascii(url.substr(0, 7)) == "http://" && url.size() <= kUrlBytesMax && plain_text_of(node) != url)
        text(fmt::format(" ({})", url));
      return;
    }
    const bool inside = target->front() == '#';
    fmt::format_to(std::back_inserter(out_.html), "<a href=\"{}\"{}>", escape_html(*target),
                   inside ? "" : " rel=\"noopener nofollow\" target=\"_blank\"");
    children(node, depth);
    out_.html += "</a>";
  }

  void image(cmark_node* node) {
    const std::string description = plain_text_of(node);
    if (!description.empty()) text(fmt::format("[{}]", description));
  }

  const MarkdownOptions& options_;
  MarkdownHtml out_;
  int shift_ = 0;
  int surplus_ = 0;
  std::span<const std::uint8_t> alignments_;
  std::map<std::string, int> used_;
};

bool is_leaf_block(MarkdownKind kind) {
  return kind == MarkdownKind::paragraph || kind == MarkdownKind::heading || kind == MarkdownKind::table_cell ||
         kind == MarkdownKind::code_block;
}

}  // namespace

MarkdownHtml render_markdown(std::string_view markdown, const MarkdownOptions& options) {
  const MarkdownTree tree = parse_markdown(markdown);
  return Renderer(options).run(tree.get());
}

std::string markdown_to_text(std::string_view markdown) {
  const MarkdownTree tree = parse_markdown(markdown);
  struct IterDeleter {
    void operator()(cmark_iter* iter) const { cmark_iter_free(iter); }
  };
  const std::unique_ptr<cmark_iter, IterDeleter> iter(cmark_iter_new(tree.get()));
  std::string text;
  for (cmark_event_type event = cmark_iter_next(iter.get()); event != CMARK_EVENT_DONE;
       event = cmark_iter_next(iter.get())) {
    cmark_node* node = cmark_iter_get_node(iter.get());
    if (event != CMARK_EVENT_ENTER || !is_leaf_block(kind_of(node))) continue;
    if (const std::string block = plain_text_of(node); !block.empty()) text += block + '\n';
  }
  return text;
}

}  // namespace planexe::plan
