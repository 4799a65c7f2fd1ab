#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

namespace planexe::server {

/// A response that is written piece by piece, as event streams are. On the loop's thread.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  /// Sends the status line and headers of an event stream (text/event-stream, no-store) with further headers.
  virtual boost::asio::awaitable<bool> begin_events(std::vector<std::pair<std::string, std::string>> headers = {}) = 0;
  /// Sends bytes. False when the client is gone or took nothing for limits::kSilentWriteMax; nothing can be sent then.
  virtual boost::asio::awaitable<bool> write(std::string bytes) = 0;
  /// True when the client has closed the connection or the server is shutting down.
  [[nodiscard]] virtual bool closed() const = 0;
  /// Called once when closed() becomes true, on the loop's thread; wakes a handler that waits for something else.
  virtual void on_close(std::function<void()> wake) = 0;
  /// Says that the handler ends the stream by itself, with a last event, soon after the server begins to stop: until then the
  /// stream is not closed under it.
  virtual void ends_itself() {}
};

/// One event in the form of the WHATWG standard: "id: …", "event: …", "data: …" and the blank line. `data` has no line end.
std::string event_text(std::string_view id, std::string_view event, std::string_view data);

}  // namespace planexe::server
