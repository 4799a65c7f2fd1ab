#include <gtest/gtest.h>

#include "base/text.hpp"
#include "engine/reasoning_lines.hpp"
#include "server/limits.hpp"
#include "server/progress/client_message.hpp"
#include "server/progress/client_queue.hpp"
#include "server/progress/feed_start.hpp"
#include "server/progress/running_texts.hpp"
#include "server/progress/snapshot_view.hpp"
#include "support/contract_schema.hpp"

namespace planexe::server {
namespace {

using namespace std::chrono_literals;
constexpr ClientQueue::Time kStart{};

ProgressMessage sized(std::int64_t seq, std::size_t bytes = 10) {
  return {seq, "log", true, std::make_shared<const std::string>(bytes, 'x')};
}

void overflow(ClientQueue& queue, ClientQueue::Time now) {
  for (std::size_t i = 0; i <= limits::kClientMessagesMax; ++i) queue.push(sized(1), now);
}

TEST(ServerProgressQueue, GivesWhatItTookInOrder) {
  ClientQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.pop());
  EXPECT_FALSE(queue.first_seq());
  for (const std::int64_t seq : {3, 5, 9}) queue.push(sized(seq, 100), kStart);
  EXPECT_EQ(queue.first_seq(), 3);
  EXPECT_EQ(queue.bytes(), 300U);
  EXPECT_EQ(queue.pop()->seq, 3);
  EXPECT_EQ(queue.pop()->seq, 5);
  EXPECT_EQ(queue.bytes(), 100U);
  EXPECT_EQ(queue.pop()->seq, 9);
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(queue.dropped(), 0);
}

TEST(ServerProgressQueue, HoldsAsManyMessagesAsTheContractSaysAndDropsAllWithTheNext) {
  ClientQueue queue;
  for (std::size_t i = 0; i < 1024; ++i) queue.push(sized(static_cast<std::int64_t>(i)), kStart);
  EXPECT_EQ(queue.size(), 1024U);
  EXPECT_EQ(queue.dropped(), 0);
  queue.push(sized(1024), kStart);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.dropped(), 1025);
  queue.push(sized(1025), kStart);
  EXPECT_EQ(queue.dropped(), 1026) << "until the snapshot is begun, what comes is dropped, too";
  queue.begin_snapshot();
  queue.push(sized(1026), kStart);
  EXPECT_EQ(queue.first_seq(), 1026);
  EXPECT_EQ(queue.dropped(), 0);
}

TEST(ServerProgressQueue, HoldsFourMebibytesAndNotAByteMore) {
  constexpr std::size_t kMax = std::size_t{4} << 20U;
  ClientQueue queue;
  queue.push(sized(1, kMax - 1), kStart);
  queue.push(sized(2, 1), kStart);
  EXPECT_EQ(queue.size(), 2U);
  queue.push(sized(3, 1), kStart);
  EXPECT_EQ(queue.dropped(), 3);
  EXPECT_EQ(queue.bytes(), 0U);
  queue.begin_snapshot();
  queue.push(sized(4, kMax + 1), kStart);
  EXPECT_EQ(queue.dropped(), 1) << "one message that is too large alone";
}

TEST(ServerProgressQueue, TheThirdOverflowWithinAMinuteIsTooSlow) {
  ClientQueue queue;
  overflow(queue, kStart);
  queue.begin_snapshot();
  overflow(queue, kStart + 30s);
  queue.begin_snapshot();
  EXPECT_FALSE(queue.too_slow());
  overflow(queue, kStart + 60s);
  EXPECT_TRUE(queue.too_slow());
}

TEST(ServerProgressQueue, OverflowsOlderThanAMinuteDoNotCount) {
  ClientQueue queue;
  for (int i = 0; i < 10; ++i) {
    overflow(queue, kStart + i * 31s);
    queue.begin_snapshot();
  }
  EXPECT_FALSE(queue.too_slow());
  overflow(queue, kStart + 9 * 31s + 1s);
  EXPECT_TRUE(queue.too_slow());
}

