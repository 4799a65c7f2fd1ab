#include "llm/sse.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>

namespace planexe::llm {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events parse(const std::vector<std::string>& pieces) {
  SseParser parser(1'000'000, 1'000'000);
  Events events;
  for (const std::string& piece : pieces) {
    EXPECT_TRUE(parser.feed(piece, [&](const SseEvent& event) { events.emplace_back(event.type, event.data); }).has_value());
  }
  return events;
}

TEST(LlmSse, ExamplesOfTheStandard) {
  EXPECT_EQ(parse({"data: YHOO\ndata: +2\ndata: 10\n\n"}), (Events{{"", "YHOO\n+2\n10"}}));
  EXPECT_EQ(parse({": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"}),
            (Events{{"", "first event"}, {"", "second event"}, {"", " third event"}}));
  EXPECT_EQ(parse({"data\n\ndata\ndata\n\ndata:"}), (Events{{"", ""}, {"", "\n"}}));
  EXPECT_EQ(parse({"data:test\n\ndata: test\n\n"}), (Events{{"", "test"}, {"", "test"}}));
}

TEST(LlmSse, LineEndsMarksAndFields) {
  EXPECT_EQ(parse({"event: a\r\ndata: 1\r\n\r\nevent: b\rdata: 2\r\revent: c\ndata: 3\n\n"}),
            (Events{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(parse({"\xEF\xBB\xBF" "data: x\n\n"}), (Events{{"", "x"}}));
  EXPECT_EQ(parse({"data: \xEF\xBB\xBF" "x\n\n"}), (Events{{"", "\xEF\xBB\xBFx"}}));
  EXPECT_EQ(parse({"unknown: x\nretry: 5\nevent: a\n\n"}), Events{});            // no data, no event
  EXPECT_EQ(parse({"event: a\n\ndata: 1\n\n"}), (Events{{"", "1"}}));          // the type does not outlive its block
  EXPECT_EQ(parse({"data: a\xE2\x80\xA8" "b\n\n"}), (Events{{"", "a\xE2\x80\xA8" "b"}}));
  EXPECT_EQ(parse({"data: a:b: c\n\n"}), (Events{{"", "a:b: c"}}));
  EXPECT_EQ(parse({"data: lost\n"}), Events{});
  EXPECT_EQ(parse({std::string("data: a\0b\n\n", 11)}), (Events{{"", std::string("a\0b", 3)}}));
}

TEST(LlmSse, CommentsAreCounted) {
  SseParser parser(100, 100);
  ASSERT_TRUE(parser.feed(": a\n:\ndata: 1\n\n", [](const SseEvent&) {}));
  EXPECT_EQ(parser.comments(), 2U);
}

TEST(LlmSse, LimitsHold) {
  const auto ignore = [](const SseEvent&) {};
  SseParser line(100, 1'000);
  EXPECT_TRUE(line.feed(std::string(100, 'x'), ignore));
  EXPECT_FALSE(line.feed("x", ignore));
  SseParser event(100, 150);
  EXPECT_TRUE(event.feed("data:" + std::string(90, 'x') + "\n", ignore));
  const auto second = event.feed("data:" + std::string(90, 'x') + "\n", ignore);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::LimitExceeded);
  // Events do not add up.
  SseParser many(100, 150);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(many.feed("data:" + std::string(90, 'x') + "\n\n", ignore));
}

TEST(LlmSse, TimeIsLinear) {
  // Quadratic behaviour would take minutes here.
  const auto begun = std::chrono::steady_clock::now();
  std::size_t events = 0;
  const auto count = [&](const SseEvent&) { ++events; };
  SseParser bytes(64U << 20U, 64U << 20U);
  const std::string line = "data: " + std::string(2U << 20U, 'x') + "\n\n";
  for (const char c : line) ASSERT_TRUE(bytes.feed({&c, 1}, count));
  SseParser whole(64U << 20U, 64U << 20U);
  std::string lines;
  for (int i = 0; i < 1'000'000; ++i) lines += "\n";
  ASSERT_TRUE(whole.feed(lines, count));
  std::string carriage;
  for (int i = 0; i < 300'000; ++i) carriage += "data\r";
  ASSERT_TRUE(whole.feed(carriage, count));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  EXPECT_GE(events, 1U);
}

RC_GTEST_PROP(LlmSseProperty, SplittingBytesChangesNothing, ()) {
  const auto alphabet = rc::gen::element<std::string>("data:", "event:", " ", "a", "é", "\r", "\n", "\r\n", ":", "\n\n", "{\"x\":1}",
                                                      "\xEF\xBB\xBF", "id: 1", "[DONE]");
  const auto parts = *rc::gen::container<std::vector<std::string>>(alphabet);
  std::string text;
  for (const std::string& part : parts) text += part;
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = *rc::gen::inRange<std::size_t>(1, 6);
    pieces.push_back(text.substr(at, length));
    at += length;
  }
  RC_ASSERT(parse(pieces) == parse({text}));
}

RC_GTEST_PROP(LlmSseProperty, DataComesThroughUnchanged, (const std::string& type, const std::string& data)) {
  const auto clean = [](std::string text) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    return text;
  };
  const std::string t = clean(type);
  const std::string d = clean(data);
  RC_ASSERT(parse({"event: " + t + "\ndata: " + d + "\n\n"}) == (Events{{t, d}}));
}

}  // namespace
}  // namespace planexe::llm
