#pragma once

#include <curl/curl.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>

namespace planexe::llm {

/// libcurl's multi interface with its sockets and timer on an Asio executor. One thread. libcurl must not be called from
/// its own callbacks, so add and remove are only legal while `busy()` is false.
class CurlMulti {
 public:
  using Done = std::function<void(CURL* easy, CURLcode result)>;

  /// `done` is told of every transfer that ended, outside of libcurl, after it was removed.
  CurlMulti(boost::asio::any_io_executor executor, long connections_per_host_max, Done done);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  void add(CURL* easy);
  void remove(CURL* easy);
  /// Lets a paused transfer read again; its callbacks may run at once.
  void unpause(CURL* easy);
  [[nodiscard]] bool busy() const { return busy_; }
  /// Called whenever libcurl has been left.
  std::function<void()> on_idle;

 private:
  struct Socket;

  static int socket_callback(CURL* easy, curl_socket_t socket, int what, void* self, void* watch);
  static int timer_callback(CURLM* multi, long timeout_ms, void* self);
  void watch(curl_socket_t socket, int what);
  void arm(const std::shared_ptr<Socket>& socket);
  void ready(const std::shared_ptr<Socket>& socket, int event, const boost::system::error_code& status);
  void set_timer(long timeout_ms);
  void act(curl_socket_t socket, int events);
  void collect_done();

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  Done done_;
  CURLM* multi_;
  std::map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool busy_ = false;
};

/// curl_global_init, once per process.
void init_curl();

}  // namespace planexe::llm
