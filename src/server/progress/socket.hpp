#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <memory>
#include <set>

#include "server/http_connection.hpp"
#include "server/services.hpp"

namespace planexe::server {

class ProgressSocket;

/// All open WebSockets. On the loop's thread.
class ProgressSockets {
 public:
  explicit ProgressSockets(const Services& services);
  ~ProgressSockets();

  /// Serves one socket to its end. Request and handshake were checked; token and plan are checked after the handshake, so
  /// that a browser sees the close code.
  boost::asio::awaitable<void> open(boost::beast::tcp_stream stream, Request request, UpgradeRequest upgrade);

  /// Closes all with 1001 (shutting down).
  void stop();
  /// Drops all without a word.
  void abort();
  /// Drops those whose client took no byte or gave no sign of life for too long. Called every second.
  void look_after();
  [[nodiscard]] std::size_t count() const { return open_.size(); }

 private:
  friend class ProgressSocket;
  const Services& services_;
  std::set<ProgressSocket*> open_;
};

}  // namespace planexe::server
