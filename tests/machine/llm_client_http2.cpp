// HTTP/2, as real providers speak it: nghttpx (Debian package nghttp2-proxy) takes HTTP/2 over TLS and passes it on to
// the scripted server. Skipped where the program is not installed.
#include <unistd.h>

#include <filesystem>

#include "base/subprocess.hpp"
#include "llm_certificate.hpp"
#include "llm_client_fixture.hpp"

namespace planexe::llm::test {
namespace {

using std::chrono::milliseconds;
constexpr auto kGood = R"({"risk":"Frost"})";

class Http2Test : public ClientTest {
 protected:
  void SetUp() override {
    for (const char* place : {"/usr/sbin/nghttpx", "/usr/bin/nghttpx"}) {
      if (std::filesystem::exists(place)) program_ = place;
    }
    if (program_.empty()) GTEST_SKIP() << "nghttpx is not installed (Debian package nghttp2-proxy)";
    folder_ = std::filesystem::temp_directory_path() / ("llm_http2_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    const Certificate certificate = self_signed("IP:127.0.0.1");
    write_text(folder_ / "cert.pem", certificate.certificate);
    write_text(folder_ / "key.pem", certificate.key);
    ca_file_ = folder_ / "cert.pem";
  }

  ~Http2Test() override {
    client_.reset();
    proxy_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// Starts the proxy in front of a scripted server; gives its base URL.
  std::string front(const ScriptedServer& server) {
    asio::ip::tcp::acceptor probe(context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    const unsigned short port = probe.local_endpoint().port();
    probe.close();
    SubprocessOptions options;
    options.program = program_;
    options.arguments = {"--frontend=127.0.0.1," + std::to_string(port), "--backend=127.0.0.1," + std::to_string(server.port()),
                         "--workers=1", "--backend-connections-per-host=200", "--errorlog-file=/dev/null",
                         "--accesslog-file=/dev/null", "--conf=/dev/null",
                         (folder_ / "key.pem").string(), (folder_ / "cert.pem").string()};
    options.standard_error = SubprocessOptions::Stderr::discard;
    auto started = Subprocess::start(options);
    EXPECT_TRUE(started.has_value());
    proxy_ = std::make_unique<Subprocess>(std::move(*started));
    run_until([&] {
      asio::ip::tcp::socket socket(context_);
      boost::system::error_code status;
      socket.connect({asio::ip::address_v4::loopback(), port}, status);
      return !status;
    });
    return "https://127.0.0.1:" + std::to_string(port) + "/v1";
  }

  std::string program_;
  std::filesystem::path folder_;
  std::unique_ptr<Subprocess> proxy_;
};

TEST_F(Http2Test, StreamsAndRepairs) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return Reply{write(chunked_answer("r" + std::to_string(index), index == 0 ? "{}" : kGood))};
  });
  add_model("m1", front(server));
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok) << to_string(*host->outcome->error);
  EXPECT_EQ(host->outcome->repairs, 1);
  EXPECT_NE(server.requests.at(0).headers.at("via").find("2"), std::string::npos) << "not by HTTP/2";
}

TEST_F(Http2Test, ManyStreamsShareFewConnections) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    return Reply{pause_for(100), write(chunked_answer("r" + std::to_string(index), kGood))};
  });
  add_model("m1", front(server));
  std::vector<std::shared_ptr<RecordingHost>> hosts;
  for (int i = 0; i < 60; ++i) hosts.push_back(start(spec("one/" + std::to_string(i))));
  run_until([&] { return client().active() == 0; }, 15'000);
  for (const auto& host : hosts) EXPECT_TRUE(host->outcome && host->outcome->ok);
  EXPECT_EQ(server.open_requests_peak, 60);
}

