#include <gtest/gtest.h>

#include <set>

#include "base/text.hpp"
#include "server/contract.hpp"

namespace planexe::server {
namespace {

const Contract& contract() { return Contract::embedded(); }

const Operation& operation(std::string_view id) {
  for (const auto& one : contract().operations())
    if (one.id == id) return one;
  ADD_FAILURE() << "no operation " << id;
  return contract().operations().front();
}

std::string matched(std::string_view method, std::string_view path, const Contract& in = contract()) {
  const auto match = in.match(method, path);
  return match.operation == nullptr ? "-" : match.operation->id;
}

std::string allowed(std::string_view path) {
  std::set<std::string> methods;
  for (const auto& method : contract().match("GET", path).allowed) methods.insert(method);
  std::string text;
  for (const auto& method : methods) text += (text.empty() ? "" : " ") + method;
  return text;
}

/// A path of the operation with values that fit.
std::string sample_path(const Operation& of) {
  std::string path;
  for (const auto& segment : of.segments) path += "/" + (segment.starts_with('{') ? "1" : segment);
  return path;
}

TEST(ServerContract, EveryOperationIsFoundByItsPathAndMethodOnly) {
  EXPECT_GT(contract().operations().size(), 35U);
  std::set<std::string> ids;
  for (const auto& one : contract().operations()) {
    EXPECT_TRUE(ids.insert(one.id).second) << one.id;
    const auto path = sample_path(one);
    EXPECT_EQ(matched(one.method, path), one.id);
    EXPECT_EQ(matched(one.method, path + "/"), one.id) << "a trailing slash is the same path";
    EXPECT_EQ(matched("HEAD", path) == one.id, one.method == "GET") << path;
    EXPECT_EQ(matched("PROPFIND", path), "-");
    EXPECT_EQ(matched("get", path), "-") << "methods are compared as they are written";
    EXPECT_EQ(matched(one.method, path + "/x/y/z"), "-");
    EXPECT_NE(matched(one.method, path + "//"), one.id) << "an empty part is a part";
    EXPECT_EQ(matched(one.method, "/" + path), "-");
  }
}

TEST(ServerContract, APathTellsItsMethods) {
  EXPECT_EQ(allowed("/ping"), "GET HEAD");
  EXPECT_EQ(allowed("/api/plans"), "GET HEAD POST");
  EXPECT_EQ(allowed("/api/plans/x"), "DELETE GET HEAD");
  EXPECT_EQ(allowed("/api/plans/x/cancel"), "POST");
  EXPECT_EQ(allowed("/api/auth/login"), "POST");
  for (const char* unknown :
       {"", "/", "/api", "/api/", "/API/plans", "/api/planss", "/api/plans/x/y", "/ws", "/ws/plans/x", "/pin",
        "/ping/x", "api/plans/x/y", "/api//plans", "//api/plans", "/./ping", "/api/../ping"})
    EXPECT_EQ(allowed(unknown), "") << unknown;
}

TEST(ServerContract, ValuesOfThePathAreDecodedAfterItWasSplit) {
  const auto value = [](std::string_view path, std::string_view name) {
    auto match = contract().match("GET", path);
    EXPECT_NE(match.operation, nullptr) << path;
    return match.parameters[std::string(name)];
  };
  EXPECT_EQ(value("/api/plans/abc", "id"), "abc");
  EXPECT_EQ(value("/api/plans/a%62c", "id"), "abc");
  EXPECT_EQ(value("/api/plans/a%2Fb", "id"), "a/b");
  EXPECT_EQ(value("/api/plans/a+b", "id"), "a+b") << "a plus is no space in a path";
  EXPECT_EQ(value("/api/plans/%C3%A4", "id"), "ä");
  EXPECT_EQ(value("/api/plans/x/files/029-report.html", "filename"), "029-report.html");
  EXPECT_EQ(value("/api/plans//files", "id"), "");
  EXPECT_EQ(value("/api/stream/analyze/t/openai%2Fgpt/s", "model_key"), "openai/gpt");
  EXPECT_EQ(value("/api/plans/%zz", "id"), "%zz") << "what cannot be decoded fits no schema";
  EXPECT_EQ(value("/api/plans/%C3", "id"), "%C3");
}

TEST(ServerContract, APathWithoutParametersWins) {
  constexpr std::string_view kOperation = R"({"operationId":"$","parameters":[],"responses":{}})";
  const auto described = [&](std::string_view id, std::string_view parameter = "") {
    auto text = replace_all(kOperation, "$", id);
    if (!parameter.empty())
      text = replace_all(
          text, "[]",
          R"([{"name":")" + std::string(parameter) + R"(","in":"path","required":true,"schema":{"type":"string"}}])");
    return text;
  };
  // In both orders, since the first that fits must not win.
  for (const bool first : {true, false}) {
    const std::string fixed = R"("/a/b":{"get":)" + described("fixed") + "}";
    const std::string open =
        R"("/a/{x}":{"get":)" + described("open", "x") + R"(,"delete":)" + described("remove", "x") + "}";
    const Contract made(*parse_json(R"({"paths":{)" + (first ? fixed + "," + open : open + "," + fixed) + "}}"));
    EXPECT_EQ(matched("GET", "/a/b", made), "fixed");
    EXPECT_EQ(matched("GET", "/a/c", made), "open");
    EXPECT_EQ(matched("DELETE", "/a/b", made), "remove") << "another method of the template is still the path's";
    EXPECT_TRUE(made.match("GET", "/a/b").parameters.empty());
  }
}

TEST(ServerContract, WhatNeedsNoToken) {
  std::set<std::string> open;
  for (const auto& one : contract().operations())
    if (one.open) open.insert(one.id);
  EXPECT_EQ(open, (std::set<std::string>{"getHealth", "ping", "getDocs", "getOpenapi", "login"}));
}

TEST(ServerContract, RateClasses) {
  std::map<std::string, std::set<std::string>> classes;
  for (const auto& one : contract().operations()) classes[one.rate_class].insert(one.id);
  EXPECT_EQ(classes["create_plan"], (std::set<std::string>{"createPlan"}));
  EXPECT_EQ(classes["turn"],
            (std::set<std::string>{"prepareTurn", "finalizeConversation", "runFollowup", "createAnalysis"}));
  EXPECT_EQ(classes["stream_connect"],
            (std::set<std::string>{"openProgressSocket", "streamProgress", "streamTurn", "streamAnalysis"}));
  EXPECT_EQ(classes.size(), 4U);
}

TEST(ServerContract, WhichOperationsLookAPlanUpAndWhichTakeABody) {
  std::set<std::string> bodies;
  for (const auto& one : contract().operations()) {
    EXPECT_EQ(one.of_plan, one.path.starts_with("/api/plans/{id}")) << one.path;
    if (one.body != nullptr) bodies.insert(one.id + (one.body_required ? "" : "?"));
    for (const auto& parameter : one.path_parameters)
      EXPECT_TRUE(parameter.required && parameter.schema != nullptr) << one.id << " " << parameter.name;
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(one.path, '{')), one.path_parameters.size()) << one.path;
  }
  EXPECT_TRUE(bodies.contains("createPlan") && bodies.contains("login"));
  EXPECT_TRUE(bodies.contains("resumePlan?") && bodies.contains("retryTask?")) << "all fields are optional there";
}

