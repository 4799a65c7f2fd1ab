#include "llm/request.hpp"

#include <gtest/gtest.h>

#include "llm/schema_clean.hpp"
#include "llm/transcript.hpp"

namespace planexe::llm {
namespace {

CallSpec spec_of(bool structured = true) {
  CallSpec spec;
  spec.plan_id = "PlanExe_1";
  spec.call_key = "one/main";
  spec.schema_name = "one_main";
  if (structured) spec.schema = json::parse(R"({"type":"object","properties":{"a":{"type":"string","minLength":3}}})");
  spec.messages = {Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::user, {"Plan", "Question"}}};
  spec.cache_key = "cache-1";
  return spec;
}

ModelEntry entry_of(const std::string& provider, const std::string& model) {
  const auto catalogue = parse_catalogue(
      json::serialize(json::object{{"id", json::object{{"provider", provider}, {"model", model}, {"base_url", "http://h/v1"},
                                                       {"context_window", 1000}, {"max_output_tokens", 100}}}}), "test");
  EXPECT_TRUE(catalogue.has_value()) << (catalogue ? "" : catalogue.error().message);
  return catalogue->models.at(0);
}

json::value body_of(const CallSpec& spec, const ModelEntry& model, const Adaptations& adaptations = {},
                    const std::string& parent = "", std::size_t known = 0) {
  const auto messages = conversation_of(spec);
  RequestInput input{.spec = spec, .model = model, .adaptations = adaptations, .wire = choose_wire(model, !spec.schema.is_null()),
                     .messages = messages, .known = known, .parent_id = parent, .effort = "low", .max_output_tokens = 500,
                     .background = false, .store = true, .attempt = 2};
  return json::parse(build_request(input).body);
}

TEST(LlmRequest, ResponsesOfOpenAi) {
  const json::value body = body_of(spec_of(), entry_of("openai", "gpt-5-mini-2025-08-07"));
  EXPECT_EQ(json::serialize(body),
            R"({"model":"gpt-5-mini-2025-08-07","input":[)"
            R"({"type":"message","role":"developer","content":[{"type":"input_text","text":"Rules"}]},)"
            R"({"type":"message","role":"user","content":[{"type":"input_text","text":"Plan"},{"type":"input_text","text":"Question"}]}],)"
            R"("text":{"format":{"type":"json_schema","name":"one_main","strict":true,"schema":)"
            R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}},)"
            R"("reasoning":{"effort":"low","summary":"auto"},"max_output_tokens":500,"store":true,"stream":true,)"
            R"("stream_options":{"include_obfuscation":false},"metadata":{"call":"one/main","attempt":"2","item":"1"},)"
            R"("prompt_cache_key":"cache-1"})");
}

TEST(LlmRequest, ModelsWithoutReasoningGetNone) {
  const json::value body = body_of(spec_of(), entry_of("openai", "gpt-4o-mini-2024-07-18"));
  // The machine adapts the effort to ""; the summary depends on the family.
  EXPECT_EQ(find(body.at("reasoning"), "summary"), nullptr);
}

TEST(LlmRequest, PlainTextHasAFormatToo) {
  const json::value body = body_of(spec_of(false), entry_of("openai", "gpt-5-mini"));
  EXPECT_EQ(json::serialize(body.at("text")), R"({"format":{"type":"text"}})");
}

TEST(LlmRequest, ChatWhereOnlyChatEnforcesTheSchema) {
  const ModelEntry model = entry_of("openrouter", "openai/gpt-5-mini");
  EXPECT_EQ(choose_wire(model, true), Wire::chat);
  EXPECT_EQ(choose_wire(model, false), Wire::responses);
  const json::value body = body_of(spec_of(), model);
  EXPECT_EQ(body.at("messages").as_array()[0].at("role").as_string(), "system");
  EXPECT_EQ(body.at("messages").as_array()[1].at("content").as_string(), "Plan\n\nQuestion");
  EXPECT_EQ(body.at("response_format").at("json_schema").at("strict").as_bool(), true);
  EXPECT_EQ(body.at("provider").at("require_parameters").as_bool(), true);
  EXPECT_EQ(body.at("max_tokens").to_number<int>(), 500);
  EXPECT_EQ(body.at("reasoning_effort").as_string(), "low");
  EXPECT_EQ(body.at("stream_options").at("include_usage").as_bool(), true);
  EXPECT_EQ(find(body, "metadata"), nullptr);
}

