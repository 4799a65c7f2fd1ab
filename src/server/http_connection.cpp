#include "server/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "base/log.hpp"
#include "server/client_stream.hpp"
#include "server/http_text.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"

namespace planexe::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
using Parser = http::request_parser<http::string_body>;
}  // namespace

asio::awaitable<bool> write_all(beast::tcp_stream& stream, std::string_view bytes, std::chrono::seconds wait) {
  while (!bytes.empty()) {
    stream.expires_after(wait);
    auto [error, size] = co_await stream.async_write_some(asio::buffer(bytes.data(), bytes.size()), kTuple);
    if (error) co_return false;
    bytes.remove_prefix(size);
  }
  co_return true;
}

asio::awaitable<void> refuse_upgrade(beast::tcp_stream& stream, const Dispatcher& dispatcher, const Request& request, Response response) {
  dispatcher.complete(request, response);
  co_await write_all(stream, response_head(response, response.body.size(), false) + response.body, limits::kWriteWait);
}

/// An event stream on the connection. Its end by the client shows as a readable socket without bytes.
class HttpConnection::Stream final : public ClientStream {
 public:
  Stream(HttpConnection& connection, const Request& request) : connection_(connection), request_(request) {}

  asio::awaitable<bool> begin_events(std::vector<std::pair<std::string, std::string>> headers) override {
    Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers = std::move(headers);
    response.with("X-Accel-Buffering", "no");
    connection_.host_.dispatcher.complete(request_, response);
    begun_ = true;
    watch();
    co_return co_await write(response_head(response, std::nullopt, false));
  }

  asio::awaitable<bool> write(std::string bytes) override {
    if (closed_) co_return false;
    const bool sent = co_await write_all(connection_.stream_, bytes, limits::kSilentWriteMax);
    if (!sent) close();
    co_return sent;
  }

  [[nodiscard]] bool closed() const override { return closed_; }
  void on_close(std::function<void()> wake) override { wake_ = std::move(wake); }
  [[nodiscard]] bool begun() const { return begun_; }

  void close() {
    if (std::exchange(closed_, true)) return;
    if (auto wake = std::exchange(wake_, nullptr)) wake();
  }

 private:
  void watch() {
    auto& socket = connection_.stream_.socket();
    socket.async_wait(asio::ip::tcp::socket::wait_read, [self = connection_.shared_from_this()](const boost::system::error_code& error) {
      auto* stream = self->streaming_;
      if (stream == nullptr) return;
      boost::system::error_code ignored;
      // Bytes that come here would be a next request; they wait, and so does the look at the connection's end.
      if (error || self->stream_.socket().available(ignored) == 0) stream->close();
    });
  }

  HttpConnection& connection_;
  const Request& request_;
  std::function<void()> wake_;
  bool begun_ = false;
  bool closed_ = false;
};

HttpConnection::HttpConnection(ConnectionHost& host, beast::tcp_stream stream, std::string peer)
    : host_(host), stream_(std::move(stream)), peer_(std::move(peer)) {
  host_.open.insert(this);
}

HttpConnection::~HttpConnection() { host_.open.erase(this); }

asio::awaitable<void> HttpConnection::serve() {
  const auto self = shared_from_this();
  while (!host_.stopping && co_await wait_for_request()) {
    const auto next = co_await one_request();
    if (next == Next::close) break;
  }
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

/// Waits for the first byte: long between requests, no longer than for headers at the beginning.
asio::awaitable<bool> HttpConnection::wait_for_request() {
  if (buffer_.size() > 0) co_return true;
  idle_ = true;
  stream_.expires_after(std::exchange(first_, false) ? limits::kHeaderWait : limits::kIdleWait);
  constexpr std::size_t kFirstRead = 4096;
  auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kFirstRead), kTuple);
  idle_ = false;
  if (error) co_return false;
  buffer_.commit(size);
  co_return true;
}

