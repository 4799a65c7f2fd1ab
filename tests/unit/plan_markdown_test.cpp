#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>

#include "plan/html.hpp"
#include "plan/markdown.hpp"

namespace planexe::plan {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string html(std::string_view markdown) { return render_markdown(markdown).html; }

TEST(PlanMarkdown, RendersBlocksAndTables) {
  EXPECT_EQ(html("One *two* **three** `four`\n\n- a\n- b\n\n1. x\n2. y\n"),
            "<p>One <em>two</em> <strong>three</strong> "
            "<code>four</code></p>\n<ul><li>a</li>\n<li>b</li>\n</ul>\n<ol>\n<li>x</li>\n<li>y</li>\n</ol>\n");
  EXPECT_EQ(html("| A | B |\n|---|--:|\n| 1 | <br>2 |\n"),
            "<div class=\"table\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">A</th><th class=\"right\" "
            "scope=\"col\">B</th></tr>\n</thead>\n"
            "<tbody><tr><td>1</td><td class=\"right\"><br>2</td></tr>\n</tbody></table></div>\n");
}

TEST(PlanMarkdown, HeadingsGetIdsAndTheirLevel) {
  MarkdownOptions options;
  options.id_prefix = "team";
  options.top_heading = 3;
  const MarkdownHtml out = render_markdown("# Roles\n\n## A & B\n\n## A & B\n", options);
  EXPECT_EQ(
      out.html,
      "<h3 id=\"team-roles\">Roles</h3>\n<h4 id=\"team-a-b\">A &amp; B</h4>\n<h4 id=\"team-a-b--2\">A &amp; B</h4>\n");
  ASSERT_EQ(out.headings.size(), 3u);
  EXPECT_EQ(out.headings[1].text, "A & B");
}

TEST(PlanMarkdown, DropsTheTitleThatThePageShows) {
  MarkdownOptions options;
  options.drop_title = "Project Plan";
  EXPECT_THAT(render_markdown("# project  plan\n\nText", options).html, Not(HasSubstr("<h")));
}

TEST(PlanMarkdown, LinksKeepOnlySafeSchemes) {
  EXPECT_EQ(html("[x](https://a.example/?q=1&r=\"2\")"),
            "<p><a href=\"https://a.example/?q=1&amp;r=&quot;2&quot;\" rel=\"noopener nofollow\" "
            "target=\"_blank\">x</a></p>\n");
  EXPECT_EQ(html("[x](mailto:a@b.example)"),
            "<p><a href=\"mailto:a@b.example\" rel=\"noopener nofollow\" target=\"_blank\">x</a></p>\n");
  EXPECT_EQ(html("[x](#Part One)"), "<p>[x](#Part One)</p>\n");
  EXPECT_EQ(html("[x](#Part-One)"), "<p><a href=\"#s-part-one\">x</a></p>\n");
  EXPECT_EQ(html("[x](http://a.example)"), "<p>x (http://a.example)</p>\n");
}

TEST(PlanMarkdown, ImagesAreNeverLoaded) {
  EXPECT_EQ(html("![a chart](https://a.example/x.png)"), "<p>[a chart]</p>\n");
  EXPECT_EQ(html("![](https://a.example/x.png)"), "<p></p>\n");
}

TEST(PlanMarkdown, AttacksAreNeutral) {
  const char* const attacks[] = {
      "<script>alert(1)</script>",
      "<img src=x onerror=alert(1)>",
      "[x](javascript:alert(1))",
      "[x](JaVaScRiPt:alert(1))",
      "[x](java\tscript:alert(1))",
      "[x](&#106;avascript:alert(1))",
      "[x](data:text/html,<script>alert(1)</script>)",
      "[x](vbscript:msgbox(1))",
      "[x](//evil.example)",
      "[x](file:///etc/passwd)",
      "<a href=\"javascript:alert(1)\">x</a>",
      "![x](x\" onerror=\"alert(1))",
      "![x](javascript:alert(1))",
      "<svg onload=alert(1)>",
      "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
      "[x]: javascript:alert(1)\n\n[x]",
      "`</code><script>alert(1)</script>`",
      "```\n</code></pre><script>alert(1)</script>\n```",
      "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
      "<https://a.example/\"onmouseover=\"alert(1)>",
      "# <script>alert(1)</script>",
  };
  for (const char* attack : attacks) {
    const std::string out = html(attack);
    for (const char* bad : {"<script", "<img", "<svg", "<iframe", "href=\"javascript", "href=\"data:", "href=\"vb",
                            "href=\"file", "href=\"//", " onerror=\"", " onmouseover=\""})
      EXPECT_THAT(out, Not(HasSubstr(bad))) << attack;
  }
}

TEST(PlanMarkdown, DeepNestingEnds) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += '>';
  EXPECT_THAT(html(deep + " text"), HasSubstr("text"));
  std::string list;
  for (int i = 0; i < 300; ++i) list += std::string(static_cast<std::size_t>(i) * 2, ' ') + "- item\n";
  EXPECT_THAT(html(list), HasSubstr("item"));
}

