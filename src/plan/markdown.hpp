#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace planexe::plan {

/// Longer Markdown is cut with a visible note: the longest section of a real plan has 70 KB.
inline constexpr std::size_t kMarkdownBytesMax = 2 * 1024 * 1024;
/// Deeper nesting is shown as plain text: people do not write it, and recursion must end.
inline constexpr int kMarkdownDepthMax = 32;

struct MarkdownOptions {
  std::string id_prefix = "s";  ///< begins every heading id
  int top_heading = 3;          ///< the highest heading of the text becomes this level; deeper ones follow, up to h6
  std::string drop_title;       ///< a first heading equal to this is left out, since the page shows it already
};

struct MarkdownHeading {
  int level = 3;
  std::string id;
  std::string text;
};

struct MarkdownHtml {
  std::string html;
  std::vector<MarkdownHeading> headings;
};

/// Markdown (CommonMark with tables and strikethrough) of untrusted origin as safe HTML. Raw HTML is dropped except
/// line breaks; links keep only https, mailto and fragments and get rel="noopener nofollow"; images are never loaded,
/// their text is shown. Tables are wrapped so that they scroll by themselves. Any bytes are accepted.
MarkdownHtml render_markdown(std::string_view markdown, const MarkdownOptions& options = {});

/// The text alone: one line per block, without marks. For search, counting words and comparing sentences.
std::string markdown_to_text(std::string_view markdown);

}  // namespace planexe::plan
