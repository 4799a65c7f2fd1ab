#include <gtest/gtest.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include "server/http_text.hpp"
#include "server/limits.hpp"

namespace planexe::server {
namespace {

namespace http = boost::beast::http;

/// The request that a connection would make of this text.
Result<Request> read(const std::string& text) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(100'000);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(text), error);
  EXPECT_FALSE(error) << error.message() << ": " << text.substr(0, 80);
  return request_of(parser.get());
}

Result<Request> get(const std::string& target, const std::string& more = "") {
  return read("GET " + target + " HTTP/1.1\r\nHost: localhost:8080\r\n" + more + "\r\n");
}

void expect_refused(const Result<Request>& result, ErrorCode code, const std::string& what) {
  ASSERT_FALSE(result) << what;
  EXPECT_EQ(result.error().code, code) << what;
}

std::string query_of(const std::string& target) {
  const auto request = get(target);
  if (!request) return "refused";
  std::string text;
  for (const auto& [name, value] : request->query) text += "[" + name + "=" + value + "]";
  return text;
}

TEST(ServerHttpText, MethodPathAndHeaders) {
  const auto request = get("/api/plans/a%20b?x=1", "X-One: a\r\nx-one: b\r\nEmpty:\r\nPadded: \t v \t\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->target, "/api/plans/a%20b?x=1");
  EXPECT_EQ(request->path, "/api/plans/a%20b") << "the path is decoded after it was split";
  EXPECT_EQ(request->header("host"), "localhost:8080");
  EXPECT_EQ(request->header("x-one"), "a, b");
  EXPECT_EQ(request->header("empty"), "");
  EXPECT_TRUE(request->headers.contains("empty"));
  EXPECT_EQ(request->header("padded"), "v");
  EXPECT_EQ(request->header("x-two"), "");
  EXPECT_EQ(read("M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n")->method, "M-SEARCH");
}

TEST(ServerHttpText, Queries) {
  EXPECT_EQ(query_of("/x"), "");
  EXPECT_EQ(query_of("/x?"), "");
  EXPECT_EQ(query_of("/x?a=1&b=2"), "[a=1][b=2]");
  EXPECT_EQ(query_of("/x?a"), "[a=]");
  EXPECT_EQ(query_of("/x?a="), "[a=]");
  EXPECT_EQ(query_of("/x?=1&&&b=2&"), "[b=2]") << "parts without a name are nothing";
  EXPECT_EQ(query_of("/x?a=b=c"), "[a=b=c]");
  EXPECT_EQ(query_of("/x?a=1&a=2"), "[a=1][a=2]");
  EXPECT_EQ(query_of("/x?a=%26%3D&%61=x+y%2B"), "[a=&=][a=x y+]");
  EXPECT_EQ(query_of("/x?a=1?b=2"), "[a=1?b=2]");
  EXPECT_EQ(query_of("/x?a=1;b=2"), "[a=1;b=2]");
  for (const char* bad : {"/x?a=%", "/x?a=%zz", "/x?%=1", "/x?a=%80", "/x?a=%00", "/x?a=1&b=%c3"})
    EXPECT_EQ(query_of(bad), "refused") << bad;
}

TEST(ServerHttpText, PathsMustBeText) {
  for (const char* bad : {"/%", "/%zz", "/a%8", "/%80", "/%C3", "/%00", "/a%00b", "/%ED%A0%80"})
    expect_refused(get(bad), ErrorCode::InvalidRequest, bad);
  EXPECT_EQ(get("/%C3%A4")->path, "/%C3%A4");
}

TEST(ServerHttpText, TargetsOfProxies) {
  const auto request = get("http://Other.example:81/ping?a=1");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "/ping");
  EXPECT_EQ(request->header("host"), "Other.example:81") << "the target's host counts (RFC 9112, 3.2.2)";
  EXPECT_EQ(get("HTTPS://x/")->path, "/");
  EXPECT_EQ(get("http://x")->path, "/");
  EXPECT_EQ(get("http://x?a=1")->path, "/");
  EXPECT_EQ(query_of("http://x?a=1"), "[a=1]");
  EXPECT_EQ(get("http:///ping")->header("host"), "") << "which is then no host of ours";
  EXPECT_EQ(get("http://x#a?b")->header("host"), "x#a") << "which is none, either";
  for (const char* bad : {"ftp://x/", "ping", "x:80", "*", "?a=1", "://x/", "http:/x", "httpx://x/", "javascript://x/"})
    expect_refused(get(bad), ErrorCode::InvalidRequest, bad);
}

TEST(ServerHttpText, OptionsMayAskForTheServerAsAWhole) {
  const auto request = read("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "*");
}

TEST(ServerHttpText, ExactlyOneHost) {
  expect_refused(read("GET / HTTP/1.1\r\n\r\n"), ErrorCode::InvalidRequest, "none");
  expect_refused(read("GET / HTTP/1.1\r\nHost: a\r\nhOsT: a\r\n\r\n"), ErrorCode::InvalidRequest, "two");
  EXPECT_TRUE(read("GET / HTTP/1.0\r\n\r\n")) << "an older client may leave it out";
  expect_refused(read("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), ErrorCode::InvalidRequest, "two");
}

TEST(ServerHttpText, ChunkedIsTheOnlyTransferCoding) {
  for (const char* good : {"chunked", "Chunked", "CHUNKED"})
    EXPECT_TRUE(get("/", std::string("Transfer-Encoding: ") + good + "\r\n")) << good;
  for (const char* bad : {"", "gzip", "identity", "xchunked", "chunkedx", "gzip, chunked", "chunked, gzip",
                          "chunked;q=1", "\"chunked\"", "chunked chunked"})
    expect_refused(get("/", std::string("Transfer-Encoding: ") + bad + "\r\n"), ErrorCode::InvalidRequest, bad);
  expect_refused(get("/", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), ErrorCode::InvalidRequest,
                 "two");
}

TEST(ServerHttpText, TheTargetHasALimit) {
  EXPECT_TRUE(get("/" + std::string(limits::kTargetBytesMax - 1, 'a')));
  expect_refused(get("/" + std::string(limits::kTargetBytesMax, 'a')), ErrorCode::UriTooLong, "one more");
  expect_refused(get("/?" + std::string(limits::kTargetBytesMax, 'a')), ErrorCode::UriTooLong, "in the query");
}

// ---- answers -------------------------------------------------------------------------------------------------------

TEST(ServerHttpText, TheHeadOfAnAnswer) {
  Response response;
  response.content_type = "text/plain";
  response.with("ETag", "\"x\"");
  EXPECT_EQ(response_head(response, 12, true),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nETag: \"x\"\r\nConnection: "
            "keep-alive\r\n\r\n");
  EXPECT_EQ(response_head(empty_response(204), std::nullopt, false),
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(response_head(empty_response(304), std::nullopt, true),
            "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ServerHttpText, AValueCannotEndItsLine) {
  Response response;
  response.with("X", "a\r\nSet-Cookie: b\n\rc\x01\x1f\x7f\tz");
  const auto head = response_head(response, 0, true);
  EXPECT_EQ(head.find("\nSet-Cookie"), std::string::npos);
  EXPECT_EQ(std::ranges::count(head, '\n'), 5);
  EXPECT_EQ(std::ranges::count(head, '\r'), 5);
  EXPECT_NE(head.find("\tz\r\n"), std::string::npos) << "a tab may stand in a value";
}

TEST(ServerHttpText, EveryStatusOfTheContractHasAReason) {
  for (const int status : {200, 202, 204, 206, 304, 308, 400, 401, 403, 404, 405, 406, 408, 409,
                           410, 413, 414, 415, 416, 422, 426, 429, 431, 500, 502, 503, 504}) {
    const auto head = response_head(empty_response(status), 0, true);
    EXPECT_EQ(head.find("Unknown"), std::string::npos) << status;
    EXPECT_EQ(head.find("HTTP/1.1 " + std::to_string(status) + " "), 0U);
    EXPECT_GT(head.find("\r\n"), 14U) << head;
  }
}

}  // namespace
}  // namespace planexe::server