TEST_F(Http2Test, CancelOfTheOnlyStreamReachesTheServer) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t) {
    Reply reply{write(stream_head())};
    for (int i = 0; i < 400; ++i) {
      reply.push_back(write(event({{"type", "response.output_text.delta"}, {"item_id", "x"}, {"delta", std::to_string(i)}})));
      reply.push_back(pause_for(10));
    }
    return reply;
  });
  add_model("m1", front(server));
  const auto host = start(spec());
  run_until([&] { return !host->text.empty(); });
  client().cancel(last_id_);
  run_until([&] { return host->outcome.has_value(); });
  run_until([&] { return server.disconnects == 1; }, 2'000);
}

TEST_F(Http2Test, CancelOfOneStreamLeavesItsSiblings) {
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    const auto events = answer_events("r" + std::to_string(index), kGood, 4);
    Reply reply{write(stream_head())};
    for (const std::string& piece : events) {
      reply.push_back(write(piece));
      reply.push_back(pause_for(60));
    }
    reply.push_back(close_connection());
    return reply;
  });
  add_model("m1", front(server));
  std::vector<std::shared_ptr<RecordingHost>> hosts;
  for (int i = 0; i < 6; ++i) hosts.push_back(start(spec("one/" + std::to_string(i))));
  run_until([&] { return server.requests.size() == 6 && !hosts[5]->text.empty(); });
  client().cancel(last_id_);
  run_until([&] { return client().active() == 0; });
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(hosts[static_cast<std::size_t>(i)]->outcome->ok);
    EXPECT_EQ(hosts[static_cast<std::size_t>(i)]->records.size(), 1U);
  }
  EXPECT_EQ(hosts[5]->outcome->error->code, ErrorCode::Cancelled);
}

TEST_F(Http2Test, EarlyErrorsToLargeRequestsAreReported) {
  settings_.error_body_timeout = milliseconds(500);
  settings_.retries_min = 1'000;
  ScriptedServer& server = serve([](const SeenRequest&, std::size_t index) {
    if (index % 2 == 0) return Reply{write(http(503, "Content-Type: text/html\r\n", "<h1>busy</h1>"))};
    return Reply{write(chunked_answer("r", kGood))};
  });
  settings_.breaker_failures_in_row = 1'000;
  settings_.breaker_attempts_min = 1'000;
  add_model("m1", front(server)).context_window = 100'000'000;
  for (int i = 0; i < 5; ++i) {
    CallSpec call = spec();
    call.messages[1].parts.push_back(std::string(3U << 20U, 'x'));
    const auto host = ask(call, risk_judge(), 20'000);
    EXPECT_TRUE(host->outcome->ok);
  }
}

TEST_F(Http2Test, SlowConsumerDoesNotHoldBackItsSiblings) {
  ScriptedServer& server = serve([](const SeenRequest& request, std::size_t) {
    Reply reply{write(stream_head())};
    const bool large = request.body.find("large") != std::string::npos;
    for (int i = 0; large && i < 2'000; ++i) {
      reply.push_back(write(event({{"type", "response.output_text.delta"}, {"item_id", "x"},
                                   {"delta", std::string(1'000, static_cast<char>('a' + i % 26))}})));
    }
    reply.push_back(write(event({{"type", "response.completed"}, {"response", response_object("r", kGood)}})));
    reply.push_back(close_connection());
    return reply;
  });
  add_model("m1", front(server));
  bool open = false;
  const auto slow = std::make_shared<RecordingHost>();
  slow->takes_deltas = [&] { return open; };
  CallSpec large = spec();
  large.messages[1].parts = {"large"};
  client().start(large, risk_judge(), slow);
  run_until([&] { return !slow->text.empty(); });
  const auto quick = ask();
  EXPECT_TRUE(quick->outcome->ok);
  EXPECT_FALSE(slow->outcome.has_value());
  open = true;
  run_until([&] { return slow->outcome.has_value(); }, 20'000);
  EXPECT_TRUE(slow->outcome->ok);
  EXPECT_EQ(slow->text.size(), 2'000'000U);
}

}  // namespace
}  // namespace planexe::llm::test