TEST(ServerProgressQueue, MessagesLostWhileOneSnapshotIsDueAreOneOverflow) {
  ClientQueue queue;
  queue.overflow(7, kStart);
  queue.overflow(5, kStart);
  queue.overflow(1, kStart);
  EXPECT_EQ(queue.dropped(), 13);
  EXPECT_FALSE(queue.too_slow());
}

TEST(ServerProgressClientMessage, WhatAClientMaySay) {
  EXPECT_EQ(read_client_message(R"({"type":"ping"})"), ClientMessage::heartbeat);
  EXPECT_EQ(read_client_message(R"( {"more":[1],"type":"snapshot"} )"), ClientMessage::snapshot);
  EXPECT_EQ(read_client_message(R"({"type":"heartbeat_response","timestamp":"x"})"), ClientMessage::nothing);
  EXPECT_EQ(read_client_message(R"({"type":"command","command":"stop"})"), ClientMessage::nothing);
}

TEST(ServerProgressClientMessage, EverythingElseIsMalformed) {
  for (const auto* text : {"", " ", "{", "[]", "null", "7", "\"ping\"", "{}", R"({"type":null})", R"({"type":7})", R"({"type":"fly"})",
                           R"({"type":"PING"})", R"({"type":"ping","type":"ping"})", R"({"type":"ping"} x)", R"([{"type":"ping"}])",
                           "{\"type\":\"ping\xFF\"}"})
    EXPECT_EQ(read_client_message(text), ClientMessage::malformed) << text;
  std::string deep(200, '[');
  EXPECT_EQ(read_client_message(deep + std::string(200, ']')), ClientMessage::malformed);
}

TEST(ServerProgressMessage, HasTheCommonFieldsAndThoseOfItsKind) {
  const engine::Event event{17, "log", TimePoint(1'767'258'000'123ms), {{"message", "a \"b\"\n</script>"}, {"level", "info"}, {"task_key", nullptr}}, 0};
  const auto message = progress_message("PlanExe_1", event);
  EXPECT_EQ(message.seq, 17);
  EXPECT_EQ(message.type, "log");
  EXPECT_TRUE(message.numbered);
  const auto value = parse_json(*message.text);
  ASSERT_TRUE(value) << *message.text;
  EXPECT_FITS(*value, "LogMessage");
  EXPECT_EQ(to_json(*value), to_json(json::object{{"type", "log"},
                                                  {"plan_id", "PlanExe_1"},
                                                  {"seq", 17},
                                                  {"timestamp", "2026-01-01T09:00:00.123Z"},
                                                  {"message", "a \"b\"\n</script>"},
                                                  {"level", "info"},
                                                  {"task_key", nullptr}}));
}

TEST(ServerProgressMessage, WithoutFieldsOfItsOwn) {
  const auto message = progress_message("heartbeat", "PlanExe_1", 5, TimePoint(0ms), {}, false);
  EXPECT_FALSE(message.numbered);
  const auto value = parse_json(*message.text);
  ASSERT_TRUE(value) << *message.text;
  EXPECT_FITS(*value, "HeartbeatMessage");
}

TEST(ServerProgressMessage, AStoredEventIsTheSameMessage) {
  const engine::Event event{9, "status", TimePoint(5ms), {{"status", "running"}, {"message", "x"}}, 3};
  store::EventRow row{9, "status", TimePoint(5ms), json::object{{"status", "running"}, {"message", "x"}}, 3};
  EXPECT_EQ(*progress_message("p", event).text, *progress_message("p", event_of(row)).text);
  row.payload = nullptr;
  EXPECT_TRUE(parse_json(*progress_message("p", event_of(row)).text)) << "a damaged row does not make a damaged message";
}

engine::Event call_event(std::int64_t interaction, std::string_view kind, std::int64_t sequence, json::object data = {}) {
  return {sequence + 1, "llm_stream", TimePoint(1000ms),
          {{"stage", "swot_analysis"}, {"interaction_id", interaction}, {"event", kind}, {"sequence", sequence}, {"data", std::move(data)}}, interaction};
}

