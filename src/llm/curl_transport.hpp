#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "llm/request.hpp"
#include "llm/settings.hpp"
#include "llm/transfer.hpp"

namespace planexe::llm {

struct TransportOptions {
  ClientSettings settings;
  std::string ca_file;  ///< "" = the system's authorities
  std::string proxy;    ///< "" = none, whatever the environment says
  int connections_max = 64;
};

/// A request as it goes over the wire.
struct TransferRequest {
  std::string method;
  std::string url;
  HeaderList headers;
  std::string body;
  bool streaming = true;
  std::chrono::milliseconds total_timeout{0};  ///< 0 = none; the caller watches
  bool fresh_connection = false;               ///< no connection of the pool
};

/// Called on the loop thread, from inside of the transport: they may call every function of it. After the end, an
/// abort or a drain nothing is called any more.
struct TransferHandlers {
  std::function<void(const ResponseHead&)> on_head;
  std::function<void(std::string_view)> on_body;
  std::function<void(const TransferEnd&)> on_end;
};

using TransferId = std::uint64_t;

/// HTTP by libcurl on an Asio executor: HTTP/2 where offered, connections kept and limited per host, TLS verified,
/// redirects refused, no proxy but a configured one. One thread. A request on a reused connection that turns out to be
/// closed is sent again by libcurl, once and only within settings.stale_connection_window.
class CurlTransport {
 public:
  CurlTransport(boost::asio::any_io_executor executor, TransportOptions options);
  ~CurlTransport();
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  TransferId start(TransferRequest request, TransferHandlers handlers);
  /// Ends a transfer; its connection, or its HTTP/2 stream, is closed so that the provider notices.
  void abort(TransferId id);
  /// Lets a transfer that is of no further interest end by itself for settings.drain_timeout, then aborts it.
  void drain(TransferId id);
  /// Stops and resumes reading; the provider is slowed down by TCP or HTTP/2 flow control.
  void pause(TransferId id);
  void resume(TransferId id);

  /// Transfers that have not ended, drained ones included.
  [[nodiscard]] std::size_t active() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace planexe::llm
