#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <cmark-gfm.h>

namespace planexe::plan {

struct CmarkNodeDeleter {
  void operator()(cmark_node* node) const { cmark_node_free(node); }
};
using MarkdownTree = std::unique_ptr<cmark_node, CmarkNodeDeleter>;

/// Parses CommonMark with tables. Input that makes the parser slow (thousands of nested containers, endless paragraphs)
/// is tamed first. Safe from any thread.
MarkdownTree parse_markdown(std::string_view markdown);

/// What a node is; the extension's types have no constants.
enum class MarkdownKind {
  document,
  block_quote,
  list,
  item,
  code_block,
  html_block,
  paragraph,
  heading,
  rule,
  text,
  soft_break,
  line_break,
  code,
  html_inline,
  emphasis,
  strong,
  link,
  image,
  table,
  table_header,
  table_row,
  table_cell,
  other
};
MarkdownKind kind_of(cmark_node* node);

/// The literal text, link target or "" of a node, never null.
std::string_view literal_of(cmark_node* node);
std::string_view url_of(cmark_node* node);

/// All text below a node, without marks; breaks become spaces.
std::string plain_text_of(cmark_node* node);

/// True for "<br>", "<br/>" and the like, the only HTML that is understood.
bool is_line_break_tag(std::string_view html);

}  // namespace planexe::plan
