#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.hpp"
#include "base/limits.hpp"

namespace planexe {
namespace {

std::string round_trip(std::string_view text) { return to_json(parse_json(text).value()); }

std::string refusal(std::string_view text) {
  const auto result = parse_json(text);
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, ErrorCode::InvalidJson);
  return result.error().message;
}

TEST(BaseJson, KeepsOrderAndValues) {
  const std::string text = R"({"b":1,"a":[true,false,null,-3,"x"],"c":{}})";
  EXPECT_EQ(round_trip(text), text);
}

TEST(BaseJson, WritesDoublesShortAndAsDoubles) {
  EXPECT_EQ(to_json(json::value(2.5)), "2.5");
  EXPECT_EQ(to_json(json::value(2.0)), "2.0");
  EXPECT_EQ(to_json(json::value(-0.1)), "-0.1");
  EXPECT_EQ(to_json(json::value(1e300)), "1e+300");
  EXPECT_EQ(to_json(json::value(std::nan(""))), "null");
  EXPECT_EQ(to_json(json::value(std::numeric_limits<double>::infinity())), "null");
}

TEST(BaseJson, ReadsDoublesExactly) {
  for (const char* text : {"0.1", "0.30000000000000004", "123456789.123456789", "2.2250738585072014e-308", "9.95",
                           "1.7976931348623157e308", "5e-324", "8.41e21"}) {
    EXPECT_EQ(parse_json(text).value().as_double(), std::strtod(text, nullptr)) << text;
    EXPECT_EQ(parse_json(std::string("[") + text + "]").value().at(0).as_double(), std::strtod(text, nullptr)) << text;
  }
  EXPECT_EQ(parse_json("1e-400").value().as_double(), 0.0);
}

RC_GTEST_PROP(BaseJsonProperty, DoublesSurvive, (double number)) {
  RC_PRE(std::isfinite(number));
  const auto back = parse_json(to_json(json::value(number)));
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->as_double() == number);
}

RC_GTEST_PROP(BaseJsonProperty, PlainTextSurvives, (std::string text)) {
  for (char& c : text) c = static_cast<char>(1 + (static_cast<unsigned char>(c) % 126));
  const auto back = parse_json(to_json(json::value(text)));
  RC_ASSERT(back.has_value());
  RC_ASSERT(std::string_view(back->get_string()) == text);
}

TEST(BaseJson, RefusesWhatTheContractRefuses) {
  EXPECT_NE(refusal(R"({"a":1,"b":2,"a":3})").find("\"a\" stands twice"), std::string::npos);
  EXPECT_NE(refusal(R"({"x":{"k":1,"k":1}})").find("stands twice"), std::string::npos);
  EXPECT_NE(refusal("[\"a\\u0000b\"]").find("NUL"), std::string::npos);
  EXPECT_NE(refusal("{\"a\\u0000b\":1}").find("NUL"), std::string::npos);
  EXPECT_NE(refusal("[\"\xff\"]"), "accepted");
  EXPECT_NE(refusal("[\"\xc3\"]"), "accepted");
  EXPECT_NE(refusal("[\"\xed\xa0\x80\"]"), "accepted");
  EXPECT_NE(refusal("1e999").find("too large"), std::string::npos);
  EXPECT_NE(refusal("-1e999").find("too large"), std::string::npos);
  EXPECT_NE(refusal(""), "accepted");
  EXPECT_NE(refusal("[1,]"), "accepted");
  EXPECT_NE(refusal("[1] x").find("more text"), std::string::npos);
  EXPECT_NE(refusal("{\"a\":").find("ends too early"), std::string::npos);
  EXPECT_NE(refusal("NaN"), "accepted");
}

TEST(BaseJson, TheSameKeyInDifferentObjectsIsFine) {
  EXPECT_TRUE(parse_json(R"([{"a":1},{"a":2,"b":{"a":3}}])").has_value());
}

TEST(BaseJson, DepthLimitIsExact) {
  const std::size_t depth = limits::kJsonDepthMax;
  EXPECT_TRUE(parse_json(std::string(depth, '[') + std::string(depth, ']')).has_value());
  EXPECT_NE(refusal(std::string(depth + 1, '[') + std::string(depth + 1, ']')).find("deeper than 64"),
            std::string::npos);
}

TEST(BaseJson, NamesLineAndColumn) {
  EXPECT_NE(refusal("{\n  \"a\": 1,\n  \"b\": x\n}").find("line 3, column 8"), std::string::npos)
      << refusal("{\n  \"a\": 1,\n  \"b\": x\n}");
}

TEST(BaseJson, EscapesControlCharacters) {
  EXPECT_EQ(to_json(json::value("\x01\n\t\"\\é")), "\"\\u0001\\n\\t\\\"\\\\é\"");
}

TEST(BaseJson, CanonicalSortsAtEveryDepth) {
  EXPECT_EQ(canonical_json(parse_json(R"({"b":{"z":1,"y":2},"a":[{"d":1,"c":2}]})").value()),
            R"({"a":[{"c":2,"d":1}],"b":{"y":2,"z":1}})");
}

TEST(BaseJson, PrettyKeepsEmptyContainersOnOneLine) {
  EXPECT_EQ(to_json_pretty(parse_json(R"({"a":[1,2],"b":{},"c":[]})").value()),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST(BaseJson, TypedGetters) {
  const auto value =
      parse_json(R"({"s":"t","i":3,"d":2.5,"w":4.0,"u":18446744073709551615,"b":true,"o":{},"a":[]})").value();
  EXPECT_EQ(get_string(value, "s"), "t");
  EXPECT_EQ(get_string(value, "i"), std::nullopt);
  EXPECT_EQ(get_int(value, "i"), 3);
  EXPECT_EQ(get_int(value, "w"), 4);
  EXPECT_EQ(get_int(value, "d"), std::nullopt);
  EXPECT_EQ(get_int(value, "u"), std::nullopt);
  EXPECT_EQ(get_double(value, "i"), 3.0);
  EXPECT_EQ(get_double(value, "s"), std::nullopt);
  EXPECT_EQ(get_bool(value, "b"), true);
  EXPECT_EQ(get_bool(value, "i"), std::nullopt);
  EXPECT_NE(get_object(value, "o"), nullptr);
  EXPECT_EQ(get_object(value, "a"), nullptr);
  EXPECT_NE(get_array(value, "a"), nullptr);
  EXPECT_EQ(find(value, "none"), nullptr);
  EXPECT_EQ(find(json::value(3), "none"), nullptr);
}

TEST(BaseJson, IntegersAtTheBorderOfInt64) {
  EXPECT_EQ(as_int(json::value(-9223372036854775808.0)), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(as_int(json::value(9223372036854775808.0)), std::nullopt);
  EXPECT_EQ(as_int(json::value(std::nan(""))), std::nullopt);
}

}  // namespace
}  // namespace planexe
