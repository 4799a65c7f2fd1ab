// Trust: nothing is sent before the server has proved who it is.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/ssl.hpp>

#include "llm_client_fixture.hpp"

namespace planexe::llm::test {
namespace {

namespace ssl = asio::ssl;

struct Certificate {
  std::string certificate, key;
};

std::string to_text(const std::function<void(BIO*)>& print) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  print(bio.get());
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

/// A certificate for `name` that signs itself.
Certificate self_signed(const std::string& name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), &X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), subject);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str()), &X509_EXTENSION_free);
  X509_add_ext(cert.get(), names.get(), -1);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return {to_text([&](BIO* bio) { PEM_write_bio_X509(bio, cert.get()); }),
          to_text([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

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
    std::FILE* file = std::fopen(ca_file_.c_str(), "w");
    std::fputs(certificate.certificate.c_str(), file);
    std::fclose(file);
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
