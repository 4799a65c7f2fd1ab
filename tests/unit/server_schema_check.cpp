#include <gtest/gtest.h>

#include <set>

#include "server/contract.hpp"
#include "server/schema_check.hpp"

namespace planexe::server {
namespace {

json::value parsed(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::value();
}

/// What is wrong with a value, one "type loc" per error; the value is changed as the check does.
std::string findings(std::string_view schema, json::value& value, std::string_view document = "{}") {
  const auto all = parsed(document);
  const auto wanted = parsed(schema);
  std::vector<FieldError> errors;
  SchemaCheck(all.get_object()).check(wanted.get_object(), value, {"body"}, errors);
  std::string text;
  for (const auto& error : errors) {
    EXPECT_FALSE(error.msg.empty());
    text += (text.empty() ? "" : "; ") + error.type + " " + to_json(error.loc);
  }
  return text;
}

std::string findings(std::string_view schema, std::string_view value, std::string_view document = "{}") {
  auto given = parsed(value);
  return findings(schema, given, document);
}

FieldError only_error(std::string_view schema, std::string_view value) {
  const json::object document;
  const auto wanted = parsed(schema);
  auto given = parsed(value);
  std::vector<FieldError> errors;
  SchemaCheck(document).check(wanted.get_object(), given, {"body", "x"}, errors);
  EXPECT_EQ(errors.size(), 1U) << schema << " " << value;
  return errors.empty() ? FieldError{} : errors.front();
}

TEST(ServerSchemaCheck, EachTypeHasItsOwnError) {
  struct Kind {
    const char* type;
    const char* error;
    const char* fits;
  };
  const std::vector<Kind> kinds{{"string", "string_type", R"("x")"}, {"boolean", "bool_type", "false"},
                                {"integer", "int_type", "7"},        {"number", "float_type", "7.5"},
                                {"array", "list_type", "[]"},        {"object", "dict_type", "{}"}};
  for (const auto& wanted : kinds) {
    const auto schema = std::string(R"({"type":")") + wanted.type + R"("})";
    EXPECT_EQ(findings(schema, std::string_view("null")), std::string(wanted.error) + R"( ["body"])");
    for (const auto& given : kinds) {
      const bool whole_for_number =
          std::string_view(wanted.type) == "number" && std::string_view(given.type) == "integer";
      const bool fits = &wanted == &given || whole_for_number;
      EXPECT_EQ(findings(schema, std::string_view(given.fits)), fits ? "" : std::string(wanted.error) + R"( ["body"])")
          << wanted.type << " " << given.fits;
    }
  }
  EXPECT_EQ(findings(R"({"type":"null"})", std::string_view("null")), "");
  EXPECT_EQ(findings(R"({"type":"null"})", std::string_view("0")), R"(value_error ["body"])");
}

TEST(ServerSchemaCheck, AListOfTypesTakesEach) {
  constexpr std::string_view kSchema = R"({"type":["string","null"],"minLength":2})";
  EXPECT_EQ(findings(kSchema, std::string_view("null")), "");
  EXPECT_EQ(findings(kSchema, std::string_view(R"("ab")")), "");
  EXPECT_EQ(findings(kSchema, std::string_view(R"("a")")), R"(string_too_short ["body"])");
  EXPECT_EQ(findings(kSchema, std::string_view("1")), R"(string_type ["body"])");
  EXPECT_EQ(only_error(R"({"type":["string","integer"]})", "[]").msg, "must be a string or a whole number");
}

TEST(ServerSchemaCheck, AnEmptySchemaTakesEverything) {
  for (const char* value : {"null", "1", R"("x")", "[1,[2]]", R"({"a":{"b":1}})"})
    EXPECT_EQ(findings("{}", std::string_view(value)), "");
}

TEST(ServerSchemaCheck, LengthsCountCharactersNotBytes) {
  constexpr std::string_view kSchema = R"({"type":"string","minLength":2,"maxLength":3})";
  for (const char* fits :
       {R"("ab")", R"("äöü")", R"("𝄞𝄞𝄞")", R"("\ud834\udd1e\ud834\udd1e")", R"("e\u0301x")", R"("\u200b\u200b")"})
    EXPECT_EQ(findings(kSchema, std::string_view(fits)), "") << fits;
  EXPECT_EQ(findings(kSchema, std::string_view(R"("𝄞")")), R"(string_too_short ["body"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"("𝄞𝄞𝄞𝄞")")), R"(string_too_long ["body"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"("")")), R"(string_too_short ["body"])");
  EXPECT_EQ(to_json(only_error(kSchema, R"("")").ctx), R"({"min_length":2})");
  EXPECT_EQ(to_json(only_error(kSchema, R"("abcd")").ctx), R"({"max_length":3})");
}

TEST(ServerSchemaCheck, TrimmingComesBeforeLengths) {
  constexpr std::string_view kSchema = R"({"type":"string","x-trim":true,"minLength":1,"maxLength":2})";
  auto value = parsed(R"(" \t\u00a0\u2003ab\u3000\n ")");
  EXPECT_EQ(findings(kSchema, value), "");
  EXPECT_EQ(value, json::value("ab"));
  EXPECT_EQ(findings(kSchema, std::string_view(R"(" \u2003 ")")), R"(string_too_short ["body"])");
  auto untouched = parsed(R"(" ab ")");
  EXPECT_EQ(findings(R"({"type":"string"})", untouched), "");
  EXPECT_EQ(untouched, json::value(" ab "));
}

TEST(ServerSchemaCheck, TrimmingReachesInnerFieldsAndChoices) {
  auto value = parsed(R"({"a":" x ","list":[" y "],"any":" z "})");
  EXPECT_EQ(
      findings(R"({"properties":{"a":{"type":"string","x-trim":true},"list":{"items":{"type":"string","x-trim":true}},
                         "any":{"anyOf":[{"type":"string","x-trim":true,"maxLength":1},{"type":"null"}]}}})",
               value),
      "");
  EXPECT_EQ(to_json(value), R"({"a":"x","list":["y"],"any":"z"})");
}

