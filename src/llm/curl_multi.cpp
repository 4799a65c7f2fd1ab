#include "llm/curl_multi.hpp"

#include <utility>

#include "base/error.hpp"

namespace planexe::llm {

namespace asio = boost::asio;

/// A socket of libcurl. The descriptor is only lent: libcurl closes it.
struct CurlMulti::Socket {
  Socket(const asio::any_io_executor& executor, curl_socket_t number) : descriptor(executor, number), handle(number) {}
  ~Socket() {
    if (descriptor.is_open()) descriptor.release();
  }

  asio::posix::stream_descriptor descriptor;
  curl_socket_t handle;
  int wanted = 0;
  bool reading = false;
  bool writing = false;
  bool gone = false;
};

void init_curl() {
  static const CURLcode status = curl_global_init(CURL_GLOBAL_DEFAULT);
  PLANEXE_ASSERT(status == CURLE_OK);
}

CurlMulti::CurlMulti(asio::any_io_executor executor, long connections_per_host_max, Done done)
    : executor_(executor), timer_(executor), done_(std::move(done)), multi_(nullptr) {
  init_curl();
  multi_ = curl_multi_init();
  PLANEXE_ASSERT(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::socket_callback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::timer_callback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, connections_per_host_max);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 2 * connections_per_host_max);
}

CurlMulti::~CurlMulti() {
  *alive_ = false;
  busy_ = true;
  curl_multi_cleanup(multi_);
  for (auto& [number, socket] : sockets_) {
    socket->gone = true;
    if (socket->descriptor.is_open()) socket->descriptor.release();
  }
}

void CurlMulti::add(CURL* easy) {
  PLANEXE_ASSERT(!busy_);
  busy_ = true;
  curl_multi_add_handle(multi_, easy);
  busy_ = false;
}

void CurlMulti::remove(CURL* easy) {
  PLANEXE_ASSERT(!busy_);
  busy_ = true;
  curl_multi_remove_handle(multi_, easy);
  busy_ = false;
}

void CurlMulti::unpause(CURL* easy) {
  PLANEXE_ASSERT(!busy_);
  busy_ = true;
  curl_easy_pause(easy, CURLPAUSE_CONT);
  busy_ = false;
  if (on_idle) on_idle();
}

int CurlMulti::socket_callback(CURL*, curl_socket_t socket, int what, void* self, void*) {
  static_cast<CurlMulti*>(self)->watch(socket, what);
  return 0;
}

int CurlMulti::timer_callback(CURLM*, long timeout_ms, void* self) {
  static_cast<CurlMulti*>(self)->set_timer(timeout_ms);
  return 0;
}

void CurlMulti::watch(curl_socket_t number, int what) {
  const auto known = sockets_.find(number);
  if (what == CURL_POLL_REMOVE) {
    if (known == sockets_.end()) return;
    // Before libcurl closes it, and so before the number can be reused.
    known->second->gone = true;
    known->second->descriptor.release();
    sockets_.erase(known);
    return;
  }
  std::shared_ptr<Socket> socket;
  if (known == sockets_.end()) {
    socket = std::make_shared<Socket>(executor_, number);
    sockets_.emplace(number, socket);
  } else {
    socket = known->second;
  }
  socket->wanted = what;
  arm(socket);
}

void CurlMulti::arm(const std::shared_ptr<Socket>& socket) {
  if (socket->gone) return;
  const auto start = [&](bool& running, asio::posix::stream_descriptor::wait_type type, int event) {
    if (std::exchange(running, true)) return;
    socket->descriptor.async_wait(type, [this, alive = alive_, socket, event, &running](const auto& status) {
      running = false;
      if (*alive) ready(socket, event, status);
    });
  };
  if ((socket->wanted & CURL_POLL_IN) != 0) start(socket->reading, asio::posix::stream_descriptor::wait_read, CURL_CSELECT_IN);
  if ((socket->wanted & CURL_POLL_OUT) != 0) start(socket->writing, asio::posix::stream_descriptor::wait_write, CURL_CSELECT_OUT);
}

void CurlMulti::ready(const std::shared_ptr<Socket>& socket, int event, const boost::system::error_code& status) {
  if (socket->gone) return;
  const int wanted = event == CURL_CSELECT_IN ? CURL_POLL_IN : CURL_POLL_OUT;
  if (!status && (socket->wanted & wanted) == 0) return;
  act(socket->handle, status ? CURL_CSELECT_ERR : event);
  arm(socket);
}

void CurlMulti::set_timer(long timeout_ms) {
  timer_.cancel();
  if (timeout_ms < 0) return;
  // Also a time-out of 0 comes back through the loop: libcurl must not be entered from its own callback.
  timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  timer_.async_wait([this, alive = alive_](const auto& status) {
    if (!status && *alive) act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlMulti::act(curl_socket_t socket, int events) {
  if (busy_) return;
  busy_ = true;
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  busy_ = false;
  const auto alive = alive_;
  collect_done();
  if (*alive && on_idle) on_idle();
}

void CurlMulti::collect_done() {
  const auto alive = alive_;
  int left = 0;
  // One at a time: what is done with one transfer may end another, whose message libcurl then takes back.
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;
    remove(easy);
    done_(easy, result);
    if (!*alive) return;
  }
}

}  // namespace planexe::llm
