#include <gtest/gtest.h>

#include "server/limits.hpp"
#include "server/request_head.hpp"
#include "server/upgrade_check.hpp"

namespace planexe::server {
namespace {

std::string head_of(std::size_t header_bytes) {
  // Request line, one header that fills up, and the blank line.
  const std::string name = "X: ";
  return "GET / HTTP/1.1\r\n" + name + std::string(header_bytes - name.size() - 4, 'v') + "\r\n\r\n";
}

std::optional<ErrorCode> refusal(std::string_view bytes) {
  HeadScanner scanner;
  const auto found = scanner.look(bytes);
  return found ? std::nullopt : std::optional(found.error().code);
}

TEST(ServerRequestHead, IsCompleteAtItsBlankLine) {
  const std::string head = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nEmpty:\r\n\r\n";
  HeadScanner scanner;
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto found = scanner.look(std::string_view(head).substr(0, size));
    ASSERT_TRUE(found) << size;
    EXPECT_FALSE(*found) << size;
  }
  EXPECT_TRUE(*scanner.look(head));
  HeadScanner with_body;
  EXPECT_TRUE(*with_body.look(head + "\n\x01 whatever the body is"));
}

TEST(ServerRequestHead, LimitsAreExact) {
  HeadScanner fits;
  EXPECT_TRUE(*fits.look(head_of(limits::kHeaderBytesMax)));
  EXPECT_EQ(refusal(head_of(limits::kHeaderBytesMax + 1)), ErrorCode::HeadersTooLarge);
  const auto line = [](std::size_t target) { return "GET /" + std::string(target - 1, 'a') + " HTTP/1.1\r\n\r\n"; };
  HeadScanner target;
  EXPECT_TRUE(*target.look(line(limits::kTargetBytesMax)));
  EXPECT_EQ(refusal(line(limits::kTargetBytesMax + 1)), ErrorCode::UriTooLong);
  EXPECT_EQ(refusal("GET /" + std::string(20'000, 'a')), ErrorCode::UriTooLong) << "without its end, too";
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n" + std::string(limits::kHeaderBytesMax + 1, 'a')), ErrorCode::HeadersTooLarge);
}

TEST(ServerRequestHead, WhatTheParserWouldPassOverIsRefused) {
  for (const std::string_view bytes :
       {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\n\tA: b\r\n\r\n", "GET / HTTP/1.1\nA: b\n\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
        "GET\t/ HTTP/1.1\r\n\r\n", "\x16\x03\x01", "GET /\r\n\r\n", "AMETHODTHATISFARTOOLONGTOBEONEOFTHEM /", "\r\n"})
    EXPECT_EQ(refusal(bytes), ErrorCode::InvalidRequest) << bytes;
  EXPECT_EQ(refusal(std::string_view("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24)), ErrorCode::InvalidRequest);
}

Request handshake() {
  Request request;
  request.method = "GET";
  request.id = "r";
  request.headers = {{"connection", "keep-alive, Upgrade"},
                     {"upgrade", "WebSocket"},
                     {"sec-websocket-version", "13"},
                     {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  return request;
}

int status_with(const std::string& name, const std::string& value) {
  auto request = handshake();
  request.headers[name] = value;
  const auto refusal = refuse_handshake(request);
  return refusal ? refusal->status : 101;
}

TEST(ServerUpgradeCheck, TakesWhatRfc6455Asks) {
  EXPECT_FALSE(refuse_handshake(handshake()));
  EXPECT_EQ(status_with("upgrade", "h2c"), 426);
  EXPECT_EQ(status_with("upgrade", "h2c, websocket"), 101);
  EXPECT_EQ(status_with("connection", "keep-alive"), 426);
  EXPECT_EQ(status_with("sec-websocket-version", "8"), 426);
  EXPECT_EQ(status_with("sec-websocket-version", "13, 8"), 426);
  EXPECT_EQ(status_with("sec-websocket-key", ""), 400);
  EXPECT_EQ(status_with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"), 400);
  EXPECT_EQ(status_with("sec-websocket-key", "dGhlIHNhbXBsZSBub25j\nQ=="), 400);
  auto head = handshake();
  head.method = "HEAD";
  const auto refusal = refuse_handshake(head);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 426);
  EXPECT_EQ(std::ranges::count(refusal->headers, std::pair<std::string, std::string>("Sec-WebSocket-Version", "13")), 1);
}

}  // namespace
}  // namespace planexe::server