TEST(ServerSchemaCheck, PatternsMatchFromTheFirstToTheLastByte) {
  constexpr std::string_view kSchema = R"({"type":"string","pattern":"^[a-z]{1,3}$"})";
  EXPECT_EQ(findings(kSchema, std::string_view(R"("abc")")), "");
  for (const char* bad : {R"("")", R"("abcd")", R"("abc\n")", R"("\nabc")", R"("ab c")", R"("ABC")", R"("äbc")"})
    EXPECT_EQ(findings(kSchema, std::string_view(bad)), R"(string_pattern_mismatch ["body"])") << bad;
  const auto error = only_error(kSchema, R"("A1")");
  EXPECT_EQ(to_json(error.ctx), R"({"pattern":"^[a-z]{1,3}$"})");
  EXPECT_EQ(error.msg.find("A1"), std::string::npos) << "what was given is not echoed";
}

TEST(ServerSchemaCheck, MomentsMustBeSome) {
  constexpr std::string_view kSchema = R"({"type":"string","format":"date-time"})";
  for (const char* good : {R"("2026-01-31T12:00:00Z")", R"("2026-01-31T12:00:00.123+02:00")"})
    EXPECT_EQ(findings(kSchema, std::string_view(good)), "");
  for (const char* bad : {R"("")", R"("tomorrow")", R"("2026-02-30T12:00:00Z")", R"("2026-01-31T25:00:00Z")"})
    EXPECT_EQ(findings(kSchema, std::string_view(bad)), R"(datetime_parsing ["body"])") << bad;
}

TEST(ServerSchemaCheck, BoundsOfNumbers) {
  constexpr std::string_view kClosed = R"({"type":"number","minimum":1,"maximum":2.5})";
  constexpr std::string_view kOpen = R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})";
  for (const char* fits : {"1", "1.0", "2.5", "1e0", "25e-1"})
    EXPECT_EQ(findings(kClosed, std::string_view(fits)), "") << fits;
  for (const char* small : {"0", "-1", "0.9999999999", "-1e308", "-0.0"})
    EXPECT_EQ(findings(kClosed, std::string_view(small)), R"(greater_than_equal ["body"])") << small;
  for (const char* large : {"2.5000001", "3", "18446744073709551615", "1e308"})
    EXPECT_EQ(findings(kClosed, std::string_view(large)), R"(less_than_equal ["body"])") << large;
  EXPECT_EQ(findings(kOpen, std::string_view("0.5")), "");
  EXPECT_EQ(findings(kOpen, std::string_view("5e-324")), "");
  for (const char* small : {"0", "-0.0", "-5e-324"})
    EXPECT_EQ(findings(kOpen, std::string_view(small)), R"(greater_than ["body"])") << small;
  EXPECT_EQ(findings(kOpen, std::string_view("1")), R"(less_than ["body"])");
  EXPECT_EQ(to_json(only_error(kClosed, "9").ctx), R"({"le":2.5})");
  EXPECT_EQ(to_json(only_error(kClosed, "0").ctx), R"({"ge":1})");
  EXPECT_EQ(to_json(only_error(kOpen, "0").ctx), R"({"gt":0})");
  EXPECT_EQ(to_json(only_error(kOpen, "1").ctx), R"({"lt":1})");
}