TEST(LlmRequest, SchemaGoesIntoThePromptWhereNobodyEnforcesIt) {
  const json::value body = body_of(spec_of(), entry_of("anthropic", "any-model"));
  const std::string content(body.at("messages").as_array()[1].at("content").as_string());
  EXPECT_NE(content.find(R"("required":["a"])"), std::string::npos);
  EXPECT_LT(content.find("Question"), content.find("JSON Schema"));
}

TEST(LlmRequest, ParentIdReplacesWhatIsKnown) {
  const json::value body = body_of(spec_of(), entry_of("openai", "gpt-5-mini"), {}, "resp_1", 1);
  EXPECT_EQ(body.at("previous_response_id").as_string(), "resp_1");
  EXPECT_EQ(body.at("input").as_array().size(), 1U);
}

TEST(LlmRequest, AdaptationsAreLeftOut) {
  Adaptations adaptations;
  adaptations.dropped = {"reasoning.summary", "metadata", "prompt_cache_key", "stream_options", "store", "strict"};
  const json::value body = body_of(spec_of(), entry_of("openai", "gpt-5-mini"), adaptations);
  for (const char* key : {"metadata", "prompt_cache_key", "stream_options", "store"}) EXPECT_EQ(find(body, key), nullptr) << key;
  EXPECT_EQ(json::serialize(body.at("reasoning")), R"({"effort":"low"})");
  EXPECT_EQ(find(body.at("text").at("format"), "strict"), nullptr);
}

TEST(LlmRequest, OwnReasoningIsReplayedForeignIsNot) {
  CallSpec spec = spec_of();
  Message said{Message::Role::assistant, {"Answer"}};
  said.origin = "id";
  said.phase = "final_answer";
  said.reasoning_items = json::array{json::object{{"type", "reasoning"}, {"encrypted_content", "xyz"}}};
  Message foreign = said;
  foreign.origin = "other";
  Parent parent;
  parent.transcript = {Message{Message::Role::developer, {"Rules"}}, said, foreign};
  spec.parent = parent;
  const json::value body = body_of(spec, entry_of("openai", "gpt-5-mini"));
  const json::array& input = body.at("input").as_array();
  ASSERT_EQ(input.size(), 5U);   // rules, reasoning, answer, foreign answer, question
  EXPECT_EQ(input[1].at("type").as_string(), "reasoning");
  EXPECT_EQ(input[2].at("phase").as_string(), "final_answer");
  EXPECT_EQ(input[2].at("content").as_array()[0].at("type").as_string(), "output_text");
  EXPECT_EQ(find(input[3], "phase"), nullptr);
}

TEST(LlmRequest, HashCoversTheQuestionAndNothingElse) {
  const ModelEntry model = entry_of("openai", "gpt-5-mini");
  const ModelEntry other = entry_of("openai", "gpt-5-nano");
  const CallSpec spec = spec_of();
  const auto messages = conversation_of(spec);
  const Adaptations none;
  const auto make = [&] {
    return RequestInput{.spec = spec, .model = model, .adaptations = none, .wire = Wire::responses, .messages = messages,
                        .known = 0, .parent_id = "", .effort = "low", .max_output_tokens = 500, .background = false,
                        .store = true, .attempt = 1};
  };
  const std::string hash = request_hash(make());
  RequestInput same = make();
  same.parent_id = "resp_9";
  same.max_output_tokens = 9'000;
  same.attempt = 7;
  same.store = false;
  same.background = true;
  same.wire = Wire::chat;
  EXPECT_EQ(request_hash(same), hash);
  RequestInput effort = make();
  effort.effort = "high";
  EXPECT_NE(request_hash(effort), hash);
  const auto shorter = std::vector<Message>(messages.begin(), messages.begin() + 1);
  RequestInput text = make();
  text.messages = shorter;
  EXPECT_NE(request_hash(text), hash);
  RequestInput elsewhere{.spec = spec, .model = other, .adaptations = none, .wire = Wire::responses, .messages = messages,
                         .known = 0, .parent_id = "", .effort = "low", .max_output_tokens = 500, .background = false,
                         .store = true, .attempt = 1};
  EXPECT_NE(request_hash(elsewhere), hash);
}