asio::awaitable<HttpConnection::Next> HttpConnection::one_request() {
  const auto begin = host_.services.clock->steady();
  Parser parser;
  parser.header_limit(limits::kHeaderBytesMax);
  parser.body_limit(limits::kBodyBytesMax);
  stream_.expires_after(limits::kHeaderWait);
  auto [error, header_size] = co_await http::async_read_header(stream_, buffer_, parser, kTuple);
  if (error == http::error::header_limit) co_return co_await refuse(ErrorCode::HeadersTooLarge, "The headers are too large.");
  if (error == http::error::body_limit) co_return co_await refuse(ErrorCode::PayloadTooLarge, "The body is too large; at most 1 MiB is taken.");
  if (error && error.category() == http::make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
      error != http::error::partial_message)
    co_return co_await refuse(ErrorCode::InvalidRequest, "This is no valid HTTP/1.1 request.");
  if (error) co_return Next::close;

  auto request = request_of(parser.get());
  if (!request) co_return co_await refuse(request.error().code, request.error().message);
  const bool keep = parser.keep_alive();
  auto admission = host_.dispatcher.admit(*request, peer_);
  if (admission.preflight) co_return co_await go_on(std::move(*request), std::move(*admission.refusal), keep && parser.is_done());
  // The rest of a refused request is not read: the connection ends, so that it cannot be taken for the next one.
  if (admission.refusal) co_return co_await go_on(std::move(*request), std::move(*admission.refusal), keep && parser.is_done());

  if (request->header("expect") == "100-continue" && !co_await write_all(stream_, "HTTP/1.1 100 Continue\r\n\r\n", limits::kWriteWait))
    co_return Next::close;
  stream_.expires_after(limits::kBodyWait);
  auto [body_error, body_size] = co_await http::async_read(stream_, buffer_, parser, kTuple);
  if (body_error == http::error::body_limit) co_return co_await refuse(ErrorCode::PayloadTooLarge, "The body is too large; at most 1 MiB is taken.");
  if (body_error == beast::error::timeout) co_return co_await refuse(ErrorCode::RequestTimeout, "The body did not come in time.");
  if (body_error && body_error.category() == http::make_error_code(http::error::bad_method).category())
    co_return co_await refuse(ErrorCode::InvalidRequest, "The body is no valid HTTP/1.1 body.");
  if (body_error) co_return Next::close;
  request->body = std::move(parser.get().body());

  if (request->operation != nullptr && request->path.starts_with("/ws/")) {
    if (beast::websocket::is_upgrade(parser.get())) {
      host_.open.erase(this);
      co_await host_.open_socket(std::move(stream_), std::move(*request), parser.release());
      co_return Next::close;
    }
    auto response = error_response(Error(ErrorCode::UpgradeRequired, "This path is a WebSocket; ask for an upgrade."), request->id);
    response.with("Upgrade", "websocket");
    co_return co_await go_on(std::move(*request), std::move(response), keep);
  }
  if (const auto* handler = host_.dispatcher.stream_handler(*request)) co_return co_await run_stream(*request, *handler);
  auto response = co_await host_.dispatcher.answer(*request);
  const std::string route = request->operation == nullptr ? "static" : request->operation->path;
  const std::string method = request->method;
  const int status = response.status;
  const auto next = co_await go_on(std::move(*request), std::move(response), keep);
  host_.services.metrics->request_finished(route, method, status, host_.services.clock->steady() - begin);
  co_return next;
}

asio::awaitable<HttpConnection::Next> HttpConnection::go_on(Request request, Response response, bool keep_alive) {
  const bool keep = keep_alive && !host_.stopping;
  const bool sent = co_await send(request, std::move(response), keep);
  co_return sent && keep ? Next::more : Next::close;
}

/// For what could not even be read as a request: nothing of it is trusted, and nothing that follows it is read.
asio::awaitable<HttpConnection::Next> HttpConnection::refuse(ErrorCode code, std::string message) {
  Request request;
  request.method = "GET";
  request.id = "unread";
  co_await send(request, error_response(Error(code, std::move(message)), request.id), false);
  // What the client still sends is read for a moment: closing with unread bytes would reset the connection and lose the answer.
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  constexpr int kReadsMax = 64;
  std::array<char, 16384> rest{};
  stream_.expires_after(std::chrono::seconds(1));
  for (int i = 0; i < kReadsMax; ++i) {
    auto [error, size] = co_await stream_.async_read_some(asio::buffer(rest), kTuple);
    if (error) break;
  }
  co_return Next::close;
}

asio::awaitable<bool> HttpConnection::send(const Request& request, Response response, bool keep_alive) {
  host_.dispatcher.complete(request, response);
  const bool bodiless = response.status == 204 || response.status == 304;
  std::string bytes = response_head(response, bodiless ? std::nullopt : std::optional(response.body.size()), keep_alive);
  if (request.method != "HEAD" && !bodiless) bytes += response.body;
  co_return co_await write_all(stream_, bytes, limits::kWriteWait);
}

asio::awaitable<HttpConnection::Next> HttpConnection::run_stream(Request& request, const StreamHandler& handler) {
  if (auto refusal = co_await host_.dispatcher.prepare_stream(request)) co_return co_await go_on(std::move(request), std::move(*refusal), true);
  Stream stream(*this, request);
  streaming_ = &stream;
  std::optional<Response> response;
  try {
    response = co_await handler(request, stream);
  } catch (const std::exception& exception) {
    log_error("a stream failed", {{"operation", request.operation->id}, {"request_id", request.id}, {"error", exception.what()}});
    if (!stream.begun()) response = error_response(Error(ErrorCode::Internal, "The stream could not be opened."), request.id);
  }
  streaming_ = nullptr;
  if (response && !stream.begun()) co_return co_await go_on(std::move(request), std::move(*response), true);
  co_return Next::close;
}

void HttpConnection::stop() {
  if (streaming_ != nullptr) streaming_->close();
  if (idle_) stream_.cancel();
}

void HttpConnection::abort() {
  if (streaming_ != nullptr) streaming_->close();
  stream_.close();
}

}  // namespace planexe::server
