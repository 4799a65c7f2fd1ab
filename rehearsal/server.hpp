#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <set>

#include "base/error.hpp"
#include "service.hpp"

namespace planexe::rehearsal {

/// The service behind a socket: HTTP/1.1 with keep-alive on one thread, one coroutine per connection.
class Server {
 public:
  /// Clock and executor must outlive the server.
  Server(boost::asio::any_io_executor executor, Service& service, const Clock& clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens on a loopback address; any other is INVALID_CONFIG, a port that is taken IO_ERROR. Port 0: one that is free.
  Result<void> listen(const std::string& host, unsigned short port);
  [[nodiscard]] unsigned short port() const { return port_; }
  /// "http://127.0.0.1:PORT"
  [[nodiscard]] std::string url() const;
  /// Accepts nothing more and drops all connections.
  void stop();
  [[nodiscard]] std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string host_;
  unsigned short port_ = 0;
};

}  // namespace planexe::rehearsal