CallSpec spec_with_wishes() {
  CallSpec spec = spec_of(false);
  spec.verbosity = "high";
  spec.summary = "detailed";
  spec.temperature = 0.25;
  return spec;
}

TEST(LlmRequest, WishesGoWhereTheModelTakesThem) {
  const json::value body = body_of(spec_with_wishes(), entry_of("openai", "gpt-5-mini"));
  EXPECT_EQ(json::serialize(body.at("text")), R"({"format":{"type":"text"},"verbosity":"high"})");
  EXPECT_EQ(json::serialize(body.at("reasoning")), R"({"effort":"low","summary":"detailed"})");
  EXPECT_EQ(find(body, "temperature"), nullptr) << "a reasoning model refuses it";
  const json::value plain = body_of(spec_with_wishes(), entry_of("openai", "gpt-4o-mini"));
  EXPECT_EQ(json::serialize(plain.at("text")), R"({"format":{"type":"text"}})") << "it takes medium only";
  EXPECT_EQ(plain.at("temperature").as_double(), 0.25);
  CallSpec medium = spec_with_wishes();
  medium.verbosity = "medium";
  EXPECT_EQ(body_of(medium, entry_of("openai", "gpt-4o-mini")).at("text").at("verbosity").as_string(), "medium");
}

TEST(LlmRequest, WishesOnChatCompletions) {
  CallSpec spec = spec_with_wishes();
  spec.schema = spec_of().schema;
  const json::value body = body_of(spec, entry_of("openrouter", "openai/gpt-5-mini"));
  EXPECT_EQ(body.at("verbosity").as_string(), "high");
  EXPECT_EQ(find(body, "temperature"), nullptr);
  const json::value local = body_of(spec, entry_of("lmstudio", "openai/gpt-oss-20b"));
  EXPECT_EQ(find(local, "verbosity"), nullptr);
  EXPECT_EQ(local.at("temperature").as_double(), 0.25);
  const json::value unknown = body_of(spec, entry_of("anthropic", "any-model"));
  EXPECT_EQ(find(unknown, "verbosity"), nullptr);
  EXPECT_EQ(find(unknown, "temperature"), nullptr) << "nothing says that it is taken";
}

TEST(LlmRequest, WishesThatWereRefusedAreLeftOut) {
  Adaptations adaptations;
  adaptations.dropped = {"text.verbosity", "reasoning.summary"};
  const json::value body = body_of(spec_with_wishes(), entry_of("openai", "gpt-5-mini"), adaptations);
  EXPECT_EQ(json::serialize(body.at("text")), R"({"format":{"type":"text"}})");
  EXPECT_EQ(json::serialize(body.at("reasoning")), R"({"effort":"low"})");
  adaptations.dropped = {"temperature"};
  EXPECT_EQ(find(body_of(spec_with_wishes(), entry_of("openai", "gpt-4o-mini"), adaptations), "temperature"), nullptr);
}

TEST(LlmRequest, WishesThatAffectTheAnswerAreHashed) {
  const ModelEntry model = entry_of("openai", "gpt-5-mini");
  const Adaptations none;
  const auto hash_of = [&](const CallSpec& spec) {
    const auto messages = conversation_of(spec);
    return request_hash(
        RequestInput{.spec = spec, .model = model, .adaptations = none, .messages = messages, .parent_id = "", .effort = "low"});
  };
  const std::string plain = hash_of(spec_of());
  CallSpec spec = spec_of();
  spec.summary = "concise";
  spec.store = false;
  EXPECT_EQ(hash_of(spec), plain);
  spec.verbosity = "low";
  const std::string brief = hash_of(spec);
  EXPECT_NE(brief, plain);
  spec.temperature = 1.0;
  EXPECT_NE(hash_of(spec), brief);
}