TEST(ServerSchemaCheck, WholeNumbers) {
  constexpr std::string_view kSchema = R"({"type":"integer"})";
  for (const char* fits : {"0", "-0", "3.0", "1e3", "9223372036854775807", "-9223372036854775808"})
    EXPECT_EQ(findings(kSchema, std::string_view(fits)), "") << fits;
  for (const char* bad : {"0.5", "1e-1", "9223372036854775808", "18446744073709551615", "1e300"})
    EXPECT_EQ(findings(kSchema, std::string_view(bad)), R"(int_type ["body"])") << bad;
}

TEST(ServerSchemaCheck, OneOfAListOrAConstant) {
  constexpr std::string_view kList = R"({"type":"string","enum":["a","b"]})";
  EXPECT_EQ(findings(kList, std::string_view(R"("b")")), "");
  for (const char* bad : {R"("c")", R"("A")", R"("")", R"("a ")"})
    EXPECT_EQ(findings(kList, std::string_view(bad)), R"(enum ["body"])") << bad;
  EXPECT_EQ(to_json(only_error(kList, R"("c")").ctx), R"({"expected":"a, b"})");
  EXPECT_EQ(findings(R"({"type":["string","null"],"enum":["a",null]})", std::string_view("null")), "");
  EXPECT_EQ(findings(R"({"const":"ping"})", std::string_view(R"("ping")")), "");
  EXPECT_EQ(findings(R"({"const":1})", std::string_view("2")), R"(literal_error ["body"])");
}

TEST(ServerSchemaCheck, ObjectsNameTheFieldThatIsWrong) {
  constexpr std::string_view kSchema = R"({"type":"object","required":["a","b"],"properties":{
      "a":{"type":"string"},"b":{"type":"object","required":["c"],"properties":{"c":{"type":"integer"}}},"d":{"type":"boolean"}}})";
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":"x","b":{"c":1}})")), "");
  EXPECT_EQ(findings(kSchema, std::string_view("{}")), R"(missing ["body","a"]; missing ["body","b"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":1,"b":{"c":"x"},"d":0})")),
            R"(string_type ["body","a"]; int_type ["body","b","c"]; bool_type ["body","d"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":null,"b":{}})")),
            R"(string_type ["body","a"]; missing ["body","b","c"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":"x","b":{"c":1},"other":[{"deep":true}],"":0,"__proto__":{}})")),
            "")
      << "unknown fields are ignored";
}

TEST(ServerSchemaCheck, NamesOfFieldsAreComparedByteByByte) {
  constexpr std::string_view kSchema = R"({"required":["ä"],"properties":{"ä":{"type":"integer"}}})";
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"\u00e4":1})")), "");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a\u0308":1})")), R"(missing ["body","ä"])")
      << "another way to write it is another name";
}

TEST(ServerSchemaCheck, ListsNameTheEntryThatIsWrong) {
  constexpr std::string_view kSchema =
      R"({"type":"array","minItems":1,"maxItems":3,"items":{"type":"integer","minimum":0}})";
  EXPECT_EQ(findings(kSchema, std::string_view("[1,2,3]")), "");
  EXPECT_EQ(findings(kSchema, std::string_view("[]")), R"(too_short ["body"])");
  EXPECT_EQ(findings(kSchema, std::string_view("[1,2,3,4]")), R"(too_long ["body"])");
  EXPECT_EQ(findings(kSchema, std::string_view(R"([1,-1,"x"])")),
            R"(greater_than_equal ["body",1]; int_type ["body",2])");
  EXPECT_EQ(to_json(only_error(kSchema, "[]").ctx), R"({"min_length":1})");
}

