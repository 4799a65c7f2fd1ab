// Faults of the wire that need a real socket.
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/log.hpp"
#include "base/text.hpp"
#include "llm_client_fixture.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
constexpr auto kGood = R"({"risk":"Frost"})";

Reply answer(const std::string& id, const std::string& text = kGood) { return {write(chunked_answer(id, text))}; }

TEST_F(ClientTest, ConnectionRefusedThenNextModel) {
  unsigned short closed_port = 0;
  {
    asio::ip::tcp::acceptor gone(context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    closed_port = gone.local_endpoint().port();
  }
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) { return answer("r"); });
  add_model("m1", "http://127.0.0.1:" + std::to_string(closed_port) + "/v1");
  add_model("m2", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->outcome->model, "m2");
  EXPECT_EQ(host->records.front().usage.total(), 0);
}

TEST_F(ClientTest, UnknownNameIsRetriedThenReported) {
  settings_.request_retries_max = 1;
  add_model("m1", "http://name.invalid/v1");
  const auto host = ask(spec(), risk_judge(), 20'000);
  EXPECT_FALSE(host->outcome->ok);
  EXPECT_EQ(host->outcome->error->code, ErrorCode::ProviderUnavailable);
  EXPECT_EQ(host->records.size(), 2U);
}

TEST_F(ClientTest, NoHeadersInTime) {
  settings_.headers_timeout_streaming = milliseconds(80);
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return index == 0 ? Reply{pause_for(1'000)} : answer("r");
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records[0].status, "abandoned");
}

TEST_F(ClientTest, ReusedConnectionThatWasClosedCostsNoAttempt) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    // Answers, then closes the connection that the client keeps.
    if (index == 0) return Reply{write(chunked_answer("r0", kGood)), pause_for(30), close_connection()};
    return answer("r1");
  });
  add_model("m1", server.base_url());
  ASSERT_TRUE(ask()->outcome->ok);
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records.size(), 1U);
}

TEST_F(ClientTest, ReusedConnectionThatBreaksAtTheRequestCostsNoAttempt) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return index == 1 ? Reply{reset()} : answer("r" + std::to_string(index));
  });
  add_model("m1", server.base_url());
  ASSERT_TRUE(ask()->outcome->ok);
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records.size(), 1U);
  EXPECT_EQ(server.requests.size(), 3U);
}

TEST_F(ClientTest, LostReplyOfALongRequestIsInTheLedger) {
  settings_.stale_connection_window = milliseconds(30);
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    // The second request runs, on a reused connection, and its reply is lost.
    return index == 1 ? Reply{pause_for(100), reset()} : answer("r" + std::to_string(index));
  });
  add_model("m1", server.base_url());
  ASSERT_TRUE(ask()->outcome->ok);
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  ASSERT_EQ(host->records.size(), 2U);
  EXPECT_EQ(host->records[0].status, "abandoned");
  EXPECT_TRUE(host->records[0].usage.estimated);
  EXPECT_EQ(server.requests.size(), 3U);
}

TEST_F(ClientTest, CutAfterSomeDeltas) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    if (index > 0) return answer("r1");
    const auto events = answer_events("r0", kGood, 4);
    return Reply{write(stream_head()), write(events[0] + events[1] + events[2] + events[3]), pause_for(20), reset()};
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records[0].status, "abandoned");
  EXPECT_EQ(host->records[1].reason, AttemptReason::restart);
  EXPECT_EQ(host->text_by_attempt[2], kGood);
  EXPECT_EQ(host->outcome->value.at("risk").as_string(), "Frost");
}