TEST(LlmRequest, ForeignIdsCannotLeaveTheirPlaceInThePath) {
  EXPECT_EQ(fetch_request("resp_1-A").path, "/responses/resp_1-A");
  EXPECT_EQ(fetch_request("../../x?y#z").path, "/responses/%2E%2E%2F%2E%2E%2Fx%3Fy%23z");
  EXPECT_EQ(continue_request("r", 7).path, "/responses/r?stream=true&starting_after=7");
  EXPECT_EQ(continue_request("r", -1).path, "/responses/r?stream=true");
  EXPECT_EQ(cancel_request("r\r\nX: 1").path, "/responses/r%0D%0AX%3A%201/cancel");
}

TEST(LlmSchemaClean, LengthsDefaultsAndForeignKeywordsGo) {
  const auto cleaned = clean_schema(json::parse(R"({"$schema":"x","title":"T","type":"object","additionalProperties":true,
    "properties":{"a":{"type":"string","minLength":1,"maxLength":9,"default":"q","pattern":"^a"},
                  "b":{"type":"array","items":{"type":"integer","minimum":1},"minItems":1,"uniqueItems":true}},"required":["a"]})"));
  EXPECT_EQ(json::serialize(cleaned),
            R"({"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","pattern":"^a"},)"
            R"("b":{"type":"array","items":{"type":"integer","minimum":1},"minItems":1}},"required":["a","b"]})");
}

TEST(LlmSchemaClean, PropertiesNamedLikeKeywordsStay) {
  const auto cleaned = clean_schema(json::parse(R"({"type":"object","properties":{"title":{"type":"string"},"default":{"type":"string"}}})"));
  EXPECT_EQ(json::serialize(cleaned.at("required")), R"(["title","default"])");
}