TEST(ServerSchemaCheck, OfSeveralChoicesTheNearestTellsWhatIsWrong) {
  constexpr std::string_view kSchema = R"({"anyOf":[{"type":"object","required":["a"]},{"type":"null"}]})";
  EXPECT_EQ(findings(kSchema, std::string_view("null")), "");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":1})")), "");
  EXPECT_EQ(findings(kSchema, std::string_view("{}")), R"(missing ["body","a"])")
      << "an object is meant, so its fields are spoken of";
  EXPECT_EQ(findings(kSchema, std::string_view("1")), R"(dict_type ["body"])");
  constexpr std::string_view kOne = R"({"oneOf":[{"type":"string","maxLength":1},{"type":"integer"}]})";
  EXPECT_EQ(findings(kOne, std::string_view(R"("xy")")), R"(string_too_long ["body"])");
}

TEST(ServerSchemaCheck, AllPartsCount) {
  constexpr std::string_view kSchema =
      R"({"allOf":[{"required":["a"]},{"properties":{"a":{"type":"string"}}}],"properties":{"b":{"type":"null"}}})";
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":"x","b":null})")), "");
  EXPECT_EQ(findings(kSchema, std::string_view(R"({"a":1,"b":1})")),
            R"(string_type ["body","a"]; value_error ["body","b"])");
}

