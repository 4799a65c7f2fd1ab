#include <gtest/gtest.h>

#include "server/client_stream.hpp"
#include "server/contract.hpp"
#include "server/message.hpp"
#include "server/stream_count.hpp"
#include "server/view_values.hpp"
#include "support/contract_schema.hpp"

namespace planexe::server {
namespace {

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return "-";
}

TEST(ServerPercent, Decodes) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},       {"abc", "abc"},   {"a%62c", "abc"}, {"%41", "A"}, {"%2f%2F", "//"},
      {"%25", "%"},   {"%2541", "%41"}, {"%C3%A4", "ä"},  {"ä", "ä"},   {"%F0%9D%84%9E", "𝄞"},
      {"a+b", "a+b"}, {"%0A", "\n"},    {"%7F", "\x7f"}};
  for (const auto& [text, wanted] : cases) EXPECT_EQ(percent_decoded(text, false), wanted) << text;
  EXPECT_EQ(percent_decoded("a+b%2B", true), "a b+");
}

TEST(ServerPercent, RefusesWhatIsNoText) {
  for (const char* bad :
       {"%",   "%4",    "a%",  "%zz", "%4g",    "%g4",       "%%",     "%-1",          "%+1",  "% 41",  "%0x",
        "%00", "a%00b", "%80", "%C3", "%C3%28", "%ED%A0%80", "%C0%AF", "%F4%90%80%80", "\xff", "%u0041"})
    EXPECT_EQ(percent_decoded(bad, false), std::nullopt) << bad;
  EXPECT_EQ(percent_decoded(std::string_view("a\0b", 3), false), std::nullopt);
}

