#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/embedded.hpp"
#include "plan/html.hpp"
#include "server/docs_page.hpp"
#include "server/docs_schema.hpp"

namespace planexe::server {
namespace {

json::object contract() { return parse_json(embedded::find("openapi", "openapi.json")->bytes).value().as_object(); }

TEST(ServerDocsPage, HasEveryOperationAndSchema) {
  const auto document = contract();
  const auto page = make_docs_page(document);
  int operations = 0;
  for (const auto& [path, item] : document.at("paths").as_object()) {
    EXPECT_NE(page.html.find("<code>" + plan::escape_html(path) + "</code>"), std::string::npos) << path;
    for (const auto& [method, operation] : item.as_object()) {
      const auto id = operation.is_object() ? get_string(operation, "operationId") : std::nullopt;
      if (!id) continue;
      ++operations;
      EXPECT_NE(page.html.find("<article id=\"" + std::string(*id) + "\">"), std::string::npos) << *id;
    }
  }
  EXPECT_GT(operations, 30);
  for (const auto& [name, schema] : document.at("components").as_object().at("schemas").as_object())
    EXPECT_NE(page.html.find("id=\"schema-" + std::string(name) + "\""), std::string::npos) << name;
}

TEST(ServerDocsPage, EveryLinkHasATarget) {
  const auto html = make_docs_page(contract()).html;
  std::set<std::string> ids;
  const std::regex id("[ ]id=\"([^\"]+)\"");
  for (std::sregex_iterator it(html.begin(), html.end(), id), end; it != end; ++it)
    EXPECT_TRUE(ids.insert((*it)[1]).second) << (*it)[1];
  const std::regex link("href=\"#([^\"]*)\"");
  for (std::sregex_iterator it(html.begin(), html.end(), link), end; it != end; ++it)
    EXPECT_TRUE(ids.contains((*it)[1])) << (*it)[1];
}

TEST(ServerDocsPage, LoadsNothingAndRunsOnlyItsOwnScript) {
  const auto page = make_docs_page(contract());
  EXPECT_EQ(page.security_policy.find("default-src 'none'; "), 0U);
  EXPECT_NE(page.security_policy.find(plan::csp_hash(embedded::find("docs", "docs.js")->bytes)), std::string::npos);
  EXPECT_EQ(page.html.find(" src="), std::string::npos);
  EXPECT_EQ(page.html.find("<link"), std::string::npos);
  EXPECT_EQ(page.html.find("@import"), std::string::npos);
  EXPECT_EQ(page.html.find("url("), std::string::npos);
}

TEST(ServerDocsPage, TextIsEscaped) {
  const auto document =
      parse_json(R"({"openapi": "3.1.0", "info": {"title": "<b>T</b>", "version": "1"}, "tags": [{"name": "x"}],
    "paths": {"/<i>": {"get": {"operationId": "o", "tags": ["x"], "summary": "<script>bad()</script>",
      "responses": {"200": {"description": "\"><img>"}}}}}, "components": {"schemas": {}}})")
          .value()
          .as_object();
  const auto html = make_docs_page(document).html;
  for (const char* bad : {"<b>T</b>", "<script>bad", "\"><img>", "/<i>"})
    EXPECT_EQ(html.find(bad), std::string::npos) << bad;
}

TEST(ServerDocsPage, ReferencesAndTypes) {
  const auto document = parse_json(R"({"a": {"b": {"type": "string"}}})").value().as_object();
  EXPECT_EQ(get_string(resolved(document, {{"$ref", "#/a/b"}}), "type"), "string");
  EXPECT_TRUE(resolved(document, {{"$ref", "#/a/none"}}).empty());
  EXPECT_TRUE(resolved(document, {{"$ref", "https://example.com/x"}}).empty());
  EXPECT_EQ(
      schema_type_html(parse_json(R"({"type": ["string", "null"], "minLength": 1, "maxLength": 20})")->as_object()),
      "string or null, 1 to 20 characters");
  EXPECT_EQ(
      schema_type_html(parse_json(R"({"type": "array", "items": {"$ref": "#/components/schemas/Plan"}})")->as_object()),
      "array of <a href=\"#schema-Plan\">Plan</a>");
}

}  // namespace
}  // namespace planexe::server