TEST_F(ClientTest, OneByteAtATimeWithMixedLineEnds) {
  const std::string text = R"({"risk":"Größe 東京 🚲"})";
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t) {
    std::string stream = "\xEF\xBB\xBF: hello\r\n";
    // One kind of line end per event: a lone CR before a lone LF would be a single line end.
    constexpr const char* kEnds[] = {"\n", "\r\n", "\r"};
    int n = 0;
    for (const std::string& piece : answer_events("r", text, 1)) {
      stream += replace_all(piece, "\n", kEnds[n++ % 3]);
      if (stream.ends_with('\r')) stream += ":\r";
    }
    Reply reply{write(stream_head())};
    for (const char c : stream) reply.push_back(write(std::string(1, c)));
    return reply;
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->text, text);
}

TEST_F(ClientTest, RedirectIsRefusedAndTheKeyStays) {
  ScriptedServer& other = serve([](const SeenRequest&, std::size_t) { return answer("r"); });
  const std::string location = "Location: " + other.base_url() + "/responses\r\n";
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t) { return Reply{write(http(307, location, ""))}; });
  add_model("m1", server.base_url());
  const auto host = ask();
  EXPECT_FALSE(host->outcome->ok);
  EXPECT_EQ(server.requests.size(), 1U);
  EXPECT_EQ(other.connections, 0);
}

std::string gzip_stored(const std::string& text) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
  }
  crc = ~crc;
  const auto little = [](std::uint32_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
    return out;
  };
  const auto size = static_cast<std::uint32_t>(text.size());
  return std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03\x01", 11) + little(size, 2) + little(~size & 0xffff, 2) + text + little(crc, 4) +
         little(size, 4);
}

TEST_F(ClientTest, CompressedInformationalAndTrailers) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    if (index == 0) {
      const std::string body = gzip_stored(joined(answer_events("r0", kGood)));
      return Reply{write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
                   write(http(200, "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", body))};
    }
    std::string reply = chunked_answer("r1", kGood);
    reply.resize(reply.size() - 2);
    return Reply{write(reply + "X-Late: 1\r\nContent-Type: text/html\r\n\r\n")};
  });
  add_model("m1", server.base_url());
  EXPECT_TRUE(ask()->outcome->ok);
  EXPECT_TRUE(ask()->outcome->ok);
  EXPECT_EQ(server.requests[0].headers.at("accept-encoding"), "gzip");
  // Both answers on one connection.
  EXPECT_EQ(server.connections, 1);
}

TEST_F(ClientTest, SlowConsumerSlowsTheProvider) {
  // 24 MB of deltas would fill the memory if nobody stopped the reading.
  const std::size_t chunk = 4'000;
  std::size_t made = 0;
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t) {
    Reply reply{write(stream_head()), write(answer_events("r", kGood)[0])};
    for (int i = 0; i < 6'000; ++i) {
      std::string text(chunk, static_cast<char>('a' + i % 26));
      reply.push_back(write(event({{"type", "response.output_text.delta"}, {"item_id", "x"}, {"delta", text}})));
      made += chunk;
    }
    reply.push_back(write(event({{"type", "response.completed"}, {"response", response_object("r", kGood)}})));
    return reply;
  });
  settings_.output_text_bytes_max = 64U << 20U;
  add_model("m1", server.base_url());
  bool open = false;
  const auto host = std::make_shared<RecordingHost>();
  host->takes_deltas = [&] { return open; };
  last_id_ = client().start(spec(), risk_judge(), host);
  run_until([&] { return !host->text.empty(); });
  run_for(300);
  EXPECT_LT(host->text.size(), made);
  EXPECT_EQ(server.open_requests, 1) << "the server should be blocked";
  EXPECT_FALSE(host->outcome.has_value());
  open = true;
  run_until([&] { return host->outcome.has_value(); }, 20'000);
  EXPECT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->text.size(), made);
}

