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
#include "server/body_source.hpp"
#include "server/client_stream.hpp"
#include "server/http_text.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"
#include "server/request_head.hpp"
#include "server/upgrade_check.hpp"

namespace planexe::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
using Parser = http::request_parser<http::string_body>;
/// What may be read and not yet used: a whole head, and what came with it.
constexpr std::size_t kBufferBytesMax = limits::kTargetBytesMax + limits::kHeaderBytesMax + 64 * limits::kKiB;
constexpr std::size_t kReadBytes = 4096;

/// True when the client waits for a word before it sends the body (RFC 9110, 10.1.1).
bool wants_continue(const Parser& parser, std::size_t bytes_read) {
  const bool has_body = parser.chunked() || parser.content_length_remaining().value_or(0) > 0;
  return parser.get().version() >= 11 && has_body && bytes_read == 0 && beast::iequals(parser.get()[http::field::expect], "100-continue");
}

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";
constexpr int kSwitchingProtocols = 101;

Response shutting_down(const Request& request) {
  return error_response(Error(ErrorCode::ShuttingDown, "The server is shutting down."), request.id);
}

std::string_view kind_of(const Request& request) {
  if (request.operation->id == "streamProgress") return "events";
  return request.operation->id == "streamTurn" ? "turn" : "analysis";
}

/// Ends what the connection waits for after a time. Unlike the stream's own timer it leaves the connection open, so that an
/// answer can be given.
class Deadline {
 public:
  Deadline(beast::tcp_stream& stream, std::chrono::seconds wait)
      : state_(std::make_shared<State>(&stream, asio::steady_timer(stream.get_executor(), wait))) {
    arm(state_);
  }
  ~Deadline() {
    state_->stream = nullptr;
    state_->timer.cancel();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  [[nodiscard]] bool passed() const { return state_->passed; }

 private:
  struct State {
    beast::tcp_stream* stream;
    asio::steady_timer timer;
    bool passed = false;
  };

  /// What has just come cannot be cancelled any more, and the wait that follows it must be: so again and again.
  static void arm(const std::shared_ptr<State>& state) {
    state->timer.async_wait([state](const boost::system::error_code& error) {
      if (error || state->stream == nullptr) return;
      state->passed = true;
      state->stream->cancel();
      state->timer.expires_after(std::chrono::milliseconds(50));
      arm(state);
    });
  }

  std::shared_ptr<State> state_;
};

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

/// An event stream on the connection. Its end by the client shows as a readable socket without bytes.
class HttpConnection::Stream final : public ClientStream {
 public:
  Stream(HttpConnection& connection, const Request& request) : connection_(connection), request_(request) {}

  asio::awaitable<bool> begin_events(std::vector<std::pair<std::string, std::string>> headers) override {
    Response response;
    response.content_type = std::string(kEventStream);
    response.headers = std::move(headers);
    response.with("X-Accel-Buffering", "no");
    connection_.host_.dispatcher.complete(request_, response);
    begun_ = true;
    connection_.record_.status = response.status;
    open_.emplace(*connection_.host_.services.metrics, kind_of(request_));
    watch();
    co_return co_await write(response_head(response, std::nullopt, false));
  }

  asio::awaitable<bool> write(std::string bytes) override {
    if (closed_) co_return false;
    connection_.record_.bytes += bytes.size();
    const bool sent = co_await write_all(connection_.stream_, bytes, limits::kSilentWriteMax);
    if (!sent) close();
    co_return sent;
  }

