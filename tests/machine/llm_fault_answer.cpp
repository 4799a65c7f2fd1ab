// The faults of what a model says, and of how the events say it.
#include "llm_machine_harness.hpp"

namespace planexe::llm::test {
namespace {

constexpr auto kGood = R"({"risk":"Frost"})";

json::object delta(const std::string& item, const std::string& text) {
  return {{"type", "response.output_text.delta"}, {"item_id", item}, {"delta", text}};
}

TEST(LlmFault, UnknownEventsAreCountedAndIgnored) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  const auto events = answer_events("r", kGood);
  h.body(events[0]);
  h.body(event({{"type", "response.mystery.delta"}, {"delta", "zzz"}}));
  h.body(event({{"type", "keepalive"}}));
  for (std::size_t i = 1; i < events.size(); ++i) h.body(events[i]);
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.records[0].counters.at("unknown_events").to_number<int>(), 2);
  EXPECT_EQ(h.shown, kGood);
}

TEST(LlmFault, OddOrderIsAcceptedWhenTheEndIsValid) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(event(delta("msg", "x")));                                              // before anything was added
  h.body(event({{"type", "response.output_item.added"}, {"output_index", 77}, {"item", json::object{{"id", "msg"}}}}));
  h.body(event({{"type", "response.output_item.added"}, {"output_index", 3}, {"item", json::object{{"id", "msg"}}}}));
  h.body(event({{"type", "response.completed"}, {"response", response_object("r", kGood)}}));
  EXPECT_TRUE(h.ok());
}

TEST(LlmFault, InterleavedItemsAreNotMixed) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  json::object response = response_object("r", "");
  const auto message = [](const std::string& id, const std::string& text) {
    return json::object{{"type", "message"}, {"id", id}, {"content", json::array{json::object{{"type", "output_text"}, {"text", text}}}}};
  };
  response["output"] = json::array{message("a", R"({"risk":)"), message("b", R"("Frost"})")};
  for (const auto& [item, text] : std::vector<std::pair<std::string, std::string>>{{"a", "{\"ri"}, {"b", "\"Fr"}, {"a", "sk\":"}, {"b", "ost\"}"}}) {
    h.body(event(delta(item, text)));
  }
  h.body(event({{"type", "response.output_text.done"}, {"item_id", "a"}, {"text", R"({"risk":)"}}));
  h.body(event({{"type", "response.completed"}, {"response", response}}));
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.shown, kGood);
  EXPECT_EQ(h.records[0].text, kGood);
}

TEST(LlmFault, FinalTextWinsOverDeltas) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  h.body(event(delta("msg_r", R"({"risk":"Wrong"})")));
  h.body(event({{"type", "response.completed"}, {"response", response_object("r", kGood)}}));
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->value.at("risk").as_string(), "Frost");
  EXPECT_EQ(h.records[0].counters.at("text_mismatches").to_number<int>(), 1);
}

TEST(LlmFault, NumbersMissingDoubledAndWithGaps) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  const auto numbered = [](int number, const std::string& text) {
    json::object object = delta("msg_r", text);
    object["sequence_number"] = number;
    return event(object);
  };
  h.body(numbered(0, R"({"ri)") + numbered(0, R"({"ri)") + numbered(5, R"(sk":)") + event(delta("msg_r", R"("Fro)")) +
         numbered(3, "zzz") + numbered(6, R"(st"})"));
  h.body(event({{"type", "response.completed"}, {"sequence_number", 7}, {"response", response_object("r", kGood)}}));
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.shown, kGood);
  EXPECT_EQ(h.records[0].counters.at("duplicate_events").to_number<int>(), 2);
  EXPECT_EQ(h.records[0].counters.at("sequence_gaps").to_number<int>(), 1);
  EXPECT_EQ(h.records[0].last_event_sequence, 7);
}

TEST(LlmFault, DoneMarkerCountsOnlyAsTheWholeData) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.head(200);
  const std::string text = R"({"risk":"[DONE]"})";
  h.body("data: [DONE] not yet\n\n");
  EXPECT_EQ(h.records.size(), 1U);   // no JSON: a protocol error
  h.until_sent(2);
  h.head(200);
  h.body(joined(answer_events("r", text)) + "data: [DONE]\n\n");
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->value.at("risk").as_string(), "[DONE]");
}

json::object cut_response(const std::string& text, bool message = true) {
  json::object response = response_object("r", text, "incomplete");
  response["incomplete_details"] = json::object{{"reason", "max_output_tokens"}};
  if (!message) response["output"] = json::array{json::object{{"type", "reasoning"}, {"id", "rs"}, {"summary", json::array{}}}};
  return response;
}

