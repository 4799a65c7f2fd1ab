#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "base/hash.hpp"
#include "base/random.hpp"
#include "server/dispatcher.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"
#include "support/contract_schema.hpp"
#include "support/server_plan.hpp"

namespace planexe::server {
namespace {

using test::ServerPlan;
using Headers = std::map<std::string, std::string, std::less<>>;

constexpr const char* kToken = "token-of-alice-000";
constexpr const char* kUnknown = "PlanExe_00000000-0000-4000-8000-000000000000";

/// The dispatcher with a real store behind it, without connections. Handlers tell what reached them.
class ServerDispatcher : public testing::Test {
 protected:
  ServerDispatcher() {
    services_.loop = loop_.get_executor();
    services_.pool = &pool_;
    services_.store = &plan_.store();
    services_.clock = &clock_;
    services_.random = &random_;
    services_.settings = &settings_;
    services_.contract = &Contract::embedded();
    services_.metrics = &metrics_;
    settings_.cors_origins = {"http://localhost:3000"};
    for (const auto& operation : Contract::embedded().operations())
      handlers_.add(operation.id, [this](Request& request) -> boost::asio::awaitable<Response> {
        reached_ = request;
        if (fail_) throw std::runtime_error("secret words of the inside");
        co_return json_response(json::object{{"operation", request.operation->id}});
      });
  }

  void need_tokens() { settings_.tokens = {{"alice", sha256_hex(kToken)}}; }

  Request request(std::string method, std::string path, Headers headers = {}) {
    Request made;
    made.method = std::move(method);
    made.path = made.target = std::move(path);
    made.headers = std::move(headers);
    made.headers.try_emplace("host", "localhost:8080");
    return made;
  }

  std::optional<Response> admit(Request& asked) {
    auto refusal = dispatcher_.admit(asked, "127.0.0.1");
    if (refusal) dispatcher_.complete(asked, *refusal);
    return refusal;
  }

  /// The answer to a whole request, as a connection would get it.
  Response ask(Request asked) {
    reached_.reset();
    auto refusal = admit(asked);
    if (refusal) return *std::move(refusal);
    std::optional<Response> response;
    const auto work = boost::asio::make_work_guard(loop_);
    boost::asio::co_spawn(loop_, dispatcher_.answer(asked), [&](const std::exception_ptr& failure, Response made) {
      EXPECT_EQ(failure, nullptr);
      response = std::move(made);
      loop_.stop();
    });
    loop_.restart();
    loop_.run();
    EXPECT_TRUE(response);
    if (!response) return {};
    dispatcher_.complete(asked, *response);
    return *std::move(response);
  }
  Response ask(std::string method, std::string path, Headers headers = {}, std::string body = "") {
    auto asked = request(std::move(method), std::move(path), std::move(headers));
    asked.body = std::move(body);
    return ask(std::move(asked));
  }
  Response post(std::string path, std::string body, std::string type = "application/json") {
    return ask("POST", std::move(path), {{"content-type", std::move(type)}}, std::move(body));
  }

  static std::string header(const Response& response, std::string_view name) {
    std::string found = "-";
    for (const auto& [key, value] : response.headers) {
      if (key != name) continue;
      EXPECT_EQ(found, "-") << name << " comes twice";
      found = value;
    }
    return found;
  }
  static std::string code(const Response& response) {
    const auto body = parse_json(response.body);
    return body && body->is_object() ? std::string(get_string(*body, "code").value_or("")) : "";
  }
  static void expect_error(const Response& response, int status, std::string_view wanted) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(code(response), wanted);
    const auto body = parse_json(response.body);
    ASSERT_TRUE(body);
    EXPECT_FITS(*body, "Error");
    EXPECT_EQ(get_string(*body, "request_id"), header(response, "X-Request-Id"));
  }