TEST(PlanMarkdown, SlowInputIsTamed) {
  const auto repeated = [](std::string_view piece) {
    std::string text;
    while (text.size() < 400'000) text += piece;
    return text;
  };
  const auto begin = std::chrono::steady_clock::now();
  for (const char* piece :
       {"![l", "[a](", "*a **b ", "- ", "> ", "`", "[", "|", "a|\n", "<a ", "[]: x\n", "_a", "\\", "1. ", "~~~\n", "&"})
    (void)html(repeated(piece));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST(PlanMarkdown, LongTextIsCutVisibly) {
  EXPECT_THAT(html(std::string(kMarkdownBytesMax + 10, 'a')), HasSubstr("[…]"));
}

TEST(PlanMarkdown, PlainTextHasOneLinePerBlock) {
  EXPECT_EQ(markdown_to_text("# Title\n\nOne **two**\nthree\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n"),
            "Title\nOne two three\na\nb\nx\ny\n1\n2\n");
}

RC_GTEST_PROP(PlanMarkdown, TagsAreOnlyOurs, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', '<', '>', '"', '\'', '&', '[', ']', '(', ')',
                                                                      '!', '#', '*', '_', '`', '|', '-', '\n', ' ', ':',
                                                                      '/', '\\', '\x80', '\0'));
  const std::string out = html(text);
  for (std::size_t at = out.find('<'); at != std::string::npos; at = out.find('<', at + 1)) {
    const std::size_t end = out.find_first_of(" >", at + 1);
    RC_ASSERT(end != std::string::npos);
    std::string tag = out.substr(at + 1, end - at - 1);
    if (tag.starts_with('/')) tag.erase(0, 1);
    static const std::set<std::string> known = {
        "p",  "em", "strong", "code", "pre", "ul",  "ol",    "li",    "blockquote", "h1", "h2", "h3", "h4",
        "h5", "h6", "a",      "br",   "hr",  "div", "table", "thead", "tbody",      "tr", "th", "td"};
    RC_ASSERT(known.contains(tag));
  }
}

TEST(PlanHtml, EscapesTextAndAttributes) {
  EXPECT_EQ(escape_html("<a b=\"c\" d='e'>&\x01"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  EXPECT_EQ(escape_html("\xff"), "\xEF\xBF\xBD");
}

TEST(PlanHtml, JsonCannotEndItsScript) {
  EXPECT_EQ(json_for_script(json::object{{"a", "</script><!--&"}}),
            "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\"}");
}

TEST(PlanHtml, HashIsThatOfTheBrowser) {
  // The example of the Content Security Policy specification, section 2.3.1.
  EXPECT_EQ(csp_hash("alert('Hello, world.');"), "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
}

TEST(PlanHtml, SlugsAreIds) {
  EXPECT_EQ(html_slug("1.2 Überblick & Ziele!"), "1-2-berblick-ziele");
  EXPECT_EQ(html_slug("目标"), "part");
}

}  // namespace
}  // namespace planexe::plan
