#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "server/access.hpp"

namespace planexe::server {
namespace {

using Headers = std::map<std::string, std::string, std::less<>>;

Request request(std::string method, Headers headers, std::string path = "/api/plans") {
  Request made;
  made.method = std::move(method);
  made.path = std::move(path);
  made.headers = std::move(headers);
  return made;
}

ServerSettings local() {
  ServerSettings settings;
  settings.cors_origins = {"http://localhost:3000"};
  return settings;
}

ServerSettings with_tokens() {
  auto settings = local();
  settings.tokens = {{"alice", sha256_hex("token-of-alice-000")}, {"bob", sha256_hex("token-of-bob-00000")}};
  return settings;
}

std::string header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return "-";
}

TEST(ServerAccess, ALoopbackServerAnswersToItsOwnNamesOnly) {
  auto settings = local();
  settings.allowed_hosts = {"plans.test", "exact.test:8443"};
  const Access access(settings);
  for (const char* good : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:8080", "plans.test",
                           "plans.test:99", "exact.test:8443"})
    EXPECT_TRUE(access.check_host(good)) << good;
  for (const char* bad : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "exact.test",
                          "exact.test:80", "localhost:x", "user@localhost", "localhost/", "[::2]", "127.0.0.2"}) {
    const auto result = access.check_host(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, ErrorCode::HostNotAllowed);
  }
}

TEST(ServerAccess, APublicServerChecksNamesWhenItHasSome) {
  ServerSettings settings;
  settings.bind = "0.0.0.0";
  EXPECT_TRUE(Access(settings).check_host("anything.example"));
  settings.allowed_hosts = {"plans.example"};
  EXPECT_TRUE(Access(settings).check_host("plans.example"));
  EXPECT_TRUE(Access(settings).check_host("127.0.0.1:8080"));
  EXPECT_FALSE(Access(settings).check_host("anything.example"));
}

TEST(ServerAccess, OnlyKnownOriginsMayChangeSomething) {
  const auto settings = local();
  const Access access(settings);
  const auto allowed = [&](std::string method, const char* origin) {
    return access.origin_allowed(request(std::move(method), {{"origin", origin}, {"host", "localhost:8080"}}));
  };
  EXPECT_TRUE(access.origin_allowed(request("POST", {{"host", "localhost:8080"}})));
  EXPECT_TRUE(allowed("POST", "http://localhost:8080"));
  EXPECT_TRUE(allowed("POST", "HTTP://LOCALHOST:8080"));
  EXPECT_TRUE(allowed("POST", "http://localhost:3000"));
  for (const char* foreign :
       {"null", "http://localhost:8081", "https://localhost:8080", "http://evil.example",
        "http://localhost:8080.evil.example", "http://localhost:8080@evil.example", "file://", "*"}) {
    EXPECT_FALSE(allowed("POST", foreign)) << foreign;
    EXPECT_FALSE(allowed("DELETE", foreign)) << foreign;
    EXPECT_TRUE(allowed("GET", foreign)) << foreign;
    EXPECT_TRUE(allowed("OPTIONS", foreign)) << foreign;
  }
}

TEST(ServerAccess, AWebSocketIsCheckedAlthoughItIsAGet) {
  const auto settings = local();
  const Access access(settings);
  EXPECT_FALSE(access.origin_allowed(
      request("GET", {{"origin", "http://evil.example"}, {"host", "localhost"}, {"upgrade", "WebSocket"}})));
  EXPECT_FALSE(
      access.origin_allowed(request("GET", {{"origin", "null"}, {"host", "localhost"}}, "/ws/plans/x/progress")));
  EXPECT_TRUE(access.origin_allowed(
      request("GET", {{"origin", "http://localhost"}, {"host", "localhost:80"}, {"upgrade", "websocket"}})));
}

TEST(ServerAccess, BehindAProxyTheOuterOriginIsTheOwnOne) {
  auto settings = local();
  settings.trusted_proxies = {"10.0.0.1"};
  const Access access(settings);
  auto asked = request("POST", {{"origin", "https://plans.example"}, {"host", "plans.example"}});
  EXPECT_FALSE(access.origin_allowed(asked));
  asked.secure = true;
  EXPECT_TRUE(access.origin_allowed(asked));
  asked.headers["host"] = "backend:8080";
  asked.headers["x-forwarded-host"] = "plans.example";
  EXPECT_TRUE(access.origin_allowed(asked, "10.0.0.1"));
  EXPECT_FALSE(access.origin_allowed(asked, "10.0.0.2"));
  EXPECT_FALSE(access.origin_allowed(asked));
}

