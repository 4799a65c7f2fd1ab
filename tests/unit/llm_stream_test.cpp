#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "llm/chat_stream.hpp"
#include "llm/exchange.hpp"
#include "llm/responses_stream.hpp"

namespace planexe::llm {
namespace {

const ClientSettings kSettings;

/// The exchange of llm.md 1.12.
std::vector<std::string> example_events() {
  const std::string final_response =
      R"({"id":"resp_a","object":"response","status":"completed","model":"m1","output":[)"
      R"({"type":"reasoning","id":"rs_a","summary":[{"type":"summary_text","text":"Weigh options"}]},)"
      R"({"type":"message","id":"msg_a","role":"assistant","content":[{"type":"output_text","text":"{\"risk\":\"Frost\"}"}]}],)"
      R"("usage":{"input_tokens":31,"input_tokens_details":{"cached_tokens":0},"output_tokens":18,)"
      R"("output_tokens_details":{"reasoning_tokens":9},"total_tokens":49}})";
  std::vector<std::string> payloads{
      R"("type":"response.created","response":{"id":"resp_a","status":"in_progress","output":[],"usage":null})",
      R"("type":"response.in_progress","response":{"id":"resp_a","status":"in_progress"})",
      R"("type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_a","summary":[]})",
      R"("type":"response.reasoning_summary_part.added","item_id":"rs_a","output_index":0,"summary_index":0,"part":{})",
      R"("type":"response.reasoning_summary_text.delta","item_id":"rs_a","output_index":0,"summary_index":0,"delta":"Weigh options")",
      R"("type":"response.reasoning_summary_text.done","item_id":"rs_a","output_index":0,"summary_index":0,"text":"Weigh options")",
      R"("type":"response.reasoning_summary_part.done","item_id":"rs_a","output_index":0,"summary_index":0,"part":{})",
      R"("type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_a"})",
      R"("type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"msg_a","content":[]})",
      R"("type":"response.content_part.added","item_id":"msg_a","output_index":1,"content_index":0,"part":{"type":"output_text","text":""})",
      R"("type":"response.output_text.delta","item_id":"msg_a","output_index":1,"content_index":0,"delta":"{\"risk\":")",
      R"("type":"response.output_text.delta","item_id":"msg_a","output_index":1,"content_index":0,"delta":"\"Frost\"}")",
      R"("type":"response.output_text.done","item_id":"msg_a","output_index":1,"content_index":0,"text":"{\"risk\":\"Frost\"}")",
      R"("type":"response.content_part.done","item_id":"msg_a","output_index":1,"content_index":0,"part":{})",
      R"("type":"response.output_item.done","output_index":1,"item":{"type":"message","id":"msg_a","content":[{"type":"output_text","text":"{\"risk\":\"Frost\"}"}]})",
      R"("type":"response.completed","response":)" + final_response};
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    payloads[i] = "{" + payloads[i] + ",\"sequence_number\":" + std::to_string(i) + "}";
  }
  return payloads;
}

TEST(LlmResponsesStream, ExampleOfTheSpecification) {
  ResponsesStream stream(kSettings, true);
  std::string text;
  std::string reasoning;
  for (const std::string& data : example_events()) {
    EXPECT_FALSE(stream.result().has_value());
    const auto update = stream.on_event({"", data});
    ASSERT_TRUE(update.has_value());
    EXPECT_TRUE(update->semantic);
    text += update->text;
    reasoning += update->reasoning;
  }
  ASSERT_TRUE(stream.result().has_value());
  const ModelResponse& response = *stream.result();
  EXPECT_EQ(response.id, "resp_a");
  EXPECT_EQ(response.status, "completed");
  EXPECT_EQ(response.text, R"({"risk":"Frost"})");
  EXPECT_EQ(text, response.text);
  EXPECT_EQ(reasoning, "Weigh options");
  EXPECT_EQ(response.reasoning, "Weigh options");
  EXPECT_EQ(response.usage->total(), 49);
  EXPECT_EQ(response.usage->reasoning_tokens, 9);
  EXPECT_EQ(stream.last_sequence(), 15);
  EXPECT_EQ(stream.counters().unknown_events + stream.counters().duplicate_events + stream.counters().sequence_gaps +
                stream.counters().text_mismatches, 0);
}