TEST(ServerProgressTexts, ShowsRunningCallsAndForgetsEndedOnes) {
  RunningTexts texts;
  EXPECT_TRUE(texts.snapshot().empty());
  texts.take(call_event(7, "start", 0, {{"call_key", "swot_analysis/main/1"}, {"attempt", 2}, {"model", "m"}}));
  texts.take(call_event(8, "start", 0, {{"call_key", "other"}}));
  texts.take(call_event(7, "reasoning_delta", 1, {{"delta", "hm "}}));
  texts.take(call_event(7, "text_delta", 2, {{"delta", "Hel"}}));
  texts.take(call_event(7, "text_delta", 3, {{"delta", "lo"}}));
  texts.take(call_event(99, "text_delta", 3, {{"delta", "of no known call"}}));
  texts.take(call_event(8, "end", 1));
  const auto list = texts.snapshot();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_FITS(list[0], "SnapshotInteraction");
  const auto& call = list[0].as_object();
  EXPECT_EQ(call.at("interaction_id"), 7);
  EXPECT_EQ(call.at("sequence"), 3);
  EXPECT_EQ(call.at("attempt"), 2);
  EXPECT_EQ(call.at("text"), "Hello");
  EXPECT_EQ(call.at("reasoning"), "hm ");
  EXPECT_EQ(call.at("text_truncated"), false);
}

TEST(ServerProgressTexts, KeepsTheLastPartOfALongTextAtAWholeCharacter) {
  RunningTexts texts;
  texts.take(call_event(7, "start", 0));
  const std::string umlauts = [] {
    std::string text = "!";
    while (text.size() < 3 * limits::kSnapshotTextBytesMax) text += "\xC3\xBC";
    return text;
  }();
  for (std::size_t at = 0; at < umlauts.size(); at += 1001) texts.take(call_event(7, "text_delta", 1, {{"delta", umlauts.substr(at, 1001)}}));
  const auto list = texts.snapshot();
  const std::string text(list[0].as_object().at("text").as_string());
  EXPECT_LE(text.size(), limits::kSnapshotTextBytesMax);
  EXPECT_GT(text.size(), limits::kSnapshotTextBytesMax - 4);
  EXPECT_TRUE(valid_utf8(text));
  EXPECT_TRUE(umlauts.ends_with(text));
  EXPECT_EQ(list[0].as_object().at("text_truncated"), true);
}

TEST(ServerProgressSnapshot, TasksAndStatusFollowTheContract) {
  store::TaskRow task;
  task.task_key = "swot_analysis";
  task.phase = "strategic_planning";
  task.state = "failed";
  task.units_total = 3;
  task.units_failed = 1;
  task.error_code = "TASK_FAILED";
  task.error_message = "no";
  task.started_at = TimePoint(1000ms);
  const auto list = snapshot_tasks({task, store::TaskRow{}});
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].as_object().at("error").at("code"), "TASK_FAILED");
  EXPECT_EQ(list[0].as_object().at("units").at("failed"), 1);
  EXPECT_TRUE(list[0].as_object().at("duration_ms").is_null()) << "has not ended";
  EXPECT_TRUE(list[1].as_object().at("units").is_null());
  store::PlanRow plan;
  plan.status = "failed";
  plan.progress_message = "12/61 tasks completed";
  plan.error_message = "swot_analysis failed";
  const auto status = snapshot_status(plan, {{"progress", json::object{{"total", 61}}}});
  EXPECT_EQ(status.at("message"), "swot_analysis failed");
  EXPECT_EQ(status.at("progress").at("total"), 61);
  EXPECT_TRUE(status.at("error_code").is_null());
}

using Way = FeedStart::Way;

TEST(ServerProgressStart, WithoutANumberASnapshotStandsWhereTheHubStands) {
  const auto start = feed_start({.published = 100, .stored = 97});
  EXPECT_EQ(start.way, Way::snapshot);
  EXPECT_EQ(start.position, 100);
  EXPECT_FALSE(start.gap);
  EXPECT_EQ(feed_start({.stored = 97, .reserved = 4096}).position, 97) << "nothing was published in this process";
}

