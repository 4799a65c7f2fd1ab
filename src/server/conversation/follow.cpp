#include "server/conversation/follow.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <algorithm>

#include "server/conversation/limits.hpp"
#include "server/limits.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kCommentLine = ": still here\n\n";

/// The events after `seen`, as many as one write takes.
std::string next_events(const EventLog& log, std::int64_t& seen, bool aggregated) {
  std::string bytes;
  while (seen < log.last_id() && bytes.size() < limits::kStreamWriteBytes) bytes += log.render(++seen, aggregated);
  return bytes;
}

}  // namespace

asio::awaitable<void> follow(const Services& services, std::shared_ptr<LiveRun> run, ClientStream& stream, std::int64_t after,
                             bool aggregated) {
  // A stopping server ends the run, and the run's last event says so.
  stream.ends_itself();
  if (!co_await stream.begin_events()) co_return;
  const auto timer = std::make_shared<asio::steady_timer>(services.loop);
  run->follow(timer);
  stream.on_close([weak = std::weak_ptr(timer)] {
    if (const auto alive = weak.lock()) alive->cancel();
  });
  std::int64_t seen = std::min(after, run->log().last_id());
  while (!stream.closed()) {
    auto bytes = next_events(run->log(), seen, aggregated);
    if (!bytes.empty()) {
      if (!co_await stream.write(std::move(bytes))) co_return;
      continue;
    }
    if (run->log().ended()) co_return;
    timer->expires_after(limits::kComment);
    const auto [status] = co_await timer->async_wait(kQuietly);
    // No error: nothing came for so long, and proxies close what is silent.
    if (!status && !co_await stream.write(std::string(kCommentLine))) co_return;
  }
}

bool nothing_left(const LiveRun& run, std::int64_t after) { return run.log().ended() && after > 0 && after >= run.log().last_id(); }

asio::awaitable<void> wait_until_over(const Services& services, std::shared_ptr<LiveRun> run) {
  const auto timer = std::make_shared<asio::steady_timer>(services.loop);
  run->follow(timer);
  while (!run->over()) {
    timer->expires_after(limits::kComment);
    co_await timer->async_wait(kQuietly);
  }
}

}  // namespace planexe::server