  ServerPlan plan_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  FixedClock clock_{ServerPlan::kNow};
  Random random_{1};
  ServerSettings settings_;
  Metrics metrics_;
  Services services_;
  Handlers handlers_{services_};
  Access access_{settings_};
  RateLimiter limiter_{true};
  StaticFiles files_ = StaticFiles::embedded();
  Dispatcher dispatcher_{services_, handlers_, access_, limiter_, files_};
  std::optional<Request> reached_;
  bool fail_ = false;
};

TEST_F(ServerDispatcher, ARequestReachesItsHandler) {
  const auto response = ask("GET", std::string("/api/plans/") + ServerPlan::kId);
  EXPECT_EQ(response.status, 200);
  ASSERT_TRUE(reached_);
  EXPECT_EQ(reached_->operation->id, "getPlan");
  EXPECT_EQ(reached_->parameter("id"), ServerPlan::kId);
  EXPECT_EQ(reached_->plan.value().plan_id, ServerPlan::kId);
  EXPECT_EQ(reached_->client, "127.0.0.1");
  EXPECT_EQ(reached_->identity, "");
}

TEST_F(ServerDispatcher, EveryAnswerHasTheCommonHeaders) {
  for (const auto& response :
       {ask("GET", "/ping"), ask("GET", "/api/nothing"), ask("POST", "/ping"), ask("GET", "/no-such-page"),
        ask("GET", "/"), ask("GET", "/ping", {{"host", "evil.example"}}), ask("OPTIONS", "/ping")}) {
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(header(response, "X-Request-Id").size(), 36U);
    EXPECT_NE(header(response, "Cache-Control"), "-");
  }
  EXPECT_EQ(header(ask("GET", "/ping"), "Cache-Control"), "no-store");
}

TEST_F(ServerDispatcher, TheCallersIdIsKeptWhenItIsOne) {
  for (const auto& good : {std::string("a"), std::string("A.b_c-9"), std::string(64, 'x')})
    EXPECT_EQ(header(ask("GET", "/ping", {{"x-request-id", good}}), "X-Request-Id"), good);
  for (const auto& bad : {std::string(), std::string(65, 'x'), std::string("a b"), std::string("a/b"), std::string("ä"),
                          std::string("a\nb"), std::string("a, b"), std::string("<x>")})
    EXPECT_EQ(header(ask("GET", "/ping", {{"x-request-id", bad}}), "X-Request-Id").size(), 36U) << bad;
  expect_error(ask("GET", "/api/nothing", {{"x-request-id", "mine"}}), 404, "NOT_FOUND");
}

TEST_F(ServerDispatcher, TheFirstCheckThatFailsAnswers) {
  need_tokens();
  const Headers good{{"authorization", std::string("Bearer ") + kToken}, {"content-type", "application/json"}};
  // Each request has one fault less than the one before.
  auto headers = good;
  headers.erase("authorization");
  headers["origin"] = "http://evil.example";
  headers["host"] = "evil.example";
  headers["content-type"] = "text/plain";
  expect_error(ask("PUT", "/api/plans", headers, "{"), 403, "HOST_NOT_ALLOWED");
  headers["host"] = "localhost";
  expect_error(ask("PUT", "/api/nothing", headers, "{"), 404, "NOT_FOUND");
  expect_error(ask("PUT", "/api/plans", headers, "{"), 405, "METHOD_NOT_ALLOWED");
  expect_error(ask("POST", "/api/plans", headers, "{"), 403, "ORIGIN_NOT_ALLOWED");
  headers.erase("origin");
  expect_error(ask("POST", "/api/plans", headers, "{"), 401, "UNAUTHORIZED");
  headers["authorization"] = good.at("authorization");
  expect_error(ask("POST", "/api/plans", headers, "{"), 415, "UNSUPPORTED_MEDIA_TYPE");
  headers["content-type"] = "application/json";
  expect_error(ask("POST", "/api/plans", headers, "{"), 400, "INVALID_JSON");
  expect_error(ask("POST", "/api/plans", headers, "{}"), 422, "VALIDATION_FAILED");
  EXPECT_FALSE(reached_);
  EXPECT_EQ(ask("POST", "/api/plans", headers, R"({"prompt":" x "})").status, 200);
  ASSERT_TRUE(reached_);
  EXPECT_EQ(get_string(reached_->json, "prompt"), "x") << "what is declared so was trimmed";
  EXPECT_EQ(reached_->identity, "alice");
}

TEST_F(ServerDispatcher, AnUnknownPlanComesBeforeQueryAndBody) {
  for (const char* id : {kUnknown, "x", "a%2Fb", "%C3", "..%2f"}) {
    const std::string path = std::string("/api/plans/") + id;
    expect_error(ask("GET", path), 404, "PLAN_NOT_FOUND");
    expect_error(ask("POST", path + "/resume", {{"content-type", "text/plain"}}, "{"), 404, "PLAN_NOT_FOUND");
    auto asked = request("GET", path + "/files");
    asked.query = {{"limit", "x"}};
    expect_error(ask(std::move(asked)), 404, "PLAN_NOT_FOUND");
  }
  auto asked = request("GET", std::string("/api/plans/") + ServerPlan::kId + "/files");
  asked.query = {{"limit", "x"}};
  expect_error(ask(std::move(asked)), 422, "VALIDATION_FAILED");
}

TEST_F(ServerDispatcher, PathsOfTheInterfaceAreNeverPages) {
  for (const char* path : {"/api", "/api/", "/api/nothing", "/api/plans/x/y/z", "/ws", "/ws/", "/ws/nothing"})
    expect_error(ask("GET", path), 404, "NOT_FOUND");
  EXPECT_EQ(ask("GET", "/apiary").content_type, "text/html; charset=utf-8") << "a page of the UI, if there is one";
  EXPECT_EQ(ask("GET", "/").status, 200);
  EXPECT_EQ(ask("GET", "/no-such-page").status, 404);
}

TEST_F(ServerDispatcher, AWrongMethodIsToldTheRightOnes) {
  const auto response = ask("PUT", "/api/plans");
  expect_error(response, 405, "METHOD_NOT_ALLOWED");
  const auto allow = header(response, "Allow");
  for (const char* method : {"GET", "HEAD", "POST"}) EXPECT_NE(allow.find(method), std::string::npos) << allow;
  EXPECT_EQ(allow.find("DELETE"), std::string::npos);
  EXPECT_EQ(allow.find("PUT"), std::string::npos);
  expect_error(ask("get", "/ping"), 405, "METHOD_NOT_ALLOWED");
  expect_error(ask("CONNECT", "/ping"), 405, "METHOD_NOT_ALLOWED");
  EXPECT_EQ(ask("<script>", "/ping").body.find("<script>"), std::string::npos) << "what was sent is not echoed";
}

TEST_F(ServerDispatcher, HeadIsGet) {
  EXPECT_EQ(ask("HEAD", "/ping").status, 200);
  ASSERT_TRUE(reached_);
  EXPECT_EQ(reached_->operation->id, "ping");
  EXPECT_EQ(ask("HEAD", "/api/auth/login").status, 405);
}

TEST_F(ServerDispatcher, APreflightNeedsNoTokenAndAnswersListedOriginsOnly) {
  need_tokens();
  const auto listed =
      ask("OPTIONS", "/api/plans", {{"origin", "http://localhost:3000"}, {"access-control-request-method", "POST"}});
  EXPECT_EQ(listed.status, 204);
  EXPECT_EQ(listed.body, "");
  EXPECT_EQ(header(listed, "Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(header(listed, "Access-Control-Max-Age"), "600");
  const auto foreign =
      ask("OPTIONS", "/api/plans", {{"origin", "http://evil.example"}, {"access-control-request-method", "POST"}});
  EXPECT_EQ(header(foreign, "Access-Control-Allow-Origin"), "-");
  EXPECT_EQ(ask("OPTIONS", "/api/plans").status, 204);
  EXPECT_EQ(ask("OPTIONS", "*").status, 204) << "the server as a whole";
  EXPECT_EQ(ask("OPTIONS", "/api/nothing").status, 404);
  EXPECT_FALSE(reached_);
}

TEST_F(ServerDispatcher, WhatIsOpenNeedsNoToken) {
  need_tokens();
  for (const char* open : {"/ping", "/health", "/docs", "/openapi.json", "/", "/no-such-page"})
    EXPECT_NE(ask("GET", open).status, 401) << open;
  for (const char* locked : {"/api/plans", "/api/models", "/metrics", "/api/config", "/api/plans/x/files"}) {
    const auto response = ask("GET", locked);
    expect_error(response, 401, "UNAUTHORIZED");
    EXPECT_EQ(header(response, "WWW-Authenticate"), "Bearer");
  }
  expect_error(ask("GET", "/api/plans", {{"authorization", "Bearer wrong"}}), 401, "UNAUTHORIZED");
  EXPECT_EQ(ask("GET", "/api/plans", {{"cookie", std::string("planexe_token=") + kToken}}).status, 200);
  EXPECT_EQ(post("/api/auth/login", R"({"token":"x"})").status, 200);
}

TEST_F(ServerDispatcher, ASocketIsAdmittedWithoutATokenSoThatItsCloseCodeCanTell) {
  need_tokens();
  auto asked = request("GET", "/ws/plans/x/progress", {{"upgrade", "websocket"}});
  EXPECT_FALSE(admit(asked));
  EXPECT_EQ(asked.identity, "");
  asked = request("GET", "/ws/plans/x/progress", {{"upgrade", "websocket"}, {"origin", "http://evil.example"}});
  const auto refusal = admit(asked);
  ASSERT_TRUE(refusal);
  expect_error(*refusal, 403, "ORIGIN_NOT_ALLOWED");
}

TEST_F(ServerDispatcher, ARateIsKeptPerClientAndToldWhenToComeBack) {
  int passed = 0;
  std::optional<Response> refusal;
  while (!refusal && passed < 1000) {
    auto asked = request("GET", "/ping");
    refusal = admit(asked);
    passed += refusal ? 0 : 1;
  }
  ASSERT_TRUE(refusal);
  EXPECT_EQ(passed, 200);
  expect_error(*refusal, 429, "RATE_LIMITED");
  EXPECT_EQ(header(*refusal, "Retry-After"), "1");
  EXPECT_EQ(parse_json(refusal->body)->at("retry_after_seconds"), json::value(1));
  auto other = request("GET", "/ping");
  EXPECT_FALSE(dispatcher_.admit(other, "10.0.0.9"));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_EQ(ask("GET", "/ping").status, 200);
}

TEST_F(ServerDispatcher, PlansHaveARateOfTheirOwn) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(post("/api/plans", R"({"prompt":"x"})").status, 200);
  expect_error(post("/api/plans", R"({"prompt":"x"})"), 429, "RATE_LIMITED");
  EXPECT_EQ(ask("GET", "/api/plans").status, 200) << "other requests go on";
}

TEST_F(ServerDispatcher, TypesOfBodies) {
  for (const char* good : {"application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
                           "application/json;charset=\"UTF-8\"", " application/json "})
    EXPECT_EQ(post("/api/auth/login", R"({"token":"x"})", good).status, 200) << good;
  for (const char* bad :
       {"", "text/plain", "application/jsonx", "application/json-patch+json", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "json", "application/json, text/plain", "application /json"})
    expect_error(post("/api/auth/login", R"({"token":"x"})", bad), 415, "UNSUPPORTED_MEDIA_TYPE");
}

TEST_F(ServerDispatcher, BodiesThatAreNoJson) {
  for (const std::string& bad :
       {std::string("{"), std::string("{}x"), std::string("{'a':1}"), std::string("{\"a\":1,\"a\":2}"),
        std::string("{\"a\":NaN}"), std::string("\xff"), std::string("{\"a\":\"\xc3\"}"),
        std::string("{\"a\":\"\0\"}", 9), std::string("{\"a\":\"\\u0000\"}"), std::string("\xef\xbb\xbf{}"),
        std::string(65, '[') + std::string(65, ']')})
    expect_error(post("/api/auth/login", bad), 400, "INVALID_JSON");
  for (const char* other : {"[]", "null", "1", "\"x\"", "{}"})
    expect_error(post("/api/auth/login", other), 422, "VALIDATION_FAILED");
}

TEST_F(ServerDispatcher, AnEmptyBodyIsAnEmptyObjectWhereAllIsOptional) {
  const std::string path = std::string("/api/plans/") + ServerPlan::kId + "/resume";
  for (const char* body : {"", "{}"}) {
    EXPECT_EQ(ask("POST", path, {{"content-type", "application/json"}}, body).status, 200);
    ASSERT_TRUE(reached_);
    EXPECT_EQ(to_json(reached_->json), "{}");
  }
  EXPECT_EQ(ask("POST", path).status, 200) << "without a body no type is needed";
  EXPECT_NE(ask("POST", "/api/plans").status, 200) << "where something is required it is not";
  EXPECT_FALSE(reached_);
}

TEST_F(ServerDispatcher, AHandlersFailureTellsNothingOfTheInside) {
  fail_ = true;
  const auto response = ask("GET", "/ping");
  expect_error(response, 500, "INTERNAL");
  EXPECT_EQ(response.body.find("secret words"), std::string::npos);
}

TEST_F(ServerDispatcher, FieldErrorsNameTheFirstPlace) {
  const auto response = post("/api/plans", R"({"prompt":"x","speed_vs_detail":"quick","max_cost_usd":-1})");
  expect_error(response, 422, "VALIDATION_FAILED");
  const auto body = *parse_json(response.body);
  EXPECT_EQ(body.at("detail").get_array().size(), 2U);
  EXPECT_EQ(response.body.find("quick"), std::string::npos) << "what was given is not echoed";
  EXPECT_FALSE(body.at("error").get_string().empty());
}

TEST_F(ServerDispatcher, VaryIsSentOnce) {
  handlers_.add(
      "ping", [](Request&) -> boost::asio::awaitable<Response> { co_return json_response(1).with("Vary", "Accept"); });
  EXPECT_EQ(header(ask("GET", "/ping"), "Vary"), "Accept, Origin");
}

TEST_F(ServerDispatcher, TaggedAnswersAreRevalidated) {
  handlers_.add("ping", [](Request&) -> boost::asio::awaitable<Response> {
    auto response = json_response(1);
    response.tagged = response.ranges = true;
    co_return response;
  });
  const auto first = ask("GET", "/ping");
  EXPECT_EQ(header(first, "Cache-Control"), "private, no-cache");
  EXPECT_EQ(header(first, "Accept-Ranges"), "bytes");
  const auto again = ask("GET", "/ping", {{"if-none-match", header(first, "ETag")}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(header(again, "ETag"), header(first, "ETag"));
  EXPECT_EQ(header(again, "Cache-Control"), "private, no-cache");
}

}  // namespace
}  // namespace planexe::server
