#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <set>
#include <string>

#include "server/dispatcher.hpp"
#include "server/request_record.hpp"

namespace planexe::server {

using UpgradeRequest = boost::beast::http::request<boost::beast::http::string_body>;

/// What all connections share. On the loop's thread.
struct ConnectionHost {
  const Services& services;
  const Dispatcher& dispatcher;
  /// Takes a connection over whose request is a handshake that was checked; returns at the end of the socket.
  std::function<boost::asio::awaitable<void>(boost::beast::tcp_stream stream, Request request, UpgradeRequest upgrade)> open_socket;
  std::set<class HttpConnection*> open;
  bool stopping = false;
};

/// One HTTP/1.1 connection: reads requests one after the other, answers them, or hands the connection over to a stream.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(ConnectionHost& host, boost::beast::tcp_stream stream, std::string peer);
  ~HttpConnection();

  boost::asio::awaitable<void> serve();
  /// An idle connection is closed, one that answers ends after its answer, a stream is told.
  void stop();
  /// Closes whatever is under way.
  void abort();

 private:
  class Stream;
  enum class Next { more, close };

  boost::asio::awaitable<bool> wait_for_request();
  boost::asio::awaitable<bool> read_more();
  boost::asio::awaitable<std::optional<Result<void>>> read_head();
  boost::asio::awaitable<Next> one_request();
  template <class Parser>
  boost::asio::awaitable<std::optional<Next>> read_body(Parser& parser, Request& request);
  boost::asio::awaitable<Next> upgrade(Request& request, UpgradeRequest handshake, bool keep_alive);
  boost::asio::awaitable<Next> run_stream(Request& request, const StreamHandler& handler, bool keep_alive);
  boost::asio::awaitable<Next> answer_head(const Request& request);
  boost::asio::awaitable<Next> go_on(const Request& request, Response response, bool keep_alive);
  boost::asio::awaitable<Next> refuse(Error error, std::string wanted_id);
  boost::asio::awaitable<bool> send(const Request& request, Response response, bool keep_alive);
  boost::asio::awaitable<void> drain();

  ConnectionHost& host_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;  ///< bounded, since lines between chunks have no limit of their own
  std::string peer_;
  RequestRecord record_;
  Stream* streaming_ = nullptr;
  bool first_ = true;
  bool idle_ = false;
};

/// Writes all bytes; false when the client is gone or took nothing for `wait`.
boost::asio::awaitable<bool> write_all(boost::beast::tcp_stream& stream, std::string_view bytes, std::chrono::seconds wait);

}  // namespace planexe::server