  [[nodiscard]] bool closed() const override { return closed_ || (connection_.host_.stopping && !ends_itself_); }
  void on_close(std::function<void()> wake) override { wake_ = std::move(wake); }
  void ends_itself() override { ends_itself_ = true; }
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool ends_by_itself() const { return ends_itself_; }

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
  std::optional<OpenStream> open_;
  std::function<void()> wake_;
  bool begun_ = false;
  bool closed_ = false;
  bool ends_itself_ = false;
};

HttpConnection::HttpConnection(ConnectionHost& host, beast::tcp_stream stream, std::string peer)
    : host_(host), stream_(std::move(stream)), buffer_(kBufferBytesMax), peer_(std::move(peer)) {
  host_.open.insert(this);
}

HttpConnection::~HttpConnection() { host_.open.erase(this); }

asio::awaitable<void> HttpConnection::serve() {
  const auto self = shared_from_this();
  while (!host_.stopping && co_await wait_for_request()) {
    record_ = {};
    record_.begun = host_.services.clock->steady();
    record_.client = peer_;
    const auto next = co_await one_request();
    record_.finish(*host_.services.metrics, host_.services.clock->steady());
    if (next == Next::more) continue;
    co_await drain();
    break;
  }
  // Also ends the look at the connection's end that a stream has left behind.
  stream_.close();
}

/// Waits for the first byte: long between requests, no longer than for headers at the beginning. A few empty lines before
/// a request are skipped, since some clients send one after a body (RFC 9112, 2.2).
asio::awaitable<bool> HttpConnection::wait_for_request() {
  constexpr int kEmptyLinesMax = 4;
  const auto wait = std::exchange(first_, false) ? limits::kHeaderWait : limits::kIdleWait;
  for (int skipped = 0;;) {
    const std::string_view bytes(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    if (skipped < kEmptyLinesMax && bytes.starts_with("\r\n")) {
      buffer_.consume(2);
      ++skipped;
      continue;
    }
    if (!bytes.empty() && (bytes != "\r" || skipped == kEmptyLinesMax)) co_return true;
    stream_.expires_after(bytes.empty() && skipped == 0 ? wait : limits::kHeaderWait);
    if (!co_await read_more()) co_return false;
  }
}

/// Until a request is there whole, nothing is lost when the connection is closed.
asio::awaitable<bool> HttpConnection::read_more() {
  idle_ = true;
  auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kTuple);
  idle_ = false;
  if (error) co_return false;
  buffer_.commit(size);
  co_return true;
}

/// Nothing when the client left or took too long.
asio::awaitable<std::optional<Result<void>>> HttpConnection::read_head() {
  HeadScanner scanner;
  stream_.expires_after(limits::kHeaderWait);
  for (;;) {
    const auto found = scanner.look({static_cast<const char*>(buffer_.data().data()), buffer_.size()});
    if (!found) co_return Result<void>(std::unexpected(found.error()));
    if (*found) co_return Result<void>();
    if (!co_await read_more()) co_return std::nullopt;
  }
}

asio::awaitable<HttpConnection::Next> HttpConnection::one_request() {
  const auto head = co_await read_head();
  if (!head) co_return Next::close;
  if (!*head) co_return co_await refuse(head->error(), {});
  Parser parser;
  // The scanner has counted; this one only has to be large enough.
  parser.header_limit(kBufferBytesMax);
  parser.body_limit(limits::kBodyBytesMax);
  auto [error, header_size] = co_await http::async_read_header(stream_, buffer_, parser, kTuple);
  const auto id = std::string(parser.get()["X-Request-Id"]);
  if (error == http::error::body_limit)
    co_return co_await refuse(Error(ErrorCode::PayloadTooLarge, "The body is too large; at most 1 MiB is taken."), id);
  if (error) co_return co_await refuse(Error(ErrorCode::InvalidRequest, "This is no valid HTTP/1.1 request."), id);
  auto request = request_of(parser.get());
  if (!request) co_return co_await refuse(request.error(), id);
  const bool keep = parser.keep_alive();
  auto refusal = host_.dispatcher.admit(*request, peer_);
  record_.name(*request);
  if (!refusal && request->route.empty()) record_.route = "static";
  // The rest of a refused request is not read: the connection ends, so that it cannot be taken for the next one.
  if (refusal) co_return co_await go_on(*request, std::move(*refusal), keep && parser.is_done());
  if (auto next = co_await read_body(parser, *request)) co_return *next;
  if (request->operation != nullptr && request->path.starts_with("/ws/")) co_return co_await upgrade(*request, parser.release(), keep);
  if (const auto* handler = host_.dispatcher.stream_handler(*request)) co_return co_await run_stream(*request, *handler, keep);
  co_return co_await go_on(*request, co_await host_.dispatcher.answer(*request), keep);
}

/// Nothing when the body is there.
template <class Parser>
asio::awaitable<std::optional<HttpConnection::Next>> HttpConnection::read_body(Parser& parser, Request& request) {
  if (wants_continue(parser, buffer_.size()) && !co_await write_all(stream_, "HTTP/1.1 100 Continue\r\n\r\n", limits::kWriteWait))
    co_return Next::close;
  stream_.expires_never();
  const Deadline deadline(stream_, limits::kBodyWait);
  auto [error, size] = co_await http::async_read(stream_, buffer_, parser, kTuple);
  if (error == http::error::body_limit)
    co_return co_await refuse(Error(ErrorCode::PayloadTooLarge, "The body is too large; at most 1 MiB is taken."), request.id);
  if (deadline.passed()) co_return co_await refuse(Error(ErrorCode::RequestTimeout, "The body did not come in time."), request.id);
  if (error && error.category() == http::make_error_code(http::error::bad_method).category())
    co_return co_await refuse(Error(ErrorCode::InvalidRequest, "The body is no valid HTTP/1.1 body."), request.id);
  if (error) co_return Next::close;
  request.body = std::move(parser.get().body());
  co_return std::nullopt;
}

asio::awaitable<HttpConnection::Next> HttpConnection::upgrade(Request& request, UpgradeRequest handshake, bool keep_alive) {
  auto refusal = refuse_handshake(request);
  if (!refusal) refusal = co_await host_.dispatcher.prepare_stream(request);
  if (!refusal && host_.stopping) refusal = shutting_down(request);
  if (refusal) co_return co_await go_on(request, std::move(*refusal), keep_alive);
  // A client waits for the answer before it speaks the other protocol.
  if (buffer_.size() > 0)
    co_return co_await refuse(Error(ErrorCode::InvalidRequest, "Bytes follow the request for an upgrade."), request.id);
  // There is no body to go on with, but the library would say so.
  handshake.erase(http::field::expect);
  record_.status = kSwitchingProtocols;
  host_.open.erase(this);
  co_await host_.open_socket(std::move(stream_), std::move(request), std::move(handshake));
  co_return Next::close;
}

asio::awaitable<HttpConnection::Next> HttpConnection::go_on(const Request& request, Response response, bool keep_alive) {
  const bool keep = keep_alive && !host_.stopping;
  const bool sent = co_await send(request, std::move(response), keep);
  co_return sent && keep ? Next::more : Next::close;
}

/// For what could not be read as a request: nothing that follows it is read.
asio::awaitable<HttpConnection::Next> HttpConnection::refuse(Error error, std::string wanted_id) {
  Request request;
  request.method = "GET";
  request.id = host_.dispatcher.request_id(wanted_id);
  if (record_.id.empty()) record_.id = request.id;
  co_await send(request, error_response(error, request.id), false);
  co_return Next::close;
}

/// What the client still sends is read for a moment: closing with unread bytes would reset the connection and lose the answer.
asio::awaitable<void> HttpConnection::drain() {
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  constexpr int kReadsMax = 128;
  constexpr std::chrono::milliseconds kPatience{1000}, kPatienceAtTheEnd{100};
  std::array<char, 16384> rest{};
  stream_.expires_after(host_.stopping ? kPatienceAtTheEnd : kPatience);
  idle_ = true;
  for (int i = 0; i < kReadsMax; ++i) {
    auto [error, size] = co_await stream_.async_read_some(asio::buffer(rest), kTuple);
    if (error) break;
  }
  idle_ = false;
}

asio::awaitable<bool> HttpConnection::send(const Request& request, Response response, bool keep_alive) {
  host_.dispatcher.complete(request, response);
  record_.status = response.status;
  if (response.more) co_return co_await write_pieces(stream_, host_.services, request, std::move(response), keep_alive, record_.bytes);
  const bool bodiless = response.status == 204 || response.status == 304;
  std::string bytes = response_head(response, bodiless ? std::nullopt : std::optional(response.body.size()), keep_alive);
  if (request.method != "HEAD" && !bodiless) bytes += response.body;
  record_.bytes += bytes.size();
  co_return co_await write_all(stream_, bytes, limits::kWriteWait);
}

/// The head alone of what would be a stream.
asio::awaitable<HttpConnection::Next> HttpConnection::answer_head(const Request& request) {
  Response response;
  response.content_type = std::string(kEventStream);
  response.with("X-Accel-Buffering", "no");
  host_.dispatcher.complete(request, response);
  record_.status = response.status;
  const auto bytes = response_head(response, std::nullopt, false);
  record_.bytes += bytes.size();
  co_await write_all(stream_, bytes, limits::kWriteWait);
  co_return Next::close;
}

asio::awaitable<HttpConnection::Next> HttpConnection::run_stream(Request& request, const StreamHandler& handler, bool keep_alive) {
  auto refusal = co_await host_.dispatcher.prepare_stream(request);
  if (!refusal && host_.stopping) refusal = shutting_down(request);
  if (refusal) co_return co_await go_on(request, std::move(*refusal), keep_alive);
  if (request.method == "HEAD") co_return co_await answer_head(request);
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
  if (response && !stream.begun()) co_return co_await go_on(request, std::move(*response), keep_alive);
  co_return Next::close;
}

void HttpConnection::stop() {
  if (streaming_ != nullptr && !streaming_->ends_by_itself()) streaming_->close();
  if (idle_) stream_.cancel();
}

void HttpConnection::abort() {
  if (streaming_ != nullptr) streaming_->close();
  stream_.close();
}

}  // namespace planexe::server
