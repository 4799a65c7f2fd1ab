#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <map>

#include "base/time.hpp"
#include "server_process.hpp"

namespace planexe::bench {

/// Many watchers of one plan in one thread, half WebSockets, half event streams. They read everything and note when they saw
/// the marks "tick N\n" that a scripted model sends as deltas.
class Watchers {
 public:
  Watchers(unsigned short port, const std::string& plan_id, int count) : port_(port), plan_id_(plan_id), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    all_.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      connect(i % 2 == 0);
      // Not faster than the server accepts: what this measures is not the queue of the system.
      if (i % 100 == 99) read_for(0);
    }
  }
  ~Watchers() {
    for (const auto& one : all_) ::close(one.socket);
    ::close(poll_);
  }
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  /// Reads until all have got their snapshot and the status behind it.
  void settle() {
    const auto begin = Steady::now();
    while (snapshots_ < static_cast<int>(all_.size())) {
      read_for(50);
      if (ms_since(begin) > 300'000) die(fmt::format("{} of {} watchers got a snapshot", snapshots_, all_.size()));
    }
    const auto settled = Steady::now();
    while (ms_since(settled) < 300) read_for(50);
  }

  /// Reads for so long, at least once; the number of sockets that had something.
  int read_for(int ms) {
    constexpr double kPongMs = 15'000;
    if (ms_since(pongs_at_) > kPongMs) give_signs_of_life();
    epoll_event events[512];
    const int found = ::epoll_wait(poll_, events, 512, ms);
    for (int i = 0; i < found; ++i) read(all_[events[i].data.u32]);
    return found;
  }

  struct Tick {
    double sent = 0;  ///< milliseconds of the wall clock, as the server numbered the event
    double first = 0, last = 0;
    int seen = 0;
  };
  [[nodiscard]] const std::map<int, Tick>& ticks() const { return ticks_; }
  [[nodiscard]] std::int64_t messages() const { return messages_; }
  [[nodiscard]] int lost() const { return lost_; }
  /// Watchers that were told the end of the plan.
  [[nodiscard]] int ended() const { return ended_; }
  /// Snapshots that stand for messages which a watcher did not take in time.
  [[nodiscard]] int overflows() const { return overflows_; }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  struct One {
    int socket = -1;
    bool snapshot = false, ended = false;
    std::string tail;
  };

  static double wall_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch()).count();
  }

  void connect(bool web_socket) {
    One one;
    one.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one.socket < 0) die("no socket: raise the limit of descriptors (ulimit -n)");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(one.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot connect");
    const std::string head = web_socket ? fmt::format("GET /ws/plans/{}/progress HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                                                      plan_id_)
                                        : fmt::format("GET /api/plans/{}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n", plan_id_);
    if (::send(one.socket, head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) die("cannot send");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(all_.size());
    ::epoll_ctl(poll_, EPOLL_CTL_ADD, one.socket, &event);
    all_.push_back(std::move(one));
  }

  /// An unasked-for pong (RFC 6455, 5.5.3) from every WebSocket: the server drops those that are silent for a minute.
  void give_signs_of_life() {
    pongs_at_ = Steady::now();
    constexpr unsigned char kPong[] = {0x8A, 0x80, 0, 0, 0, 0};
    for (std::size_t i = 0; i < all_.size(); i += 2)
      if (all_[i].snapshot) (void)::send(all_[i].socket, kPong, sizeof kPong, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void read(One& one) {
    static char buffer[1 << 18];
    const auto size = ::recv(one.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0) return;
    if (size == 0) {
      lost_ += one.ended ? 0 : 1;
      ::epoll_ctl(poll_, EPOLL_CTL_DEL, one.socket, nullptr);
      return;
    }
    std::string_view text(buffer, static_cast<std::size_t>(size));
    one.tail += text;
    std::size_t used = 0;
    for (std::size_t at = 0; (at = one.tail.find("\"type\":\"", at)) != std::string::npos; at += 8) ++messages_;
    if (!one.snapshot && one.tail.find("\"type\":\"snapshot\"") != std::string::npos) {
      one.snapshot = true;
      ++snapshots_;
    }
    if (!one.ended && one.tail.find("\"type\":\"stream_end\"") != std::string::npos) {
      one.ended = true;
      ++ended_;
    }
    for (std::size_t at = 0; (at = one.tail.find("\"reason\":\"slow_client\"", at)) != std::string::npos; ++overflows_) one.tail[at + 1] = '!';
    for (std::size_t at = 0; (at = one.tail.find("\"delta\":\"tick ", at)) != std::string::npos;) {
      const auto end = one.tail.find('\\', at);
      if (end == std::string::npos) break;
      note(one.tail, at, std::atoi(one.tail.c_str() + at + 14));
      used = at = end;
    }
    // What may be the beginning of a mark stays.
    const auto keep = std::min<std::size_t>(one.tail.size() - used, 400);
    if (one.snapshot) one.tail.erase(0, one.tail.size() - keep);
    if (one.tail.find("\"type\":\"") != std::string::npos) strip(one.tail);
  }

  /// Marks that were counted are not to be counted again.
  static void strip(std::string& tail) {
    for (std::size_t at = 0; (at = tail.find("\"type\":\"", at)) != std::string::npos;) tail[at + 1] = '!';
    for (std::size_t at = 0; (at = tail.find("\"delta\":\"tick ", at)) != std::string::npos;) {
      if (tail.find('\\', at) == std::string::npos) break;
      tail[at + 1] = '!';
    }
  }

  void note(const std::string& text, std::size_t at, int number) {
    auto& tick = ticks_[number];
    const auto now = wall_ms();
    if (tick.seen == 0) {
      tick.first = now;
      const auto stamp = text.rfind("\"timestamp\":\"", at);
      if (stamp != std::string::npos)
        if (const auto sent = parse_iso(text.substr(stamp + 13, 24))) tick.sent = static_cast<double>(sent->time_since_epoch().count());
    }
    tick.last = now;
    ++tick.seen;
  }

  unsigned short port_;
  std::string plan_id_;
  int poll_;
  std::vector<One> all_;
  Steady::time_point pongs_at_ = Steady::now();
  std::map<int, Tick> ticks_;
  std::int64_t messages_ = 0;
  int snapshots_ = 0, lost_ = 0, ended_ = 0, overflows_ = 0;
};

/// A plan whose first call sends "tick N" as a delta again and again; everything else waits for it.
inline std::string ticking_plan(ServerBench& bench, int ticks, int between_ms, int first_ms) {
  json::array events{json::object{{"type", "response.created"}, {"sequence_number", 0}, {"response", json::object{{"id", "resp_tick"}, {"status", "in_progress"}}}}};
  for (int i = 1; i <= ticks; ++i)
    events.push_back(json::object{{"type", "response.reasoning_summary_text.delta"},
                                  {"sequence_number", i},
                                  {"item_id", "rs_1"},
                                  {"output_index", 0},
                                  {"summary_index", 0},
                                  {"delta", fmt::format("tick {}\n", i)}});
  const json::object step{{"events", std::move(events)}, {"delay", json::object{{"between", between_ms}, {"first_event", first_ms}}}, {"connection", "stall"}};
  bench.script(to_json(json::object{{"match", json::object{{"task", "redline_gate"}}}, {"repeat", 1}, {"steps", json::array{step}}}));
  return bench.create_plan();
}

}  // namespace planexe::bench