TEST_F(ClientTest, StopIsFastInEveryPhase) {
  ScriptedServer& silent = serve([](const SeenRequest&, std::size_t) { return Reply{pause_for(3'000)}; });
  ScriptedServer& failing = serve([](const SeenRequest&, std::size_t) { return Reply{write(http(500, "", "no"))}; });
  settings_.backoff_base = milliseconds(2'000);
  settings_.backoff_max = milliseconds(2'000);
  // A listener whose queue is full lets further connections wait.
  asio::ip::tcp::acceptor full(context_, asio::ip::tcp::v4());
  full.bind({asio::ip::address_v4::loopback(), 0});
  full.listen(0);
  std::vector<asio::ip::tcp::socket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(context_);
    waiting.back().async_connect(full.local_endpoint(), [](const auto&) {});
  }
  run_for(20);
  add_model("connect", "http://127.0.0.1:" + std::to_string(full.local_endpoint().port()) + "/v1").strict_model = true;
  add_model("headers", silent.base_url()).strict_model = true;
  add_model("backoff", failing.base_url()).strict_model = true;
  ModelEntry& queued = add_model("queue", silent.base_url());
  queued.strict_model = true;
  queued.max_concurrency = queued.start_concurrency = 1;
  for (const std::string phase : {"connect", "headers", "backoff", "queue"}) {
    CallSpec call = spec();
    call.model = phase;
    std::shared_ptr<RecordingHost> blocker;
    if (phase == "queue") blocker = start(call);
    const auto host = start(call);
    run_for(60);
    const std::size_t sent = silent.requests.size() + failing.requests.size();
    const auto asked = std::chrono::steady_clock::now();
    client().cancel(last_id_);
    run_until([&] { return host->outcome.has_value(); });
    EXPECT_LT(host->finished_at - asked, milliseconds(100)) << phase;
    EXPECT_EQ(host->outcome->error->code, ErrorCode::Cancelled) << phase;
    run_for(60);
    EXPECT_EQ(silent.requests.size() + failing.requests.size(), sent) << phase;
    EXPECT_EQ(host->finished_count, 1);
  }
}

TEST_F(ClientTest, CancelTwiceAndBackgroundIsStoppedAtTheProvider) {
  ScriptedServer& server = serve([](const SeenRequest& request, std::size_t) {
    if (request.target.ends_with("/cancel")) return Reply{write(http(200, "Content-Type: application/json\r\n", "{}"))};
    return Reply{write(stream_head()), write(answer_events("resp_b", kGood)[0]), pause_for(3'000)};
  });
  add_model("m1", server.base_url()).caps.background = "always";
  const auto host = start(spec());
  run_until([&] { return !host->response_ids.empty(); });
  client().cancel(last_id_);
  client().cancel(last_id_);
  run_until([&] { return server.requests.size() == 2; });
  run_for(50);
  EXPECT_EQ(host->finished_count, 1);
  ASSERT_EQ(server.requests.size(), 2U);
  EXPECT_EQ(server.requests[1].target, "/v1/responses/resp_b/cancel");
  EXPECT_EQ(server.requests[1].headers.at("authorization"), "Bearer sk-test-0123456789abcdef");
}

TEST_F(ClientTest, ShutDownSendsNothingMore) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) {
    return Reply{write(stream_head()), write(answer_events("resp_b", kGood)[0]), pause_for(3'000)};
  });
  add_model("m1", server.base_url()).caps.background = "always";
  const auto host = start(spec());
  run_until([&] { return !host->response_ids.empty(); });
  client().shut_down();
  const auto late = start(spec());
  run_until([&] { return client().active() == 0; });
  run_for(50);
  EXPECT_EQ(host->outcome->error->code, ErrorCode::Cancelled);
  EXPECT_EQ(late->outcome->error->code, ErrorCode::Cancelled);
  EXPECT_EQ(server.requests.size(), 1U);
}

TEST_F(ClientTest, AbortedStreamIsSeenByTheServer) {
  settings_.identical_chunks_max = 5;
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    if (index > 0) return answer("r");
    Reply reply{write(stream_head())};
    for (int i = 0; i < 1'000; ++i) {
      reply.push_back(write(event({{"type", "response.output_text.delta"}, {"item_id", "x"}, {"delta", "same"}})));
      reply.push_back(pause_for(2));
    }
    return reply;
  });
  add_model("m1", server.base_url());
  ASSERT_TRUE(ask()->outcome->ok);
  run_until([&] { return server.disconnects == 1; });
}

TEST_F(ClientTest, ManyCallsRunAtOnceAndWithinTheLimits) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return Reply{pause_for(100), write(chunked_answer("r" + std::to_string(index), kGood))};
  });
  add_model("m1", server.base_url());
  std::vector<std::shared_ptr<RecordingHost>> hosts;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 128; ++i) hosts.push_back(start(spec("one/" + std::to_string(i))));
  run_until([&] { return client().active() == 0; }, 10'000);
  for (const auto& host : hosts) EXPECT_TRUE(host->outcome && host->outcome->ok);
  EXPECT_EQ(server.open_requests_peak, 64);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(2'000));
  EXPECT_LE(server.connections, 64);
}

TEST_F(ClientTest, CommonCeilingHolds) {
  max_concurrent_ = 5;
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) { return Reply{pause_for(10), write(chunked_answer("r", kGood))}; });
  add_model("m1", server.base_url());
  for (int i = 0; i < 30; ++i) start(spec());
  run_until([&] { return client().active() == 0; });
  EXPECT_EQ(server.open_requests_peak, 5);
}