TEST(ServerRequest, QueryValues) {
  Request request;
  request.query = {{"a", "1"}, {"b", ""}, {"a", "2"}, {"flag", "1"}, {"off", "false"}};
  EXPECT_EQ(request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("b"), "");
  EXPECT_EQ(request.query_value("c"), std::nullopt);
  EXPECT_EQ(request.query_values("a"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(request.query_int("a", 9), 1);
  EXPECT_EQ(request.query_int("c", 9), 9);
  EXPECT_TRUE(request.query_bool("flag", false));
  EXPECT_FALSE(request.query_bool("off", true));
  EXPECT_TRUE(request.query_bool("c", true));
}

TEST(ServerErrors, EveryCodeOfTheContractHasAStatusOfItsOwnKind) {
  const auto& codes =
      Contract::embedded().document().at("components").at("schemas").at("ErrorCode").at("enum").get_array();
  EXPECT_GT(codes.size(), 40U);
  for (const auto& text : codes) {
    const auto code = error_code_from(text.get_string());
    ASSERT_TRUE(code) << text;
    const auto response = error_response(Error(*code, "words"), "id");
    EXPECT_EQ(response.status, http_status(*code));
    EXPECT_GE(response.status, 400);
    EXPECT_EQ(response.status == 500, *code == ErrorCode::Internal) << text;
    const auto body = *parse_json(response.body);
    EXPECT_FITS(body, "Error");
    EXPECT_EQ(body.at("code"), text);
    EXPECT_EQ(response.content_type, "application/json");
    const bool waits = response.status == 429 || response.status == 503;
    EXPECT_EQ(header(response, "Retry-After") != "-", waits);
    EXPECT_EQ(body.get_object().contains("retry_after_seconds"), waits);
    EXPECT_EQ(header(response, "WWW-Authenticate"), response.status == 401 ? "Bearer" : "-");
  }
}

TEST(ServerErrors, CodesOfTheInsideStayThere) {
  const auto& known =
      Contract::embedded().document().at("components").at("schemas").at("ErrorCode").at("enum").get_array();
  for (const auto inside :
       {ErrorCode::DatabaseError, ErrorCode::IoError, ErrorCode::Locked, ErrorCode::Conflict, ErrorCode::Fenced,
        ErrorCode::LimitExceeded, ErrorCode::InvalidConfig, ErrorCode::InvalidArgument, ErrorCode::Timeout,
        ErrorCode::RecipeInvalid, ErrorCode::DatabaseTooNew, ErrorCode::TaskFailed, ErrorCode::ProviderAuth}) {
    const auto response = error_response(Error(inside, "SELECT * FROM plans", "/var/lib/planexe.db"), "id");
    const auto body = *parse_json(response.body);
    EXPECT_NE(std::ranges::find(known, body.at("code")), known.end()) << to_string(inside);
    EXPECT_EQ(response.body.find("SELECT"), std::string::npos);
    EXPECT_EQ(response.body.find("/var/lib"), std::string::npos);
  }
  EXPECT_EQ(error_response(Error(ErrorCode::DatabaseError, "x"), "id").status, 503);
  EXPECT_EQ(error_response(Error(ErrorCode::Fenced, "x"), "id").status, 409);
  EXPECT_EQ(error_response(Error(ErrorCode::LimitExceeded, "x"), "id").status, 413);
}

TEST(ServerErrors, TheFirstLineIsShort) {
  const auto body = *parse_json(error_response(Error(ErrorCode::NotFound, std::string(500, 'x') + "ä"), "id").body);
  EXPECT_EQ(body.at("error").get_string().size(), 200U);
  EXPECT_EQ(body.at("request_id"), json::value("id"));
  EXPECT_EQ(parse_json(error_response(Error(ErrorCode::NotFound, "short", "longer"), "id").body)->at("detail"),
            json::value("longer"));
  EXPECT_EQ(parse_json(error_response(Error(ErrorCode::NotFound, "short"), "id").body)->at("detail"),
            json::value("short"));
}

TEST(ServerErrors, FieldErrorsAsAList) {
  const auto response = field_errors_response({{"missing", {"body", "a", 2, "b"}, "is required", {}},
                                               {"enum", {"body", "c"}, "must be one of x", {{"expected", "x"}}}},
                                              "id");
  EXPECT_EQ(response.status, 422);
  const auto body = *parse_json(response.body);
  EXPECT_FITS(body, "Error");
  EXPECT_EQ(
      to_json(body.at("detail")),
      R"([{"type":"missing","loc":["body","a",2,"b"],"msg":"is required"},)"
      R"({"type":"enum","loc":["body","c"],"msg":"must be one of x","ctx":{"expected":"x"}}])");
  EXPECT_EQ(body.at("error"), json::value("a.2.b: is required"));
  EXPECT_EQ(parse_json(field_errors_response({{"value_error", {"body"}, "is wrong", {}}}, "id").body)->at("error"),
            json::value("is wrong"));
}

TEST(ServerEvents, TextOfOne) {
  EXPECT_EQ(event_text("7", "status", R"({"a":"b"})"), "id: 7\nevent: status\ndata: {\"a\":\"b\"}\n\n");
  EXPECT_EQ(event_text("", "", "{}"), "data: {}\n\n");
}

TEST(ServerStreamCount, PlacesAreGivenBack) {
  StreamCount count(2);
  {
    const StreamCount::Place one(count);
    {
      const StreamCount::Place two(count);
      const StreamCount::Place three(count);
      EXPECT_TRUE(one.granted() && two.granted());
      EXPECT_FALSE(three.granted());
      EXPECT_EQ(count.open(), 2);
    }
    EXPECT_EQ(count.open(), 1) << "a place that was not granted is not given back";
    EXPECT_TRUE(StreamCount::Place(count).granted());
  }
  EXPECT_EQ(count.open(), 0);
  StreamCount none(0);
  EXPECT_FALSE(StreamCount::Place(none).granted());
}

// ---- values that views share ---------------------------------------------------------------------------------------

TEST(ServerViewValues, FailureCodesAreThoseOfTheContract) {
  const auto& known =
      Contract::embedded().document().at("components").at("schemas").at("FailureCode").at("enum").get_array();
  for (const auto& code : known) EXPECT_EQ(view::failure_code(code.get_string()), code);
  EXPECT_EQ(view::failure_code(""), json::value(nullptr));
  EXPECT_EQ(view::failure_code("RATE_LIMITED"), json::value("PROVIDER_UNAVAILABLE"));
  for (const char* other : {"DATABASE_ERROR", "no code", "completed"})
    EXPECT_EQ(view::failure_code(other), json::value("TASK_FAILED")) << other;
  EXPECT_EQ(view::task_error("", "x"), json::value(nullptr));
  EXPECT_EQ(to_json(view::task_error("CANCELLED", "x")), R"({"code":"CANCELLED","message":"x"})");
}

TEST(ServerViewValues, NamesAndPhases) {
  for (const auto& phase :
       Contract::embedded().document().at("components").at("schemas").at("Phase").at("enum").get_array())
    EXPECT_TRUE(view::is_phase(phase.get_string())) << phase;
  EXPECT_FALSE(view::is_phase(""));
  EXPECT_FALSE(view::is_phase("Setup"));
  EXPECT_TRUE(view::is_task_key("a") && view::is_task_key("swot_analysis_2") &&
              view::is_task_key(std::string(128, 'a')));
  for (const auto& bad : {std::string(), std::string("A"), std::string("2a"), std::string("_a"), std::string("a-b"),
                          std::string("a b"), std::string("ä"), std::string(129, 'a')})
    EXPECT_FALSE(view::is_task_key(bad)) << bad;
  EXPECT_EQ(view::humanised("some_file-name"), "Some file name");
  EXPECT_EQ(view::humanised(""), "");
  EXPECT_EQ(view::text_or_null(""), json::value(nullptr));
  EXPECT_EQ(view::text_or_null("x"), json::value("x"));
}

TEST(ServerViewValues, CostIsUnknownOnlyWhenNoPriceIs) {
  store::UsageTotals totals;
  EXPECT_EQ(view::cost_or_null(totals), json::value(0));
  totals.unpriced = 1;
  EXPECT_EQ(view::cost_or_null(totals), json::value(nullptr));
  totals.cost_micros = 5;
  EXPECT_EQ(view::cost_or_null(totals), json::value(5));
}

TEST(ServerViewValues, TagsAreStrongAndOfTheBytes) {
  EXPECT_EQ(view::body_tag("a"), view::body_tag("a"));
  EXPECT_NE(view::body_tag("a"), view::body_tag("b"));
  EXPECT_TRUE(view::body_tag("").starts_with('"') && view::body_tag("").ends_with('"'));
  const auto response = view::tagged_json(json::object{{"a", 1}});
  EXPECT_TRUE(response.tagged);
  EXPECT_EQ(header(response, "ETag"), view::body_tag(R"({"a":1})"));
  EXPECT_EQ(header(view::tagged_json(1, "\"own\""), "ETag"), "\"own\"");
}

}  // namespace
}  // namespace planexe::server