TEST(LlmResponsesStream, MissingOutputIsTakenFromTheEvents) {
  ResponsesStream stream(kSettings, true);
  ASSERT_TRUE(stream.on_event({"", R"({"type":"response.output_text.delta","delta":"ab"})"}));
  ASSERT_TRUE(stream.on_event({"", R"({"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"abc"}]}})"}));
  ASSERT_TRUE(stream.on_event({"response.completed", R"({"response":{"id":"r","status":"completed"}})"}));
  EXPECT_EQ(stream.result()->text, "abc");
}

TEST(LlmResponsesStream, LimitsOfTextAndParts) {
  ClientSettings small;
  small.output_text_bytes_max = 10;
  small.stream_parts_max = 3;
  ResponsesStream text(small, true);
  EXPECT_TRUE(text.on_event({"", R"({"type":"response.output_text.delta","delta":"0123456789"})"}));
  const auto over = text.on_event({"", R"({"type":"response.output_text.delta","delta":"x"})"});
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code, ErrorCode::LimitExceeded);
  ResponsesStream parts(small, true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(parts.on_event({"", R"({"type":"response.output_text.delta","delta":"","item_id":")" + std::to_string(i) + "\"}"}));
  }
  EXPECT_FALSE(parts.on_event({"", R"({"type":"response.output_text.delta","delta":"","item_id":"more"})"}));
}

TEST(LlmResponsesStream, WrongTypesDoNotHurt) {
  for (const char* data : {R"({"type":7})", R"({"type":"response.output_text.delta","delta":7})", R"({"type":"response.completed","response":7})",
                           R"({"type":"response.completed","response":{"status":"completed","output":7,"usage":"x","error":7}})",
                           R"({"type":"response.completed","response":{"output":[7,{"type":"message","content":[7,{"text":null}]}]}})",
                           R"({"type":"response.output_item.done","item":7})", R"({"type":"error"})", R"({})",
                           R"({"type":"response.output_text.done","sequence_number":"x"})"}) {
    ResponsesStream stream(kSettings, true);
    EXPECT_TRUE(stream.on_event({"", data}).has_value()) << data;
  }
  for (const char* data : {"", "7", "[1]", "{", "null", "nonsense"}) {
    ResponsesStream stream(kSettings, true);
    EXPECT_FALSE(stream.on_event({"", data}).has_value()) << data;
  }
}

RC_GTEST_PROP(LlmResponsesStreamProperty, DeltasOfAnySizeGiveTheSameText, ()) {
  const std::string text = *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  ResponsesStream stream(kSettings, true);
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = *rc::gen::inRange<std::size_t>(1, 9);
    const json::object delta{{"type", "response.output_text.delta"}, {"item_id", "i"}, {"delta", text.substr(at, length)}};
    const auto update = stream.on_event({"", json::serialize(delta)});
    RC_ASSERT(update.has_value());
    shown += update->text;
    at += length;
  }
  RC_ASSERT(shown == text);
  RC_ASSERT(stream.partial().text == text);
}

RC_GTEST_PROP(LlmResponsesStreamProperty, AnyOrderAndRepetitionOfEventsIsSurvived, ()) {
  const auto events = example_events();
  ResponsesStream stream(kSettings, *rc::gen::arbitrary<bool>());
  const auto order = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, events.size()));
  for (const std::size_t i : order) RC_ASSERT(stream.on_event({"", events[i]}).has_value());
  RC_ASSERT(stream.on_event({"", events.back()}).has_value());
  RC_ASSERT(stream.result()->text == R"({"risk":"Frost"})");
}

RC_GTEST_PROP(LlmExchangeProperty, BytesMaySplitAnywhere, ()) {
  std::string bytes;
  for (const std::string& data : example_events()) bytes += "data: " + data + "\n\n";
  ResponsesStream stream(kSettings, true);
  const SteadyTime now{};
  Exchange exchange(kSettings, stream, true, now);
  exchange.on_head({200, {{"content-type", "text/event-stream; charset=utf-8"}}}, now);
  std::string shown;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = *rc::gen::inRange<std::size_t>(1, 400);
    shown += exchange.on_body(bytes.substr(at, length), now).text;
    at += length;
  }
  RC_ASSERT(exchange.over());
  RC_ASSERT(!exchange.failure());
  RC_ASSERT(shown == R"({"risk":"Frost"})");
}

