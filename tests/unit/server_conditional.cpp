#include <gtest/gtest.h>

#include "server/conditional.hpp"

namespace planexe::server {
namespace {

using Headers = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kTag = "\"abc\"";
constexpr std::string_view kBody = "0123456789";

std::string header(const Response& response, std::string_view name) {
  std::string found = "-";
  for (const auto& [key, value] : response.headers) {
    if (key != name) continue;
    EXPECT_EQ(found, "-") << name << " comes twice";
    found = value;
  }
  return found;
}

Request request(Headers headers, std::string method = "GET") {
  Request made;
  made.method = std::move(method);
  made.headers = std::move(headers);
  made.id = "test";
  return made;
}

Response file(std::string body = std::string(kBody)) {
  Response made;
  made.content_type = "text/plain";
  made.body = std::move(body);
  made.with("ETag", std::string(kTag));
  return made;
}

Response conditioned(Headers headers, Response response = file()) {
  apply_condition(request(std::move(headers)), response);
  return response;
}

TEST(ServerConditional, ABodyGetsAStrongTagOfItsBytes) {
  Response one;
  one.body = "a";
  Response same = one;
  Response other;
  other.body = "b";
  for (auto* response : {&one, &same, &other}) apply_condition(request({}), *response);
  EXPECT_EQ(header(one, "ETag"), header(same, "ETag"));
  EXPECT_NE(header(one, "ETag"), header(other, "ETag"));
  EXPECT_TRUE(header(one, "ETag").starts_with('"') && header(one, "ETag").ends_with('"'));
  EXPECT_EQ(one.status, 200);
  EXPECT_EQ(header(conditioned({}), "ETag"), kTag) << "a tag that is there stays";
}

TEST(ServerConditional, AMatchInAListIsNotModified) {
  for (const char* match : {"\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", "\"abc\",\"x\"", "\"x\",W/\"abc\"",
                            "\t\"abc\" ", ", ,\"abc\",", "\"a,b\", \"abc\""}) {
    const auto response = conditioned({{"if-none-match", match}});
    EXPECT_EQ(response.status, 304) << match;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.content_type, "");
    EXPECT_EQ(header(response, "ETag"), kTag) << "a 304 has the tag";
    EXPECT_FALSE(response.ranges);
  }
}

TEST(ServerConditional, WhatDoesNotMatchGetsTheBody) {
  for (const char* other : {"", "\"x\"", "abc", "\"abc", "abc\"", "\"ABC\"", "w/\"abc\"", "W/ \"abc\"", "\"abc\"\"x\"",
                            "\"xabc\"", "**", "*,\"x\"", "W/", ",", "\"abc\" x"}) {
    const auto response = conditioned({{"if-none-match", other}});
    EXPECT_EQ(response.status, 200) << other;
    EXPECT_EQ(response.body, kBody);
  }
}

TEST(ServerConditional, DatesAreNoConditionHere) {
  // Nothing has a Last-Modified, so a date cannot be compared; with If-None-Match it must be passed over (RFC
  // 9110, 13.1.3).
  EXPECT_EQ(conditioned({{"if-modified-since", "Sat, 29 Oct 2033 19:43:31 GMT"}}).status, 200);
  EXPECT_EQ(conditioned({{"if-modified-since", "Sat, 29 Oct 2033 19:43:31 GMT"}, {"if-none-match", "\"x\""}}).status,
            200);
  EXPECT_EQ(conditioned({{"if-modified-since", "Sat, 29 Oct 1994 19:43:31 GMT"}, {"if-none-match", "\"abc\""}}).status,
            304);
}

TEST(ServerConditional, OnlyASuccessIsConditional) {
  auto missing = error_response(Error(ErrorCode::FileNotFound, "No."), "test");
  const auto body = missing.body;
  apply_condition(request({{"if-none-match", "*"}}), missing);
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, body);
  EXPECT_EQ(header(missing, "ETag"), "-");
}

// ---- ranges --------------------------------------------------------------------------------------------------------

Response ranged(Headers headers, std::string body = std::string(kBody), std::string method = "GET") {
  auto response = file(std::move(body));
  apply_range(request(std::move(headers), std::move(method)), response);
  return response;
}

struct Part {
  const char* range;
  const char* body;
  const char* content_range;
};

TEST(ServerRange, OnePart) {
  for (const Part& part : std::vector<Part>{{"bytes=0-0", "0", "bytes 0-0/10"},
                                            {"bytes=0-9", "0123456789", "bytes 0-9/10"},
                                            {"bytes=3-5", "345", "bytes 3-5/10"},
                                            {"bytes=9-9", "9", "bytes 9-9/10"},
                                            {"bytes=5-", "56789", "bytes 5-9/10"},
                                            {"bytes=0-", "0123456789", "bytes 0-9/10"},
                                            {"bytes=7-100", "789", "bytes 7-9/10"},
                                            {"bytes=7-18446744073709551615", "789", "bytes 7-9/10"},
                                            {"bytes=7-99999999999999999999999", "789", "bytes 7-9/10"},
                                            {"bytes=-1", "9", "bytes 9-9/10"},
                                            {"bytes=-10", "0123456789", "bytes 0-9/10"},
                                            {"bytes=-11", "0123456789", "bytes 0-9/10"},
                                            {"bytes=-99999999999999999999999", "0123456789", "bytes 0-9/10"},
                                            {"bytes=003-0004", "34", "bytes 3-4/10"}}) {
    const auto response = ranged({{"range", part.range}});
    EXPECT_EQ(response.status, 206) << part.range;
    EXPECT_EQ(response.body, part.body) << part.range;
    EXPECT_EQ(header(response, "Content-Range"), part.content_range);
    EXPECT_EQ(header(response, "Accept-Ranges"), "bytes");
    EXPECT_EQ(header(response, "ETag"), kTag);
    EXPECT_EQ(response.content_type, "text/plain");
  }
}