TEST(ServerSchemaCheck, ReferencesLeadOn) {
  constexpr std::string_view kDocument =
      R"({"x":{"first":{"$ref":"#/x/second"},"second":{"type":"integer"},
           "tree":{"properties":{"child":{"$ref":"#/x/tree"},"n":{"type":"integer"}}}}})";
  EXPECT_EQ(findings(R"({"$ref":"#/x/first"})", std::string_view("1"), kDocument), "");
  EXPECT_EQ(findings(R"({"$ref":"#/x/first"})", std::string_view("true"), kDocument), R"(int_type ["body"])");
  EXPECT_EQ(findings(R"({"$ref":"#/x/tree"})", std::string_view(R"({"child":{"child":{"n":"x"}}})"), kDocument),
            R"(int_type ["body","child","child","n"])");
}

TEST(ServerSchemaCheck, ATreeAsDeepAsJsonMayBe) {
  constexpr std::string_view kDocument = R"({"tree":{"type":"object","properties":{"c":{"$ref":"#/tree"}}}})";
  std::string text = "1";
  for (int i = 0; i < 60; ++i) text = R"({"c":)" + text + "}";
  const auto found = findings(R"({"$ref":"#/tree"})", std::string_view(text), kDocument);
  EXPECT_TRUE(found.starts_with(R"(dict_type ["body","c","c")")) << found;
  EXPECT_EQ(std::ranges::count(found, 'c') - 1, 60);
}

TEST(ServerSchemaCheck, AnswersStayShortWhateverIsWrong) {
  std::string list = "[";
  for (int i = 0; i < 5000; ++i) list += (i == 0 ? "" : ",") + std::string("-1");
  list += "]";
  for (const char* schema : {R"({"items":{"type":"integer","minimum":0}})", R"({"items":{"type":"string"}})",
                             R"({"items":{"anyOf":[{"type":"string"},{"type":"null"}]}})",
                             R"({"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]})"}) {
    const auto found = findings(schema, std::string_view(list));
    EXPECT_EQ(std::ranges::count(found, ';'), 49) << schema;
  }
}

// ---- text of the query and the path --------------------------------------------------------------------------------

std::string text_findings(std::string_view schema, std::string_view text, std::string_view value = "") {
  const json::object document;
  const auto wanted = parsed(schema);
  std::vector<FieldError> errors;
  const auto read = SchemaCheck(document).read_text(wanted.get_object(), text, {"query", "n"}, errors);
  if (errors.empty() && !value.empty()) EXPECT_EQ(to_json(read), value);
  std::string found;
  for (const auto& error : errors) found += error.type + " " + to_json(error.loc);
  return found;
}

TEST(ServerSchemaCheck, NumbersInTheQuery) {
  constexpr std::string_view kSchema = R"({"type":"integer","minimum":1,"maximum":200})";
  EXPECT_EQ(text_findings(kSchema, "1", "1"), "");
  EXPECT_EQ(text_findings(kSchema, "0200", "200"), "");
  for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "1e1", "0x1", "x", "1x", "--1", "9223372036854775808",
                          "99999999999999999999", "１", "true"})
    EXPECT_EQ(text_findings(kSchema, bad), R"(int_parsing ["query","n"])") << bad;
  EXPECT_EQ(text_findings(kSchema, "0"), R"(greater_than_equal ["query","n"])");
  EXPECT_EQ(text_findings(kSchema, "-9223372036854775808"), R"(greater_than_equal ["query","n"])");
  EXPECT_EQ(text_findings(kSchema, "201"), R"(less_than_equal ["query","n"])");
}

TEST(ServerSchemaCheck, TruthInTheQuery) {
  constexpr std::string_view kSchema = R"({"type":"boolean"})";
  for (const char* yes : {"true", "1"}) EXPECT_EQ(text_findings(kSchema, yes, "true"), "");
  for (const char* no : {"false", "0"}) EXPECT_EQ(text_findings(kSchema, no, "false"), "");
  for (const char* bad : {"", "TRUE", "yes", "2", " true", "null"})
    EXPECT_EQ(text_findings(kSchema, bad), R"(bool_parsing ["query","n"])") << bad;
}

TEST(ServerSchemaCheck, TextInTheQueryStaysText) {
  EXPECT_EQ(text_findings(R"({"type":"string"})", "12", R"("12")"), "");
  EXPECT_EQ(text_findings(R"({"type":"string","minLength":1})", ""), R"(string_too_short ["query","n"])");
  EXPECT_EQ(text_findings(R"({"type":"string","enum":["asc","desc"]})", "up"), R"(enum ["query","n"])");
}

// ---- the contract --------------------------------------------------------------------------------------------------

/// Keywords of all schemas that a schema leads to.
void gather(const json::object& schema, const SchemaCheck& check, std::set<const json::object*>& seen,
            std::set<std::string>& keywords) {
  if (!seen.insert(&schema).second) return;
  if (schema.contains("$ref")) return gather(check.resolved(schema), check, seen, keywords);
  for (const auto& [name, value] : schema) keywords.insert(std::string(name));
  if (const auto* fields = get_object(schema, "properties"))
    for (const auto& [name, part] : *fields) gather(part.get_object(), check, seen, keywords);
  if (const auto* items = get_object(schema, "items")) gather(*items, check, seen, keywords);
  for (const char* list : {"anyOf", "oneOf", "allOf"})
    if (const auto* parts = get_array(schema, list))
      for (const auto& part : *parts) gather(part.get_object(), check, seen, keywords);
}

TEST(ServerSchemaCheck, KnowsEveryKeywordThatTheContractUsesForWhatClientsSend) {
  const auto& contract = Contract::embedded();
  const SchemaCheck check(contract.document());
  std::set<const json::object*> seen;
  std::set<std::string> used;
  for (const auto& operation : contract.operations()) {
    if (operation.body != nullptr) gather(*operation.body, check, seen, used);
    for (const auto& parameter : operation.path_parameters) gather(*parameter.schema, check, seen, used);
    for (const auto& parameter : operation.query_parameters) gather(*parameter.schema, check, seen, used);
  }
  const std::set<std::string> checked{"type",
                                      "enum",
                                      "const",
                                      "minLength",
                                      "maxLength",
                                      "pattern",
                                      "minimum",
                                      "maximum",
                                      "exclusiveMinimum",
                                      "exclusiveMaximum",
                                      "required",
                                      "properties",
                                      "items",
                                      "minItems",
                                      "maxItems",
                                      "anyOf",
                                      "oneOf",
                                      "allOf",
                                      "x-trim"};
  const std::set<std::string> told{"description", "title", "default", "example", "examples"};
  for (const auto& keyword : used) {
    if (keyword == "format" || told.contains(keyword) || checked.contains(keyword)) continue;
    if (keyword == "additionalProperties") continue;  // judged below: unknown fields are ignored
    ADD_FAILURE() << "the keyword " << keyword << " is not checked";
  }
  for (const auto* schema : seen) {
    if (const auto format = get_string(*schema, "format")) {
      EXPECT_TRUE(format == "date-time" || format == "int64") << *format;
    }
    if (const auto* more = schema->if_contains("additionalProperties")) {
      EXPECT_TRUE(more->is_bool() && more->get_bool())
          << "an object that forbids fields: " << to_json(*schema).substr(0, 120);
    }
  }
  EXPECT_GT(seen.size(), 50U);
}

}  // namespace
}  // namespace planexe::server