RC_GTEST_PROP(LlmExchangeProperty, GarbageNeverGivesAResult, (const std::string& garbage)) {
  for (const char* type : {"text/event-stream", "application/json", "text/html"}) {
    ResponsesStream stream(kSettings, true);
    const SteadyTime now{};
    Exchange exchange(kSettings, stream, true, now);
    exchange.on_head({200, {{"content-type", type}}}, now);
    exchange.on_body(garbage, now);
    exchange.on_end({}, now);
    RC_ASSERT(exchange.over());
    RC_ASSERT(exchange.failure().has_value());
  }
}

TEST(LlmChatStream, FinishReasonsAndErrors) {
  const auto run = [](const std::vector<std::string>& events, bool clean_end = false) {
    ChatStream stream(kSettings);
    for (const std::string& data : events) EXPECT_TRUE(stream.on_event({"", data}).has_value()) << data;
    if (clean_end) stream.on_end();
    return stream.result();
  };
  const std::string hello = R"({"id":"c","choices":[{"delta":{"content":"Hello","reasoning_content":"hm"}}]})";
  const auto stop = [](const std::string& reason) { return R"({"choices":[{"delta":{},"finish_reason":")" + reason + "\"}]}"; };
  EXPECT_EQ(run({hello, stop("stop"), "[DONE]"})->status, "completed");
  EXPECT_EQ(run({hello, stop("stop"), "[DONE]"})->reasoning, "hm");
  EXPECT_EQ(run({hello, stop("stop")}, true)->text, "Hello");
  EXPECT_FALSE(run({hello, stop("stop")}).has_value());
  EXPECT_FALSE(run({hello, "[DONE]"}).has_value());
  EXPECT_FALSE(run({hello}, true).has_value());
  EXPECT_EQ(run({hello, stop("length"), "[DONE]"})->incomplete_reason, "max_output_tokens");
  EXPECT_EQ(run({hello, stop("content_filter"), "[DONE]"})->incomplete_reason, "content_filter");
  EXPECT_EQ(run({hello, stop("error"), "[DONE]"})->status, "failed");
  const auto failed = run({hello, R"({"error":{"code":502,"message":"upstream"},"choices":[{"delta":{},"finish_reason":"error"}]})"});
  EXPECT_EQ(failed->status, "failed");
  EXPECT_EQ(failed->error->code, "502");
  EXPECT_EQ(run({R"({"choices":[{"delta":{"refusal":"No."}}]})", stop("stop"), "[DONE]"})->refusal, "No.");
}

TEST(LlmModelResponse, ErrorsOfManyShapes) {
  const auto read = [](const char* text) { return read_provider_error(json::parse(text)); };
  EXPECT_EQ(read(R"({"error":{"code":"a","message":"b","type":"c","param":"d"}})"), (ProviderError{"a", "c", "b", "d"}));
  EXPECT_EQ(read(R"([{"error":{"code":503,"message":"b"}}])"), (ProviderError{"503", "", "b", ""}));
  EXPECT_EQ(read(R"({"error":"plain"})"), (ProviderError{"", "", "plain", ""}));
  EXPECT_EQ(read(R"({"detail":"fast"})"), (ProviderError{"", "", "fast", ""}));
  EXPECT_EQ(read(R"({"type":"error","code":"x","message":"m","param":null})"), (ProviderError{"x", "", "m", ""}));
  for (const char* none : {"null", "7", "[]", "{}", R"({"error":null})"}) EXPECT_FALSE(read(none).has_value()) << none;
}

TEST(LlmModelResponse, UnrelatedJsonIsNoResponse) {
  EXPECT_FALSE(read_response(json::parse(R"({"hello":1})")).has_value());
  EXPECT_FALSE(read_response(json::parse("[]")).has_value());
  EXPECT_FALSE(read_chat_completion(json::parse(R"({"choices":[]})")).has_value());
}

}  // namespace
}  // namespace planexe::llm