TEST_F(ClientTest, WaitingCallsFailOverWhenTheBreakerOpens) {
  ScriptedServer& bad = serve([](const SeenRequest&, std::size_t) {
    return error_reply(401, {{"message", "no"}, {"code", "invalid_api_key"}});
  });
  ScriptedServer& good = serve([](const SeenRequest&, std::size_t) { return answer("r"); });
  ModelEntry& first = add_model("m1", bad.base_url());
  first.provider = "other";
  first.max_concurrency = first.start_concurrency = 1;
  add_model("m2", good.base_url());
  std::vector<std::shared_ptr<RecordingHost>> hosts;
  for (int i = 0; i < 10; ++i) hosts.push_back(start(spec("one/" + std::to_string(i))));
  run_until([&] { return client().active() == 0; });
  for (const auto& host : hosts) {
    EXPECT_TRUE(host->outcome->ok);
    EXPECT_EQ(host->outcome->model, "m2");
  }
  EXPECT_EQ(bad.requests.size(), 1U);
}

TEST_F(ClientTest, PrefixCacheLetsOneCallOfAFanOutRunFirst) {
  bool first_answered = false;
  std::size_t early = 0;
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t index) {
    if (index > 0 && !first_answered) ++early;
    if (index == 0) {
      const auto events = answer_events("r0", kGood, 2);
      return Reply{pause_for(60), write(stream_head()), write(events[0] + events[1] + events[2]), pause_for(60),
                   write(events[3] + events[4] + events[5])};
    }
    return answer("r" + std::to_string(index));
  });
  add_model("m1", server.base_url()).caps.prefix_cache = true;
  std::vector<std::shared_ptr<RecordingHost>> hosts;
  for (int i = 0; i < 6; ++i) {
    CallSpec call = spec("one/" + std::to_string(i));
    call.cache_group = "one";
    hosts.push_back(start(call));
  }
  run_until([&] {
    for (const auto& host : hosts) first_answered = first_answered || !host->text.empty();
    return first_answered;
  });
  EXPECT_EQ(server.requests.size(), 1U);
  run_until([&] { return client().active() == 0; });
  EXPECT_EQ(early, 0U);
  for (const auto& host : hosts) EXPECT_TRUE(host->outcome->ok);
}

