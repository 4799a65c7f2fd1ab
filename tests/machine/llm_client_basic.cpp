// The client over real sockets: the ordinary way, repair, chains, cancelling.
#include "llm_client_fixture.hpp"

namespace planexe::llm::test {
namespace {

Reply answer(const std::string& id, const std::string& text) { return {write(chunked_answer(id, text))}; }

TEST_F(ClientTest, StreamsAnAnswer) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) { return answer("resp_1", R"({"risk":"Frost"})"); });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome && host->outcome->ok) << (host->outcome->error ? to_string(*host->outcome->error) : "");
  EXPECT_EQ(host->outcome->value, json::parse(R"({"risk":"Frost"})"));
  EXPECT_EQ(host->text, R"({"risk":"Frost"})");
  EXPECT_EQ(host->outcome->response_id, "resp_1");
  EXPECT_TRUE(host->outcome->stored);
  ASSERT_EQ(host->records.size(), 1U);
  const AttemptRecord& record = host->records[0];
  EXPECT_EQ(record.status, "completed");
  EXPECT_EQ(record.usage.input_tokens, 100);
  EXPECT_EQ(record.usage.cached_input_tokens, 40);
  // 60 * 1 + 40 * 0.1 + 20 * 2 micro-dollars
  EXPECT_EQ(record.cost_micros, 104);
  ASSERT_EQ(host->response_ids.size(), 1U);
  EXPECT_EQ(host->response_ids[0].second, "resp_1");
  EXPECT_EQ(host->outcome->transcript.size(), 3U);
  EXPECT_EQ(host->outcome->transcript.back().parts, std::vector<std::string>{R"({"risk":"Frost"})"});

  const SeenRequest& request = server.requests.at(0);
  EXPECT_EQ(request.target, "/v1/responses");
  EXPECT_EQ(request.headers.at("authorization"), "Bearer sk-test-0123456789abcdef");
  const json::value body = request.parsed();
  EXPECT_EQ(get_bool(body, "stream"), true);
  EXPECT_EQ(body.at("metadata").at("call").as_string(), "plan/one/main");
  EXPECT_EQ(body.at("reasoning").at("effort").as_string(), "low");
  EXPECT_EQ(body.at("input").as_array().size(), 2U);
  EXPECT_EQ(body.at("input").as_array()[1].at("content").as_array().size(), 2U);
}

TEST_F(ClientTest, RetriesAServerError) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return index == 0 ? Reply{write(http(500, "", "<html>oops</html>"))} : answer("resp_2", R"({"risk":"Rain"})");
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  ASSERT_EQ(host->records.size(), 2U);
  EXPECT_EQ(host->records[0].status, "failed");
  EXPECT_TRUE(host->records[0].will_retry);
  EXPECT_EQ(host->records[0].http_status, 500);
  EXPECT_EQ(host->records[1].reason, AttemptReason::retry);
  EXPECT_EQ(host->outcome->retries, 1);
}

TEST_F(ClientTest, RepairsById) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return answer("resp_" + std::to_string(index), index == 0 ? R"({"risk":"bad"})" : R"({"risk":"Rain"})");
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->outcome->repairs, 1);
  const json::value body = server.requests.at(1).parsed();
  EXPECT_EQ(body.at("previous_response_id").as_string(), "resp_0");
  ASSERT_EQ(body.at("input").as_array().size(), 1U);
  EXPECT_EQ(body.at("input").as_array()[0].at("content").as_array()[0].at("text").as_string(), "Fix these: /risk: a text is wanted");
  ASSERT_EQ(host->starts.size(), 2U);
  EXPECT_EQ(host->starts[1].reason, AttemptReason::repair);
  EXPECT_EQ(host->starts[1].extra_messages.size(), 2U);
  EXPECT_EQ(host->outcome->transcript.size(), 5U);
}

TEST_F(ClientTest, RepairsByTranscriptWithoutStore) {
  store_ = false;
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return answer("resp_" + std::to_string(index), index == 0 ? R"({"risk":"bad"})" : R"({"risk":"Rain"})");
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_FALSE(host->outcome->stored);
  const json::value body = server.requests.at(1).parsed();
  EXPECT_EQ(find(body, "previous_response_id"), nullptr);
  EXPECT_EQ(get_bool(body, "store"), false);
  EXPECT_EQ(body.at("input").as_array().size(), 4U);
  EXPECT_EQ(body.at("include").as_array()[0].as_string(), "reasoning.encrypted_content");
}

TEST_F(ClientTest, ACallThatIsNotToBeStoredIsNot) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return answer("resp_" + std::to_string(index), index == 0 ? R"({"risk":"bad"})" : R"({"risk":"Rain"})");
  });
  add_model("m1", server.base_url()).caps.background = "always";
  CallSpec call = spec();
  call.store = false;
  const auto host = ask(call);
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_FALSE(host->outcome->stored);
  for (const std::size_t index : {0U, 1U}) {
    const json::value body = server.requests.at(index).parsed();
    EXPECT_EQ(get_bool(body, "store"), false);
    EXPECT_EQ(find(body, "background"), nullptr) << "a background response would be kept";
    EXPECT_EQ(find(body, "previous_response_id"), nullptr);
  }
}

/// Cancels its call as soon as it has an answer, as a run does that has lost its lease.
struct CancellingHost : RecordingHost {
  std::function<void()> cancel;
  void response_id(int attempt, const std::string& id) override {
    RecordingHost::response_id(attempt, id);
    cancel();
  }
};

TEST_F(ClientTest, TheJudgeOfACancelledCallIsNotAskedAnyMore) {
  // Its chunks come in one packet, so the end is heard in the same turn of the loop as the beginning.
  ScriptedServer& server =
      serve([&](const SeenRequest&, std::size_t) { return Reply{write(chunked_answer("resp_1", R"({"risk":"rain"})"))}; });
  add_model("m1", server.base_url());
  int judged = 0;
  const auto host = std::make_shared<CancellingHost>();
  host->cancel = [&] { client().cancel(last_id_); };
  last_id_ = client().start(spec(), [&](std::string_view given, const json::array& kept, bool last) {
    ++judged;
    return risk_judge()(given, kept, last);
  }, host);
  run_until([&] { return host->outcome.has_value(); });
  EXPECT_EQ(judged, 0);
  EXPECT_EQ(host->outcome->error->code, ErrorCode::Cancelled);
  EXPECT_EQ(host->finished_count, 1);
  EXPECT_EQ(client().active(), 0U);
}

TEST_F(ClientTest, CancelsWithin100Milliseconds) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) {
    return Reply{write(stream_head()), write(answer_events("resp_1", "long text")[0]), pause_for(3'000), write("x")};
  });
  add_model("m1", server.base_url());
  const auto host = start(spec());
  run_until([&] { return !host->response_ids.empty(); });
  const auto asked = std::chrono::steady_clock::now();
  client().cancel(last_id_);
  run_until([&] { return host->outcome.has_value(); });
  EXPECT_LT(host->finished_at - asked, std::chrono::milliseconds(100));
  EXPECT_EQ(host->outcome->error->code, ErrorCode::Cancelled);
  ASSERT_EQ(host->records.size(), 1U);
  EXPECT_EQ(host->records[0].status, "cancelled");
  EXPECT_EQ(client().active(), 0U);
  run_for(50);
  EXPECT_EQ(server.requests.size(), 1U);
}

}  // namespace
}  // namespace planexe::llm::test