TEST(ServerProgressStart, FromTheRingOrTheDatabase) {
  EXPECT_EQ(feed_start({.after = 90, .published = 100, .in_ring = true, .stored = 97}).way, Way::ring);
  const auto stored = feed_start({.after = 90, .published = 100, .stored = 97});
  EXPECT_EQ(stored.way, Way::stored);
  EXPECT_EQ(stored.position, 90);
  EXPECT_EQ(stored.live_from, 100);
  EXPECT_EQ(feed_start({.after = 0, .stored = 0}).way, Way::stored) << "a plan without any event";
  EXPECT_EQ(feed_start({.after = 0, .published = 20'000, .stored = 20'000, .too_many = true}).way, Way::snapshot);
  EXPECT_TRUE(feed_start({.after = 0, .stored = 20'000, .too_many = true}).gap);
}

TEST(ServerProgressStart, ANumberThatWasNeverGivenIsAGap) {
  const auto start = feed_start({.after = 101, .published = 100, .stored = 97, .reserved = 4096});
  EXPECT_EQ(start.way, Way::snapshot);
  EXPECT_TRUE(start.gap);
  EXPECT_EQ(start.position, 100);
  EXPECT_TRUE(feed_start({.after = 5000, .stored = 97, .reserved = 4096}).gap);
  EXPECT_TRUE(feed_start({.after = INT64_MAX, .stored = 97, .ended = true}).gap);
}

TEST(ServerProgressStart, TheNumberOfADeltaThatAKilledProcessSentIsGoneOnFrom) {
  const auto start = feed_start({.after = 120, .stored = 97, .reserved = 4096});
  EXPECT_EQ(start.way, Way::stored);
  EXPECT_EQ(start.position, 120);
  EXPECT_TRUE(feed_start({.after = 120, .stored = 97, .reserved = 4096, .ended = true}).gap) << "an ended plan's last number is stored";
}

TEST(ServerProgressStart, NothingIsLeftOfAnEndedPlanOnlyAtItsLastNumber) {
  EXPECT_TRUE(feed_start({.after = 97, .stored = 97, .ended = true}).nothing_left);
  EXPECT_TRUE(feed_start({.after = 97, .published = 97, .in_ring = true, .stored = 97, .ended = true}).nothing_left);
  EXPECT_FALSE(feed_start({.after = 96, .stored = 97, .ended = true}).nothing_left);
  EXPECT_FALSE(feed_start({.after = 98, .stored = 97, .ended = true}).nothing_left);
  EXPECT_FALSE(feed_start({.after = 97, .stored = 97}).nothing_left);
  EXPECT_FALSE(feed_start({.stored = 97, .ended = true}).nothing_left);
  EXPECT_FALSE(feed_start({.after = 95, .published = 95, .in_ring = true, .stored = 97, .ended = true}).nothing_left)
      << "the end is committed and not published yet";
}

TEST(EngineReasoningLines, GivesWholeLinesAndTheRestAtTheEnd) {
  engine::ReasoningLines lines;
  EXPECT_EQ(lines.take("I think"), "");
  EXPECT_EQ(lines.take(" so.\nBut"), "I think so.\n");
  EXPECT_EQ(lines.take(" then\nagain\n"), "But then\nagain\n");
  EXPECT_EQ(lines.rest(), "");
  EXPECT_EQ(lines.take("half"), "");
  EXPECT_EQ(lines.rest(), "half");
  EXPECT_EQ(lines.rest(), "");
}

TEST(EngineReasoningLines, ALongLineIsNotWaitedFor) {
  engine::ReasoningLines lines;
  EXPECT_EQ(lines.take(std::string(299, 'x')), "");
  EXPECT_EQ(lines.take("y"), std::string(299, 'x') + "y");
}

}  // namespace
}  // namespace planexe::server