TEST_F(ClientTest, KeysAreNowhereButInTheHeader) {
  const std::string key = secrets_["TEST_KEY"];
  std::string logged;
  configure_logging({.level = LogLevel::trace, .format = LogOptions::Format::json, .sink = [&](std::string_view line) { logged += line; }});
  payload_log_ = testing::TempDir() + "llm_payload_" + std::to_string(::getpid()) + ".log";
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t) {
    return error_reply(401, {{"code", "invalid_api_key"}, {"message", "Incorrect API key provided: " + key + " (sk-test-***cdef)"}});
  });
  add_model("m1", server.base_url());
  const auto host = ask();
  configure_logging({});
  std::ifstream file(payload_log_);
  std::stringstream payload;
  payload << file.rdbuf();
  std::remove(payload_log_.c_str());
  EXPECT_NE(payload.str().find("Name one risk"), std::string::npos);
  EXPECT_NE(logged.find("model attempt"), std::string::npos);
  for (const std::string& text : {payload.str(), logged, host->outcome->error->message, to_string(*host->records.at(0).error),
                                  server.requests.at(0).body, server.requests.at(0).target}) {
    EXPECT_EQ(text.find(key), std::string::npos);
    EXPECT_EQ(text.find("cdef"), std::string::npos);
  }
}

TEST_F(ClientTest, EnvironmentProxyIsNotUsed) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) { return answer("r"); });
  add_model("m1", server.base_url());
  const auto host = ask();
  ::unsetenv("http_proxy");
  EXPECT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records.size(), 1U);
}

TEST_F(ClientTest, EarlyErrorAnswerThatHangsIsTaken) {
  settings_.error_body_timeout = milliseconds(100);
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    if (index > 0) return answer("r");
    return Reply{write("HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\nLoading"), pause_for(3'000)};
  });
  add_model("m1", server.base_url());
  const auto host = ask(spec(), risk_judge(), 1'500);
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_EQ(host->records[0].http_status, 503);
}

TEST_F(ClientTest, MegabytesOfEventsAndPromptsPass) {
  const std::string big(6U << 20U, 'x');
  ScriptedServer& server = serve([&](const SeenRequest&, std::size_t) {
    json::object response = response_object("r", kGood);
    response["instructions"] = std::string(20U << 20U, 'y');
    return Reply{write(stream_head()), write(event({{"type", "response.completed"}, {"response", response}})), close_connection()};
  });
  add_model("m1", server.base_url()).context_window = 100'000'000;
  CallSpec call = spec();
  call.messages[1].parts.push_back(big);
  const auto host = ask(call, risk_judge(), 20'000);
  ASSERT_TRUE(host->outcome->ok);
  EXPECT_GT(server.requests.at(0).body.size(), big.size());
}

TEST_F(ClientTest, ProbeSpendsNoTokens) {
  ScriptedServer& server = serve([](const SeenRequest& request, std::size_t) {
    if (request.headers.at("authorization") != "Bearer good-key-123") return error_reply(401, {{"message", "no good-key"}});
    return Reply{write(http(200, "Content-Type: application/json\r\n", R"({"data":[{"id":"m1"}]})"))};
  });
  add_model("m1", server.base_url()).requires_api_key = true;
  ClientOptions options;
  options.catalogue = catalogue_;
  std::string key = "good-key-123";
  options.secret = [&](const std::string&) { return key; };
  const auto probe = [&] {
    std::optional<Result<std::string>> result;
    std::thread thread([&] { result = probe_model(options, "m1"); });
    run_until([&] { return result.has_value(); });
    thread.join();
    return *result;
  };
  EXPECT_TRUE(probe().has_value());
  EXPECT_EQ(server.requests.at(0).target, "/v1/models");
  key = "wrong-key-1";
  EXPECT_EQ(probe().error().code, ErrorCode::ProviderAuth);
  key.clear();
  EXPECT_EQ(probe_model(options, "m1").error().code, ErrorCode::ProviderNotConfigured);
  EXPECT_EQ(probe_model(options, "m7").error().code, ErrorCode::ModelUnavailable);
}

}  // namespace
}  // namespace planexe::llm::test
