// Trust: nothing is sent before the server has proved who it is.
#include <unistd.h>

#include <boost/asio/ssl.hpp>

#include "llm_certificate.hpp"
#include "llm_client_fixture.hpp"

namespace planexe::llm::test {
namespace {

namespace ssl = asio::ssl;

/// Accepts TLS connections and answers every request with one stream; keeps the plaintext it received.
class TlsServer {
 public:
  TlsServer(asio::io_context& context, const Certificate& certificate)
      : context_(context), tls_(ssl::context::tls_server),
        acceptor_(context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    tls_.use_certificate_chain(asio::buffer(certificate.certificate));
    tls_.use_private_key(asio::buffer(certificate.key), ssl::context::pem);
    asio::co_spawn(context_, accept(), asio::detached);
  }
  [[nodiscard]] std::string base_url() const {
    return "https://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1";
  }
  std::string received;
  int connections = 0;

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      boost::system::error_code status;
      asio::ip::tcp::socket socket(context_);
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, status));
      if (status) co_return;
      ++connections;
      auto stream = std::make_shared<ssl::stream<asio::ip::tcp::socket>>(std::move(socket), tls_);
      asio::co_spawn(context_, serve(stream), asio::detached);
    }
  }
  asio::awaitable<void> serve(std::shared_ptr<ssl::stream<asio::ip::tcp::socket>> stream) {
    boost::system::error_code status;
    co_await stream->async_handshake(ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, status));
    if (status) co_return;
    co_await asio::async_read_until(*stream, asio::dynamic_buffer(received), "\r\n\r\n",
                                    asio::redirect_error(asio::use_awaitable, status));
    if (status) co_return;
    const std::string reply = stream_head() + joined(answer_events("r", R"({"risk":"Frost"})"));
    co_await asio::async_write(*stream, asio::buffer(reply), asio::redirect_error(asio::use_awaitable, status));
    co_await stream->async_shutdown(asio::redirect_error(asio::use_awaitable, status));
  }

  asio::io_context& context_;
  ssl::context tls_;
  asio::ip::tcp::acceptor acceptor_;
};

class TlsTest : public ClientTest {
 protected:
  void trust(const Certificate& certificate) {
    ca_file_ = testing::TempDir() + "llm_ca_" + std::to_string(::getpid()) + ".pem";
    write_text(ca_file_, certificate.certificate);
  }
  ~TlsTest() override {
    client_.reset();
    if (!ca_file_.empty()) std::remove(ca_file_.c_str());
  }
};

TEST_F(TlsTest, UnknownAuthorityIsRefused) {
  TlsServer server(context_, self_signed("IP:127.0.0.1"));
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_FALSE(host->outcome->ok);
  EXPECT_EQ(host->outcome->error->code, ErrorCode::ProviderUnavailable);
  EXPECT_NE(host->outcome->error->message.find("trusted"), std::string::npos);
  EXPECT_EQ(host->records.size(), 1U);
  EXPECT_EQ(server.received, "");
}

TEST_F(TlsTest, ConfiguredAuthorityIsTrusted) {
  const Certificate certificate = self_signed("IP:127.0.0.1");
  trust(certificate);
  TlsServer server(context_, certificate);
  add_model("m1", server.base_url());
  const auto host = ask();
  ASSERT_TRUE(host->outcome->ok) << to_string(*host->outcome->error);
  EXPECT_NE(server.received.find("POST /v1/responses"), std::string::npos);
}

TEST_F(TlsTest, WrongNameIsRefused) {
  const Certificate certificate = self_signed("DNS:elsewhere.test");
  trust(certificate);
  TlsServer server(context_, certificate);
  add_model("m1", server.base_url());
  const auto host = ask();
  EXPECT_FALSE(host->outcome->ok);
  EXPECT_EQ(server.received, "");
  EXPECT_EQ(server.connections, 1);
}

TEST_F(TlsTest, ServerWithoutTlsIsRefused) {
  asio::ip::tcp::acceptor acceptor(context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  asio::ip::tcp::socket socket(context_);
  acceptor.async_accept(socket, [&](const auto&) {
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 400 Bad Request\r\n\r\n")), ignored);
  });
  add_model("m1", "https://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/v1");
  const auto host = ask();
  EXPECT_FALSE(host->outcome->ok);
  EXPECT_EQ(host->records.size(), 1U);
}

}  // namespace
}  // namespace planexe::llm::test
