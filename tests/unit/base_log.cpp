#include <gtest/gtest.h>

#include <thread>

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

namespace planexe {
namespace {

class BaseLog : public testing::Test {
 protected:
  void TearDown() override {
    configure_logging({.level = LogLevel::warn, .format = LogOptions::Format::plain, .sink = {}});
  }

  void start(LogOptions::Format format, LogLevel level = LogLevel::info) {
    configure_logging(
        {.level = level, .format = format, .sink = [this](std::string_view line) { lines_.emplace_back(line); }});
  }

  std::vector<std::string> lines_;
};

TEST_F(BaseLog, JsonLinesAreJson) {
  start(LogOptions::Format::json);
  log_info("quote \" and\nline", {{"plan", "P1"}, {"count", 3}, {"ok", true}, {"cost", 2.5}, {"bad", "\x1b[31m\xff"}});
  ASSERT_EQ(lines_.size(), 1u);
  const auto value = parse_json(lines_[0]).value();
  EXPECT_EQ(get_string(value, "message"), "quote \" and\nline");
  EXPECT_EQ(get_string(value, "level"), "info");
  EXPECT_EQ(get_string(value, "plan"), "P1");
  EXPECT_EQ(get_int(value, "count"), 3);
  EXPECT_EQ(get_bool(value, "ok"), true);
  EXPECT_EQ(get_double(value, "cost"), 2.5);
  EXPECT_THAT(std::string(*get_string(value, "time")), testing::MatchesRegex("....-..-..T..:..:......Z"));
}

TEST_F(BaseLog, PlainLinesAreOneLineWithoutControl) {
  start(LogOptions::Format::plain);
  log_warn("two\nlines \x1b[31mred", {{"name", "a b"}, {"key", "value"}, {"none", ""}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], testing::EndsWith(" warn  two\\nlines red name=\"a b\" key=value none=\"\""));
}

TEST_F(BaseLog, TheLevelDecides) {
  start(LogOptions::Format::plain, LogLevel::warn);
  log_debug("no");
  log_info("no");
  log_warn("yes");
  log_error("yes");
  EXPECT_EQ(lines_.size(), 2u);
}

TEST_F(BaseLog, LevelNames) {
  EXPECT_EQ(log_level_from("debug").value(), LogLevel::debug);
  EXPECT_EQ(log_level_from("warning").value(), LogLevel::warn);
  EXPECT_EQ(log_level_from("loud").error().code, ErrorCode::InvalidConfig);
}

TEST_F(BaseLog, RegisteredSecretsAreMaskedEverywhere) {
  register_secret("p4ss\"w0rd-of-the-test");
  register_secret("p4ss\"w0rd-of-the-test-longer");
  register_secret("abc");
  for (const auto format : {LogOptions::Format::json, LogOptions::Format::plain}) {
    start(format);
    log_info("got p4ss\"w0rd-of-the-test-longer", {{"key", "p4ss\"w0rd-of-the-test"}, {"word", "abc"}});
    EXPECT_EQ(lines_.back().find("w0rd"), std::string::npos) << lines_.back();
    EXPECT_EQ(lines_.back().find("longer"), std::string::npos) << lines_.back();
    EXPECT_NE(lines_.back().find("abc"), std::string::npos) << "too short to be masked";
  }
}

TEST_F(BaseLog, WhatLooksLikeASecretIsMasked) {
  EXPECT_EQ(redact("key sk-abcdefghijklmnop1234 end"), "key sk-*** end");
  EXPECT_EQ(redact("Authorization: Bearer abcdefghijklmnop1234"), "Authorization: Bearer ***");
  EXPECT_EQ(redact("at postgresql://me:hidden@db/x?y"), "at postgresql://me:***@db/x?y");
  EXPECT_EQ(redact("key=sk-abcdefghijklmnop1234"), "key=sk-***");
  for (const char* harmless : {"a task-oriented-approach-to-planning", "risk-assessment-of-the-whole-project",
                               "Bearer of bad news", "http://localhost:8080/a@b", "see https://example.org"}) {
    EXPECT_EQ(redact(harmless), harmless);
  }
}

TEST_F(BaseLog, LongLinesAreCutAndStayJson) {
  start(LogOptions::Format::json);
  log_info(std::string(10 * limits::kLogLineBytesMax, 'x'), {{"after", std::string(1000, 'y')}});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_LT(lines_[0].size(), 2 * limits::kLogLineBytesMax);
  EXPECT_TRUE(parse_json(lines_[0]).has_value());
}

TEST_F(BaseLog, ManyThreadsWriteWholeLines) {
  start(LogOptions::Format::json);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 50; ++i) log_info("line", {{"thread", t}, {"i", i}});
      });
    }
  }
  ASSERT_EQ(lines_.size(), 200u);
  for (const auto& line : lines_) EXPECT_TRUE(parse_json(line).has_value()) << line;
}

}  // namespace
}  // namespace planexe
