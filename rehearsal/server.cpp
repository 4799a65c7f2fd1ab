#include "server.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace planexe::rehearsal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

/// The largest request is a repair round with a whole plan in front; tests send some MiB of text.
constexpr std::uint64_t kBodyMax = std::uint64_t{64} << 20U;
constexpr std::uint32_t kHeaderMax = 64U << 10U;
/// An idle connection is kept longer than clients keep theirs, so that they end it.
constexpr auto kIdle = std::chrono::seconds(120);
/// A client that takes nothing for so long is gone.
constexpr auto kWrite = std::chrono::seconds(120);

HttpRequest request_of(http::request<http::string_body>& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.body = std::move(message.body());
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    request.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  return request;
}

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(asio::any_io_executor io, Service& what, const Clock& time) : executor(std::move(io)), service(what), clock(time), acceptor(executor) {}

  asio::any_io_executor executor;
  Service& service;
  const Clock& clock;
  tcp::acceptor acceptor;
  std::set<beast::tcp_stream*> open;
  bool stopping = false;

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(beast::tcp_stream stream);
  asio::awaitable<bool> answer(beast::tcp_stream& stream, const HttpRequest& request, bool keep_alive);
  asio::awaitable<bool> carry_out(beast::tcp_stream& stream, const WirePlan& plan);
  asio::awaitable<void> pause(std::chrono::milliseconds duration, const WirePlan& plan);
  asio::awaitable<bool> finish(beast::tcp_stream& stream, WireStep::Kind kind);
  asio::awaitable<bool> send(beast::tcp_stream& stream, const std::string& bytes);
};

asio::awaitable<void> Server::State::accept() {
  auto self = shared_from_this();
  while (!stopping) {
    auto [error, socket] = co_await acceptor.async_accept(kTuple);
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {
      // Out of descriptors: connections in the queue wait until one is free.
      asio::steady_timer timer(executor, std::chrono::milliseconds(20));
      co_await timer.async_wait(kTuple);
      continue;
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(executor, serve(beast::tcp_stream(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> Server::State::serve(beast::tcp_stream stream) {
  auto self = shared_from_this();
  open.insert(&stream);
  beast::flat_buffer buffer;
  bool more = !stopping;
  while (more) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kBodyMax);
    parser.header_limit(kHeaderMax);
    stream.expires_after(kIdle);
    auto [error, size] = co_await http::async_read(stream, buffer, parser, kTuple);
    if (error == http::error::body_limit) {
      co_await send(stream, http_answer(413, {{"connection", "close"}}, ""));
    } else if (error && error != http::error::end_of_stream && error.category() == http::make_error_code(http::error::bad_method).category()) {
      co_await send(stream, http_answer(400, {{"connection", "close"}}, ""));
    }
    if (error) break;
    auto message = parser.release();
    const bool keep = message.keep_alive();
    const auto request = request_of(message);
    more = co_await answer(stream, request, keep) && !stopping;
  }
  open.erase(&stream);
  boost::system::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

asio::awaitable<bool> Server::State::answer(beast::tcp_stream& stream, const HttpRequest& request, bool keep_alive) {
  const auto plan = service.handle(request, {clock.steady(), clock.now()});
  const bool whole = co_await carry_out(stream, plan);
  if (plan.at_end) plan.at_end(whole);
  co_return whole && keep_alive && plan.keep_alive;
}

asio::awaitable<bool> Server::State::carry_out(beast::tcp_stream& stream, const WirePlan& plan) {
  for (const auto& step : plan.steps) {
    if (stopping) co_return false;
    if (plan.stop && *plan.stop) co_return co_await send(stream, plan.at_stop);
    if (step.kind == WireStep::Kind::write) {
      if (!co_await send(stream, step.bytes)) co_return false;
    } else if (step.kind == WireStep::Kind::wait) {
      co_await pause(step.duration, plan);
    } else {
      co_return co_await finish(stream, step.kind);
    }
  }
  co_return true;
}

/// A stream of a response that may be cancelled looks up now and then.
asio::awaitable<void> Server::State::pause(std::chrono::milliseconds duration, const WirePlan& plan) {
  constexpr std::chrono::milliseconds kGlance{20};
  const auto until = std::chrono::steady_clock::now() + duration;
  asio::steady_timer timer(executor);
  while (!stopping && !(plan.stop && *plan.stop)) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) co_return;
    if (plan.stop && left > kGlance) {
      timer.expires_after(kGlance);
    } else {
      timer.expires_at(until);
    }
    co_await timer.async_wait(kTuple);
  }
}

asio::awaitable<bool> Server::State::finish(beast::tcp_stream& stream, WireStep::Kind kind) {
  boost::system::error_code ignored;
  auto& socket = stream.socket();
  if (kind == WireStep::Kind::reset) {
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
    co_return false;
  }
  if (kind == WireStep::Kind::close) co_return true;
  if (kind == WireStep::Kind::half_close) socket.shutdown(tcp::socket::shutdown_send, ignored);
  // Nothing more is said; the client may leave or be left when the server ends.
  stream.expires_never();
  std::array<char, 4096> rest{};
  for (;;) {
    auto [error, size] = co_await stream.async_read_some(asio::buffer(rest), kTuple);
    if (error) co_return false;
  }
}

asio::awaitable<bool> Server::State::send(beast::tcp_stream& stream, const std::string& bytes) {
  stream.expires_after(kWrite);
  auto [error, size] = co_await asio::async_write(stream, asio::buffer(bytes), kTuple);
  co_return !error;
}

Server::Server(asio::any_io_executor executor, Service& service, const Clock& clock)
    : state_(std::make_shared<State>(std::move(executor), service, clock)) {}

Server::~Server() { stop(); }

Result<void> Server::listen(const std::string& host, unsigned short port) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error || !address.is_loopback())
    return fail(ErrorCode::InvalidConfig, fmt::format("The rehearsal server listens on loopback only; {} is no such address (use 127.0.0.1 or ::1).", host));
  const tcp::endpoint endpoint(address, port);
  auto& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(ErrorCode::IoError, fmt::format("Cannot listen on {} port {}: {}", host, port, error.message()));
  host_ = address.is_v6() ? "[::1]" : address.to_string();
  port_ = acceptor.local_endpoint().port();
  asio::co_spawn(state_->executor, state_->accept(), asio::detached);
  return {};
}

std::string Server::url() const { return fmt::format("http://{}:{}", host_, port_); }

void Server::stop() {
  if (state_->stopping) return;
  state_->stopping = true;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  for (auto* stream : state_->open) stream->cancel();
}

std::size_t Server::connections() const { return state_->open.size(); }

}  // namespace planexe::rehearsal