TEST(LlmSchemaClean, NeighboursOfAReferenceSurvive) {
  const auto cleaned = clean_schema(json::parse(R"({"type":"object","properties":{
    "bare":{"$ref":"#/$defs/level"},"told":{"$ref":"#/$defs/level","description":"How urgent"},
    "tree":{"$ref":"#/$defs/node"},"named":{"$ref":"#/$defs/node","description":"The root"}},
    "$defs":{"level":{"type":"string","enum":["low","high"],"description":"A level"},
             "node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}}}}})"));
  const json::value& properties = cleaned.at("properties");
  EXPECT_EQ(json::serialize(properties.at("bare")), R"({"$ref":"#/$defs/level"})");
  EXPECT_EQ(json::serialize(properties.at("told")), R"({"type":"string","enum":["low","high"],"description":"How urgent"})");
  EXPECT_EQ(json::serialize(properties.at("tree")), R"({"$ref":"#/$defs/node"})");
  EXPECT_EQ(properties.at("named").at("properties").at("next").at("anyOf").as_array()[0].at("$ref").as_string(), "#/$defs/node");
  EXPECT_EQ(cleaned.at("$defs").at("node").at("additionalProperties").as_bool(), false);
}

TEST(LlmSchemaClean, HostileReferencesEnd) {
  clean_schema(json::parse(R"({"$ref":"#","description":"x"})"));
  clean_schema(json::parse(R"({"$defs":{"a":{"$ref":"#/$defs/b","description":"1"},"b":{"$ref":"#/$defs/a","description":"2"}},
                               "$ref":"#/$defs/a","description":"x"})"));
  const auto self = clean_schema(json::parse(R"({"$defs":{"a":{"type":"object","properties":{"x":{"$ref":"#/$defs/a","description":"d"}}}},
                                                "type":"object","properties":{"r":{"$ref":"#/$defs/a","description":"e"}}})"));
  EXPECT_TRUE(self.is_object());
  EXPECT_EQ(json::serialize(clean_schema(json::parse(R"({"$ref":"http://x/y","description":"d"})"))),
            R"({"$ref":"http://x/y","description":"d"})");
}

TEST(LlmSchemaClean, MapsStayMaps) {
  const auto cleaned = clean_schema(json::parse(R"({"type":"object","properties":{},"additionalProperties":{"type":"string","maxLength":3}})"));
  EXPECT_EQ(json::serialize(cleaned.at("additionalProperties")), R"({"type":"string"})");
}

TEST(LlmSchemaClean, Names) {
  EXPECT_EQ(clean_schema_name("task.one/step two"), "task_one_step_two");
  EXPECT_EQ(clean_schema_name(std::string(200, 'x')).size(), 64U);
  EXPECT_EQ(clean_schema_name(""), "answer");
}

TEST(LlmTranscript, RepeatedRulesAreNotRepeated) {
  CallSpec spec = spec_of();
  Parent parent;
  parent.transcript = {Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::user, {"Q"}},
                       Message{Message::Role::assistant, {"A"}}};
  spec.parent = parent;
  EXPECT_EQ(conversation_of(spec).size(), 4U);
  spec.messages[0].parts = {"Other rules"};
  EXPECT_EQ(conversation_of(spec).size(), 5U);
}

TEST(LlmTranscript, JsonThereAndBack) {
  std::vector<Message> messages{Message{Message::Role::developer, {"Rules"}}, Message{Message::Role::assistant, {"A", "B"}}};
  messages[1].origin = "m1";
  messages[1].phase = "final_answer";
  messages[1].reasoning_items = json::array{json::object{{"id", "rs"}}};
  EXPECT_EQ(messages_from_json(messages_to_json(messages)).value(), messages);
  for (const char* bad : {"{}", "[1]", R"([{"role":"x","parts":[]}])", R"([{"role":"user"}])", R"([{"role":"user","parts":[1]}])"}) {
    EXPECT_FALSE(messages_from_json(json::parse(bad)).has_value()) << bad;
  }
  // Marks of the provider do not change what was said.
  auto plain = messages;
  plain[1].origin.clear();
  plain[1].reasoning_items.clear();
  EXPECT_EQ(transcript_hash(plain), transcript_hash(messages));
  plain[1].parts = {"AB"};
  EXPECT_NE(transcript_hash(plain), transcript_hash(messages));
}

TEST(LlmTranscript, TokenFigures) {
  EXPECT_EQ(estimate_tokens(""), 0);
  EXPECT_EQ(estimate_tokens("1234567"), 2);
  EXPECT_EQ(estimate_tokens("éééé"), 2);
  EXPECT_EQ(token_upper_bound("12345"), 2);
  EXPECT_EQ(token_upper_bound("東京"), 4);
}

TEST(LlmAdaptation, EffortsRiseToTheNextAcceptedOne) {
  const std::vector<std::string> o{"low", "medium", "high"};
  EXPECT_EQ(adapt_effort("low", o), "low");
  EXPECT_EQ(adapt_effort("minimal", o), "low");
  EXPECT_EQ(adapt_effort("max", o), "high");
  EXPECT_EQ(adapt_effort("minimal", {"none", "low", "high"}), "low");
  EXPECT_EQ(adapt_effort("medium", {}), "");
  EXPECT_EQ(adapt_effort("", o), "");
  EXPECT_EQ(lower_effort("high", o), "medium");
  EXPECT_EQ(lower_effort("low", o), std::nullopt);
}

TEST(LlmAdaptation, LearnsFromRefusals) {
  Adaptations learned;
  EXPECT_TRUE(adapt({"unsupported_parameter", "", "Unsupported parameter: 'temperature'", "temperature"}, learned));
  EXPECT_FALSE(adapt({"unsupported_parameter", "", "again", "temperature"}, learned));
  EXPECT_TRUE(adapt({"", "", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", ""}, learned));
  EXPECT_EQ(learned.max_tokens_name, "max_completion_tokens");
  EXPECT_TRUE(adapt({"", "", "Unrecognized request argument supplied: metadata", ""}, learned));
  EXPECT_TRUE(learned.drops("metadata"));
  EXPECT_FALSE(adapt({"unsupported_parameter", "", "", "input"}, learned));
  EXPECT_FALSE(adapt({}, learned));
}

}  // namespace
}  // namespace planexe::llm