TEST(LlmFault, CutAnswerGetsTwiceTheBudgetOnce) {
  for (const bool message : {true, false}) {
    for (const char* type : {"response.incomplete", "response.completed"}) {
      Harness h;
      CallSpec spec = Harness::default_spec();
      spec.max_output_tokens = 5'000;
      h.start(spec);
      h.until_sent(1);
      EXPECT_EQ(h.request(0).at("max_output_tokens").to_number<int>(), 5'000);
      h.answer_with(cut_response(R"({"risk":"Fro)", message), type);
      h.until_sent(2);
      EXPECT_EQ(h.starts[1].reason, AttemptReason::budget);
      EXPECT_EQ(h.request(1).at("max_output_tokens").to_number<int>(), 10'000);
      EXPECT_EQ(h.starts[0].request_hash, h.starts[1].request_hash);
      h.answer_with(cut_response(R"({"risk":"Fro)", message), type);
      ASSERT_TRUE(h.outcome);
      EXPECT_EQ(h.code(), ErrorCode::OutputTruncated);
      EXPECT_EQ(h.records[0].status, "failed");
      EXPECT_FALSE(h.records[0].usage.estimated);
    }
  }
}

TEST(LlmFault, AtTheCapTheEffortSinksThenTheNextModelIsAsked) {
  Harness h;
  h.add_model("m2", "other");
  h.catalogue.models[0].max_output_tokens = 4'000;
  h.start();
  h.until_sent(1);
  EXPECT_EQ(h.request(0).at("max_output_tokens").to_number<int>(), 4'000);
  h.answer_with(cut_response(""));
  h.until_sent(2);
  EXPECT_EQ(h.request(1).at("reasoning").at("effort").as_string(), "low");
  h.answer_with(cut_response(""));
  h.until_sent(3);
  EXPECT_EQ(h.sent_to[2], "m2");
}

TEST(LlmFault, AWishedBudgetStays) {
  Harness h;
  CallSpec spec = Harness::default_spec();
  spec.max_output_tokens = 700;
  spec.fixed_budget = true;
  h.start(spec);
  h.until_sent(1);
  EXPECT_EQ(h.request(0).at("max_output_tokens").to_number<int>(), 700);
  h.answer_with(cut_response(""));
  h.until_sent(2);
  EXPECT_EQ(h.request(1).at("max_output_tokens").to_number<int>(), 700);
  EXPECT_EQ(h.request(1).at("reasoning").at("effort").as_string(), "low");
  h.answer_with(cut_response(""));
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::OutputTruncated);
}

TEST(LlmFault, ContentFilterAsksOneOtherModelAtMost) {
  Harness h;
  h.add_model("m2", "other");
  h.add_model("m3", "third");
  json::object response = response_object("r", "", "incomplete");
  response["incomplete_details"] = json::object{{"reason", "content_filter"}};
  h.start();
  h.until_sent(1);
  h.answer_with(response, "response.incomplete");
  h.until_sent(2);
  EXPECT_EQ(h.sent_to[1], "m2");
  h.answer_with(response, "response.incomplete");
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::ContentFiltered);
  EXPECT_EQ(h.sent.size(), 2U);
}

TEST(LlmFault, RefusalAsPartAndAsStream) {
  json::object response = response_object("r", "");
  response["output"] = json::array{json::object{{"type", "message"}, {"id", "m"},
                                                {"content", json::array{json::object{{"type", "refusal"}, {"refusal", "I cannot."}}}}}};
  for (const bool stream : {true, false}) {
    Harness h;
    int judged = 0;
    h.start(Harness::default_spec(), [&](std::string_view, const json::array&, bool) {
      ++judged;
      return Judgement{};
    });
    h.until_sent(1);
    h.head(200);
    if (stream) {
      h.body(event({{"type", "response.refusal.delta"}, {"item_id", "m"}, {"delta", "I can"}}));
      h.body(event({{"type", "response.refusal.done"}, {"item_id", "m"}, {"refusal", "I cannot."}}));
      json::object bare = response;
      bare.erase("output");
      h.body(event({{"type", "response.completed"}, {"response", bare}}));
    } else {
      h.body(event({{"type", "response.completed"}, {"response", response}}));
    }
    ASSERT_TRUE(h.outcome);
    EXPECT_EQ(h.code(), ErrorCode::ModelRefused);
    EXPECT_EQ(h.records[0].refusal, "I cannot.");
    EXPECT_EQ(judged, 0);
    EXPECT_EQ(h.shown, "");
  }
}

TEST(LlmFault, EmptyAnswerIsRepairedNotAccepted) {
  Harness h;
  h.start();
  h.until_sent(1);
  h.answer_with(response_object("r", " \n"));
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::repair);
  EXPECT_NE(h.records[0].error->message.find("empty"), std::string::npos);
  json::object none = response_object("r2", "");
  none["output"] = json::array{};
  h.answer_with(none);
  h.until_sent(3);
  h.answer("r3", kGood);
  EXPECT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->repairs, 2);
}

TEST(LlmFault, RepairFailsTwiceThenTheNextModelThenTheEnd) {
  Harness h;
  h.add_model("m2", "other");
  h.start();
  for (std::size_t i = 1; i <= 6; ++i) {
    h.until_sent(i);
    EXPECT_EQ(h.sent_to.back(), i <= 3 ? "m1" : "m2");
    h.answer("r" + std::to_string(i), R"({"nothing":1})");
  }
  ASSERT_TRUE(h.outcome);
  EXPECT_EQ(h.code(), ErrorCode::SchemaRepairExhausted);
  EXPECT_EQ(h.reasons(), (std::vector<AttemptReason>{AttemptReason::first, AttemptReason::repair, AttemptReason::repair,
                                                     AttemptReason::fallback, AttemptReason::repair, AttemptReason::repair}));
  // The next model starts afresh.
  EXPECT_EQ(h.request(3).at("input").as_array().size(), 2U);
  EXPECT_NE(h.outcome->error->message.find("/risk: missing"), std::string::npos);
  for (const AttemptRecord& record : h.records) EXPECT_EQ(record.status, "failed");
}

TEST(LlmFault, FailedOutputIsSentBackShortened) {
  Harness h;
  h.store = false;
  h.start();
  h.until_sent(1);
  h.answer("r", "{\"x\":\"" + std::string(100'000, 'y') + "\"}");
  h.until_sent(2);
  const json::value body = h.request(1);
  const auto& said = body.at("input").as_array()[2].at("content").as_array()[0];
  EXPECT_EQ(said.at("type").as_string(), "output_text");
  EXPECT_EQ(said.at("text").as_string().size(), 16'384U);
}

Judge list_judge(std::size_t wanted, std::size_t enough) {
  return [=](std::string_view text, const json::array& kept, bool last) {
    Judgement judgement;
    const auto parsed = parse_json(text);
    judgement.kept = kept;
    if (const json::array* items = parsed ? get_array(*parsed, "items") : nullptr) {
      for (const json::value& item : *items) judgement.kept.push_back(item);
    }
    judgement.value = json::object{{"items", judgement.kept}};
    judgement.partial = judgement.kept.size() < wanted;
    judgement.degraded = last && judgement.partial && judgement.kept.size() >= enough;
    judgement.accepted = !judgement.partial || judgement.degraded;
    judgement.error = "/items: too few";
    judgement.feedback = "Give the missing items only";
    return judgement;
  };
}

TEST(LlmFault, PartialListsAreCompletedByWhatIsMissing) {
  Harness h;
  h.start(Harness::default_spec(), list_judge(5, 4));
  h.until_sent(1);
  h.answer("r1", R"({"items":[1,2]})");
  h.until_sent(2);
  EXPECT_EQ(h.starts[1].reason, AttemptReason::repair);
  h.answer("r2", R"({"items":[3]})");
  h.until_sent(3);
  h.answer("r3", R"({"items":[4,5]})");
  ASSERT_TRUE(h.ok());
  EXPECT_FALSE(h.outcome->degraded);
  EXPECT_EQ(h.outcome->value.at("items").as_array().size(), 5U);
}

TEST(LlmFault, PartialListIsAcceptedDegradedOnlyAtTheEnd) {
  Harness h;
  h.start(Harness::default_spec(), list_judge(5, 4));
  for (std::size_t i = 1; i <= 3; ++i) {
    h.until_sent(i);
    h.answer("r" + std::to_string(i), i == 1 ? R"({"items":[1,2,3,4]})" : R"({"items":[]})");
  }
  ASSERT_TRUE(h.ok());
  EXPECT_TRUE(h.outcome->degraded);
  EXPECT_EQ(h.sent.size(), 3U);
}

TEST(LlmFault, PartialListSurvivesALaterFailure) {
  Harness h;
  h.start(Harness::default_spec(), list_judge(5, 4));
  h.until_sent(1);
  h.answer("r1", R"({"items":[1,2,3,4]})");
  h.until_sent(2);
  h.error(401, {{"message", "no"}});
  ASSERT_TRUE(h.ok());
  EXPECT_TRUE(h.outcome->degraded);
  EXPECT_EQ(h.outcome->value.at("items").as_array().size(), 4U);
}

TEST(LlmFault, NextModelGetsThePartialListToo) {
  Harness h;
  h.add_model("m2", "other");
  h.start(Harness::default_spec(), list_judge(5, 6));
  for (std::size_t i = 1; i <= 3; ++i) {
    h.until_sent(i);
    h.answer("r" + std::to_string(i), i == 1 ? R"({"items":[1,2,3,4]})" : R"({"items":[]})");
  }
  h.until_sent(4);
  EXPECT_EQ(h.sent_to[3], "m2");
  EXPECT_GT(h.request(3).at("input").as_array().size(), 2U);
  h.answer("r4", R"({"items":[5]})");
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.outcome->value.at("items").as_array().size(), 5U);
}

TEST(LlmFault, UsageMissingBareOrHuge) {
  const auto run = [](const json::value& usage) {
    Harness h;
    h.start();
    h.until_sent(1);
    json::object response = response_object("r", kGood);
    response["usage"] = usage;
    h.answer_with(response);
    EXPECT_TRUE(h.ok());
    return h.records.at(0);
  };
  const AttemptRecord missing = run(nullptr);
  EXPECT_TRUE(missing.usage.estimated);
  EXPECT_GT(missing.usage.input_tokens, 0);
  EXPECT_GT(missing.usage.output_tokens, 0);
  const AttemptRecord bare = run(json::object{{"input_tokens", 10}, {"output_tokens", 5}});
  EXPECT_FALSE(bare.usage.estimated);
  EXPECT_EQ(bare.cost_micros, 20);
  const AttemptRecord huge = run(json::object{{"input_tokens", 1e30}, {"output_tokens", 18446744073709551615ULL}});
  EXPECT_EQ(huge.usage.input_tokens, 1'000'000'000'000);
  EXPECT_GT(huge.cost_micros.value(), 0);
  const AttemptRecord negative = run(json::object{{"input_tokens", -5}, {"output_tokens", -1},
                                                  {"input_tokens_details", json::object{{"cached_tokens", 99}}}});
  EXPECT_EQ(negative.cost_micros, 0);
}

TEST(LlmFault, SameCallGivesTheSameRequestWhateverHappensAround) {
  const auto first_request = [](int noise) {
    Harness h;
    h.random = Random(static_cast<std::uint64_t>(noise));
    CallSpec other = Harness::default_spec();
    other.plan_id = "another";
    for (int i = 0; i < noise; ++i) {
      h.outcome.reset();
      h.start(other);
      h.until_sent(static_cast<std::size_t>(i) + 1);
      h.answer("r", kGood);
    }
    h.outcome.reset();
    CallSpec spec = Harness::default_spec();
    spec.schema_name = "other_kind";
    h.start(spec);
    h.until_sent(static_cast<std::size_t>(noise) + 1);
    return std::pair(h.sent.back().body, h.starts.back().request_hash);
  };
  EXPECT_EQ(first_request(0), first_request(3));
}

TEST(LlmFault, AtMostEightAttempts) {
  Harness h;
  h.settings.breaker_failures_in_row = 100;
  h.settings.breaker_attempts_min = 100;
  h.add_model("m2", "other");
  h.add_model("m3", "third");
  h.add_model("m4", "fourth");
  h.start();
  std::size_t count = 0;
  while (!h.outcome && count < 50) {
    h.until_sent(++count);
    if (h.outcome) break;
    // Failures of every kind in turn.
    if (count % 3 == 0) h.error(500, {{"message", "no"}});
    else if (count % 3 == 1) h.answer("r", "{}");
    else h.end(TransferEnd::Kind::broken);
  }
  EXPECT_EQ(h.sent.size(), 8U);
  EXPECT_LE(h.outcome->attempts, 8);
}

TEST(LlmFault, ChatCompletionsGiveTheSameOutcome) {
  Harness h;
  h.catalogue.models[0].transport = "chat";
  h.start();
  h.until_sent(1);
  EXPECT_EQ(h.sent[0].path, "/chat/completions");
  h.head(200);
  const auto chunk = [](const std::string& text, const json::value& reason) {
    return "data: " + json::serialize(json::object{{"id", "chat_1"}, {"model", "m"},
                                                   {"choices", json::array{json::object{{"index", 0}, {"delta", json::object{{"content", text}}},
                                                                                        {"finish_reason", reason}}}}}) + "\n\n";
  };
  h.body(": OPENROUTER PROCESSING\n\n" + chunk("{\"risk\":", nullptr) + chunk("\"Frost\"}", nullptr) + chunk("", "stop"));
  h.body(R"(data: {"id":"chat_1","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":7}})" "\n\ndata: [DONE]\n\n");
  ASSERT_TRUE(h.ok());
  EXPECT_EQ(h.records[0].usage.input_tokens, 12);
  EXPECT_FALSE(h.outcome->stored);
}

}  // namespace
}  // namespace planexe::llm::test
