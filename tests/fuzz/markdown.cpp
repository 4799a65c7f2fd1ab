// Untrusted Markdown must give HTML without scripts, foreign schemes or loaded resources, and come to an end.
#include "plan/markdown.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

// What the renderer itself never writes; text can only hold it escaped.
bool contains_any(std::string_view html, std::initializer_list<const char*> needles) {
  for (const char* needle : needles)
    if (html.find(needle) != std::string_view::npos) return true;
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view markdown(reinterpret_cast<const char*>(data), size);
  const planexe::plan::MarkdownHtml out = planexe::plan::render_markdown(markdown);
  if (contains_any(out.html, {"<script", "<img", "<iframe", "<style", "<svg", "href=\"javascript", "href=\"data",
                              "href=\"http:", "onerror=\"", "src=\""}))
    std::abort();
  for (std::size_t at = out.html.find('<'); at != std::string::npos; at = out.html.find('<', at + 1)) {
    const char next = at + 1 < out.html.size() ? out.html[at + 1] : '\0';
    if (next != '/' && (next < 'a' || next > 'z')) std::abort();
  }
  (void)planexe::plan::markdown_to_text(markdown);
  return 0;
}