TEST(ServerAccess, ATokenComesAsBearerCookieOrSubprotocol) {
  const auto settings = with_tokens();
  const Access access(settings);
  const auto who = [&](Headers headers, std::string path = "/api/plans") {
    return access.identity_of(request("GET", std::move(headers), std::move(path))).value_or("nobody");
  };
  EXPECT_EQ(who({{"authorization", "Bearer token-of-bob-00000"}}), "bob");
  EXPECT_EQ(who({{"authorization", "bearer   token-of-alice-000 "}}), "alice");
  EXPECT_EQ(who({{"cookie", "a=b; planexe_token=token-of-alice-000; c=d"}}), "alice");
  EXPECT_EQ(who({{"cookie", "planexe_token=old; planexe_token=token-of-bob-00000"}}), "bob");
  const std::string socket = "/ws/plans/x/progress";
  EXPECT_EQ(who({{"sec-websocket-protocol", "planexe.v1, bearer.token-of-bob-00000"}}, socket), "bob");
  EXPECT_EQ(who({{"sec-websocket-protocol", "bearer.token-of-bob-00000"}}), "nobody")
      << "a subprotocol counts for sockets only";
  EXPECT_EQ(who({}), "nobody");
  EXPECT_EQ(who({{"authorization", "Bearer wrong"}}), "nobody");
  EXPECT_EQ(who({{"authorization", "Basic token-of-bob-00000"}}), "nobody");
  EXPECT_EQ(who({{"authorization", "Bearer wrong"}, {"cookie", "planexe_token=token-of-bob-00000"}}), "nobody");
  EXPECT_EQ(who({{"cookie", "xplanexe_token=token-of-bob-00000"}}), "nobody");
}

TEST(ServerAccess, CorsForListedOriginsOnly) {
  const auto settings = local();
  const Access access(settings);
  const auto simple = access.cors_headers(request("GET", {{"origin", "http://localhost:3000"}}), false);
  EXPECT_EQ(header(simple, "Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(header(simple, "Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(header(simple, "Access-Control-Expose-Headers"),
            "ETag, Location, X-Next-Cursor, X-Request-Id, Retry-After");
  EXPECT_EQ(header(simple, "Vary"), "Origin");
  const auto preflight = access.cors_headers(request("OPTIONS", {{"origin", "http://localhost:3000"}}), true);
  EXPECT_EQ(header(preflight, "Access-Control-Max-Age"), "600");
  EXPECT_EQ(header(preflight, "Access-Control-Allow-Headers"),
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id");
  const auto foreign = access.cors_headers(request("GET", {{"origin", "http://evil.example"}}), false);
  EXPECT_EQ(header(foreign, "Access-Control-Allow-Origin"), "-");
  EXPECT_EQ(header(foreign, "Access-Control-Allow-Credentials"), "-");
  EXPECT_EQ(header(foreign, "Vary"), "Origin");
  EXPECT_TRUE(Access(ServerSettings{}).cors_headers(request("GET", {{"origin", "http://x"}}), false).empty());
}

TEST(ServerAccess, ForwardedValuesCountFromTrustedProxiesOnly) {
  auto settings = local();
  settings.trusted_proxies = {"10.0.0.1", "10.0.0.2"};
  const Access access(settings);
  const auto client = [&](const char* peer, const char* forwarded) {
    return access.client_address(peer, request("GET", {{"x-forwarded-for", forwarded}}));
  };
  EXPECT_EQ(client("192.0.2.9", "203.0.113.5"), "192.0.2.9");
  EXPECT_EQ(client("10.0.0.1", "203.0.113.5"), "203.0.113.5");
  EXPECT_EQ(client("::ffff:10.0.0.1", "203.0.113.5:4711"), "203.0.113.5");
  EXPECT_EQ(client("10.0.0.1", "1.1.1.1, 203.0.113.5, 10.0.0.2"), "203.0.113.5")
      << "what the client wrote itself does not count";
  EXPECT_EQ(client("10.0.0.1", "[2001:db8::7]:443"), "2001:db8::7");
  EXPECT_EQ(client("10.0.0.1", "rubbish"), "10.0.0.1");
  EXPECT_EQ(client("10.0.0.1", ""), "10.0.0.1");
  EXPECT_TRUE(access.secure("10.0.0.1", request("GET", {{"x-forwarded-proto", "HTTPS"}})));
  EXPECT_FALSE(access.secure("10.0.0.1", request("GET", {{"x-forwarded-proto", "http"}})));
  EXPECT_FALSE(access.secure("192.0.2.9", request("GET", {{"x-forwarded-proto", "https"}})));
}

TEST(ServerAccess, AddressesAndOriginsInOneForm) {
  EXPECT_EQ(normal_address("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  EXPECT_EQ(normal_address("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(normal_address(std::string_view("192.0.2.1\0x", 11)), std::nullopt);
  EXPECT_EQ(normal_address("192.0.2"), std::nullopt);
  EXPECT_EQ(normal_origin("http://a.test:80"), "http://a.test");
  EXPECT_EQ(normal_origin("https://a.test:80"), "https://a.test:80");
  for (const char* bad : {"", "null", "a.test", "ftp://a.test", "http://", "http://a.test/",
                          "http://a.test:", "http://a.test:99999", "http://a b"})
    EXPECT_EQ(normal_origin(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace planexe::server
