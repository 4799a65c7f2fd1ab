#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/text.hpp"

namespace planexe {
namespace {

TEST(BaseText, Utf8Validity) {
  EXPECT_TRUE(valid_utf8(""));
  EXPECT_TRUE(valid_utf8("a é 漢 😀"));
  EXPECT_FALSE(valid_utf8("\xff"));
  EXPECT_FALSE(valid_utf8("\xc3"));
  EXPECT_FALSE(valid_utf8("\xc0\x80")) << "overlong";
  EXPECT_FALSE(valid_utf8("\xed\xa0\x80")) << "surrogate";
  EXPECT_FALSE(valid_utf8("\xf4\x90\x80\x80")) << "beyond Unicode";
}

TEST(BaseText, CountsCharactersNotBytes) {
  EXPECT_EQ(code_points("aé漢😀"), 4u);
  EXPECT_EQ(code_points(""), 0u);
}

TEST(BaseText, TrimKnowsUnicodeWhiteSpace) {
  EXPECT_EQ(trim("\u00a0\u2003 \t\na b\u3000\r\n"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim("x"), "x");
}

TEST(BaseText, CutNeverSplitsACharacter) {
  EXPECT_EQ(cut_code_points("aé漢😀", 3), "aé漢");
  EXPECT_EQ(cut_code_points("aé", 9), "aé");
  EXPECT_EQ(cut_code_points("aé", 0), "");
}

TEST(BaseText, CutAtParagraphLeavesShortTextAlone) { EXPECT_EQ(cut_at_paragraph("one\n\ntwo", 8), "one\n\ntwo"); }

TEST(BaseText, CutAtParagraphCutsBetweenParagraphs) {
  EXPECT_EQ(cut_at_paragraph("one one\n\ntwo two\n\nthree", 18),
            "one one\n\ntwo two\n\n[… shortened: 7 characters left out]");
  EXPECT_EQ(cut_at_paragraph("one one\n\ntwo two", 7), "one one\n\n[… shortened: 9 characters left out]");
}

TEST(BaseText, CutAtParagraphFallsBackToLineAndWord) {
  EXPECT_EQ(cut_at_paragraph("first line\nsecond line", 14), "first line\n\n[… shortened: 12 characters left out]");
  EXPECT_EQ(cut_at_paragraph("some words here", 12), "some words\n\n[… shortened: 5 characters left out]");
  EXPECT_EQ(cut_at_paragraph("unbreakable", 4), "unbr\n\n[… shortened: 7 characters left out]");
}

RC_GTEST_PROP(BaseTextProperty, CutAtParagraphAccountsForEveryCharacter, (std::string text)) {
  for (char& c : text) c = "ab \n"[static_cast<unsigned char>(c) % 4];
  const auto max = *rc::gen::inRange<std::size_t>(0, 40);
  const std::string cut = cut_at_paragraph(text, max);
  if (text.size() <= max) {
    RC_ASSERT(cut == text);
    return;
  }
  const auto mark = cut.rfind("\n\n[… shortened: ");
  RC_ASSERT(mark != std::string::npos);
  RC_ASSERT(mark <= max);
  RC_ASSERT(text.starts_with(cut.substr(0, mark)));
  RC_ASSERT(cut.ends_with(": " + std::to_string(text.size() - mark) + " characters left out]"));
}

TEST(BaseText, NamesCompareByMeaning) {
  EXPECT_EQ(normalize_name("  Marketing\u00a0 Lead "), "marketing lead");
  EXPECT_EQ(normalize_name("STRASSE"), normalize_name("Straße"));
  EXPECT_EQ(normalize_name("ﬁle Ａ"), "file a");
  EXPECT_EQ(normalize_name("e\u0301"), normalize_name("É"));
  EXPECT_EQ(normalize_name("a\u200bb"), "ab") << "invisible characters do not count";
  EXPECT_EQ(normalize_name(""), "");
}

TEST(BaseText, SplitLines) {
  EXPECT_EQ(split_lines("a\r\nb\n\nc"), (std::vector<std::string_view>{"a", "b", "", "c"}));
  EXPECT_EQ(split_lines("a\n"), (std::vector<std::string_view>{"a"}));
  EXPECT_TRUE(split_lines("").empty());
}

TEST(BaseText, ReplaceAllDoesNotLookAtWhatItInserted) {
  EXPECT_EQ(replace_all("aXbX", "X", "XX"), "aXXbXX");
  EXPECT_EQ(replace_all("aaa", "aa", "b"), "ba");
  EXPECT_EQ(replace_all("abc", "x", "y"), "abc");
}

TEST(BaseText, StripControlDisarmsTerminals) {
  EXPECT_EQ(strip_control("\x1b[31mred\x1b[0m"), "red");
  EXPECT_EQ(strip_control("\x1b]0;title\x07text"), "text");
  EXPECT_EQ(strip_control("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
  EXPECT_EQ(strip_control("a\rb\x08\x7f\tc\n"), "ab\tc\n");
  EXPECT_EQ(strip_control("a\xc2\x9b"
                          "31mb"),
            "a31mb")
      << "C1 control";
  EXPECT_EQ(strip_control("a\u202eb"), "ab") << "reversed reading direction";
  EXPECT_EQ(strip_control("a\xff"), "a\ufffd");
  EXPECT_EQ(strip_control("end\x1b"), "end");
  EXPECT_EQ(strip_control("end\x1b[12"), "end");
  EXPECT_EQ(strip_control(std::string_view("a\0b", 3)), "ab");
}

RC_GTEST_PROP(BaseTextProperty, StripControlGivesSafeUtf8ForAnyBytes, (std::string bytes)) {
  const std::string clean = strip_control(bytes);
  RC_ASSERT(valid_utf8(clean));
  RC_ASSERT(strip_control(clean) == clean);
  for (const char c : clean) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t');
}

TEST(BaseText, ToValidUtf8ReplacesBadBytes) {
  EXPECT_EQ(to_valid_utf8("a\xff\xc3z"), "a\ufffd\ufffdz");
  EXPECT_EQ(to_valid_utf8(std::string_view("a\0b", 3)), "a\ufffdb");
  EXPECT_EQ(to_valid_utf8("é漢"), "é漢");
}

}  // namespace
}  // namespace planexe