TEST(ServerContract, APathThatDoesNotFitIsTheUnknownOne) {
  const auto check = [](std::string_view id, std::string_view name, std::string value) {
    const auto& of = operation(id);
    std::map<std::string, std::string, std::less<>> values;
    for (const auto& parameter : of.path_parameters) values[parameter.name] = "x1";
    values[std::string(name)] = std::move(value);
    const auto code = contract().check_path(of, values);
    return code ? std::string(to_string(*code)) : "";
  };
  for (const char* good : {"a", "A-z_09", "PlanExe_3f0c9e0e-6b1d-4a35-9a62-0d7c51f8c0de"})
    EXPECT_EQ(check("getPlan", "id", good), "");
  EXPECT_EQ(check("getPlan", "id", std::string(128, 'a')), "");
  for (const char* bad : {"", " ", "a b", "a/b", "..", "ä", "a\n", "a%62", "a.b", "'", "*"})
    EXPECT_EQ(check("getPlan", "id", bad), "PLAN_NOT_FOUND") << bad;
  EXPECT_EQ(check("getPlan", "id", std::string(129, 'a')), "PLAN_NOT_FOUND");
  EXPECT_EQ(check("getPlan", "id", std::string("a\0b", 3)), "PLAN_NOT_FOUND");
  EXPECT_EQ(check("retryTask", "task_key", "a b"), "TASK_NOT_FOUND");
  EXPECT_EQ(check("downloadFile", "filename", "029-report.html"), "");
  for (const char* bad : {"", ".hidden", "../x", "a/b", "a\\b", "-x"})
    EXPECT_EQ(check("downloadFile", "filename", bad), "FILE_NOT_FOUND") << bad;
  EXPECT_EQ(check("getConversation", "id", "a b"), "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(check("getInteraction", "interaction_id", "12"), "");
  for (const char* bad : {"", "x", "-1", "1.5", "99999999999999999999"})
    EXPECT_EQ(check("getInteraction", "interaction_id", bad), "INTERACTION_NOT_FOUND") << bad;
}

std::string query_findings(std::string_view id, std::vector<std::pair<std::string, std::string>> query) {
  Request request;
  request.query = std::move(query);
  std::string text;
  for (const auto& error : contract().check_query(operation(id), request))
    text += (text.empty() ? "" : "; ") + error.type + " " + to_json(error.loc);
  return text;
}

TEST(ServerContract, QueryParameters) {
  EXPECT_EQ(query_findings("listPlans", {}), "");
  EXPECT_EQ(query_findings("listPlans", {{"limit", "200"}, {"unknown", "\xC3\xA4"}, {"", "x"}}), "")
      << "unknown parameters are ignored";
  EXPECT_EQ(query_findings("listPlans", {{"limit", "0"}}), R"(greater_than_equal ["query","limit"])");
  EXPECT_EQ(query_findings("listPlans", {{"limit", "201"}}), R"(less_than_equal ["query","limit"])");
  EXPECT_EQ(query_findings("listPlans", {{"limit", "x"}}), R"(int_parsing ["query","limit"])");
  EXPECT_EQ(query_findings("listPlans", {{"limit", ""}}), R"(int_parsing ["query","limit"])");
  EXPECT_EQ(query_findings("listPlans", {{"limit", "1"}, {"limit", "x"}}), R"(int_parsing ["query","limit"])")
      << "every one of a repeated parameter";
  EXPECT_EQ(query_findings("listPlans", {{"cursor", ""}}), R"(string_too_short ["query","cursor"])");
  EXPECT_EQ(query_findings("listPlans", {{"cursor", std::string(257, 'x')}}), R"(string_too_long ["query","cursor"])");
  EXPECT_EQ(query_findings("listPlans", {{"status", "nothing"}}), R"(enum ["query","status"])");
  EXPECT_EQ(query_findings("streamProgress", {{"after", "-1"}}), R"(greater_than_equal ["query","after"])");
  EXPECT_EQ(query_findings("streamProgress", {{"after", "9223372036854775807"}}), "");
  EXPECT_EQ(query_findings("streamProgress", {{"after", "9223372036854775808"}}), R"(int_parsing ["query","after"])");
  EXPECT_EQ(query_findings("streamTurn", {}), R"(missing ["query","token"])");
}

std::string body_findings(std::string_view id, std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  std::string found;
  for (const auto& error : contract().check_body(operation(id), *value))
    found += (found.empty() ? "" : "; ") + error.type + " " + to_json(error.loc);
  return found;
}

TEST(ServerContract, Bodies) {
  EXPECT_EQ(body_findings("createPlan", R"({"prompt":"x"})"), "");
  EXPECT_EQ(body_findings("createPlan", "{}"), R"(missing ["body","prompt"])");
  for (const char* other : {"[]", "1", "null", R"("x")"})
    EXPECT_EQ(body_findings("createPlan", other), R"(dict_type ["body"])") << other;
  EXPECT_EQ(body_findings("createPlan", R"({"prompt":"  "})"), R"(string_too_short ["body","prompt"])");
  EXPECT_EQ(body_findings("createPlan", R"({"prompt":"x","speed_vs_detail":"quick"})"),
            R"(enum ["body","speed_vs_detail"])");
  EXPECT_EQ(
      body_findings(
          "createPlan",
          R"({"prompt":"x","reasoning_effort":null,"llm_model":null,"enriched_intake":null,"title":null,"max_cost_usd":null})"),
      "");
  EXPECT_EQ(body_findings("createPlan", R"({"prompt":"x","max_cost_usd":0})"),
            R"(greater_than ["body","max_cost_usd"])");
  EXPECT_EQ(body_findings("createPlan", R"({"prompt":"x","unknown":{"a":[1]}})"), "");
}

TEST(ServerContract, SingleFieldsHaveALimitAsJson) {
  EXPECT_EQ(operation("createPlan").field_bytes.at("enriched_intake"), 262144);
  EXPECT_EQ(operation("prepareTurn").field_bytes.at("metadata"), 16384);
  const auto metadata = [](std::size_t bytes) {
    return R"({"user_message":"x","metadata":{"a":")" + std::string(bytes - 8, 'y') + R"("}})";
  };
  EXPECT_EQ(body_findings("prepareTurn", metadata(16384)).find("metadata"), std::string::npos);
  EXPECT_NE(body_findings("prepareTurn", metadata(16385)).find(R"(value_error ["body","metadata"])"),
            std::string::npos);
}

}  // namespace
}  // namespace planexe::server