TEST(ServerRange, OutsideOfTheFile) {
  for (const char* range : {"bytes=10-", "bytes=10-11", "bytes=18446744073709551615-", "bytes=99999999999999999999999-",
                            "bytes=-0", "bytes=99999999999999999999999-99999999999999999999999"}) {
    const auto response = ranged({{"range", range}});
    EXPECT_EQ(response.status, 416) << range;
    EXPECT_EQ(header(response, "Content-Range"), "bytes */10");
    EXPECT_EQ(header(response, "Accept-Ranges"), "bytes");
    EXPECT_EQ(parse_json(response.body)->at("code"), json::value("RANGE_NOT_SATISFIABLE"));
    EXPECT_EQ(parse_json(response.body)->at("request_id"), json::value("test"));
  }
}

TEST(ServerRange, WhatIsNoSingleRangeGetsEverything) {
  for (const char* range : {"",
                            "bytes",
                            "bytes=",
                            "bytes=-",
                            "bytes=a-b",
                            "bytes=1",
                            "bytes=5-3",
                            "bytes=0-1,3-4",
                            "bytes=0-0,-1",
                            "bytes=0-1,",
                            "lines=1-2",
                            "Bytes=0-1x",
                            "bytes=0x1-2",
                            "bytes=1 -2",
                            "bytes= 1-2",
                            "bytes=1-2 ",
                            "bytes=+1-2",
                            "bytes=1-+2",
                            "bytes=--1",
                            "bytes=1--2",
                            "bytes=1-2-3",
                            "bytes =1-2",
                            "bytes=1.0-2",
                            "bytes=\xEF\xBC\x91-2"}) {
    const auto response = ranged({{"range", range}});
    EXPECT_EQ(response.status, 200) << range;
    EXPECT_EQ(response.body, kBody) << range;
    EXPECT_EQ(header(response, "Content-Range"), "-");
    EXPECT_EQ(header(response, "Accept-Ranges"), "bytes") << "it is told that ranges can be asked for";
  }
}

TEST(ServerRange, AnEmptyFileHasNoRanges) {
  EXPECT_EQ(ranged({{"range", "bytes=0-"}}, "").status, 416);
  EXPECT_EQ(ranged({{"range", "bytes=-5"}}, "").status, 416);
  EXPECT_EQ(header(ranged({{"range", "bytes=0-0"}}, ""), "Content-Range"), "bytes */0");
  EXPECT_EQ(ranged({}, "").status, 200);
}

TEST(ServerRange, OnlyGetHasRanges) {
  for (const char* method : {"HEAD", "POST"})
    EXPECT_EQ(ranged({{"range", "bytes=0-0"}}, std::string(kBody), method).status, 200) << method;
}

TEST(ServerRange, IfRangeNeedsTheSameStrongTag) {
  EXPECT_EQ(ranged({{"range", "bytes=0-0"}, {"if-range", "\"abc\""}}).status, 206);
  for (const char* other : {"\"x\"", "W/\"abc\"", "abc", "*", "Sat, 29 Oct 1994 19:43:31 GMT", "\"x\", \"abc\""})
    EXPECT_EQ(ranged({{"range", "bytes=0-0"}, {"if-range", other}}).status, 200) << other;
  EXPECT_EQ(ranged({{"range", "bytes=99-"}, {"if-range", "\"x\""}}).status, 200)
      << "of another file a range cannot be outside";
}

TEST(ServerRange, ANotModifiedComesBeforeTheRange) {
  auto response = file();
  response.ranges = true;
  const auto asked = request({{"range", "bytes=0-0"}, {"if-none-match", std::string(kTag)}});
  apply_condition(asked, response);
  apply_range(asked, response);
  EXPECT_EQ(response.status, 304);
  EXPECT_EQ(header(response, "Content-Range"), "-");
}

// ---- when to come back ---------------------------------------------------------------------------------------------

TEST(ServerRetryAfter, StandsInHeaderAndBody) {
  auto response = error_response(Error(ErrorCode::RateLimited, "Too many."), "test");
  set_retry_after(response, std::chrono::seconds(42));
  EXPECT_EQ(header(response, "Retry-After"), "42");
  EXPECT_EQ(parse_json(response.body)->at("retry_after_seconds"), json::value(42));
  set_retry_after(response, std::chrono::seconds(0));
  EXPECT_EQ(header(response, "Retry-After"), "1") << "never at once";
  EXPECT_EQ(parse_json(response.body)->at("retry_after_seconds"), json::value(1));
}

}  // namespace
}  // namespace planexe::server
