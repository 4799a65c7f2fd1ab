#include <algorithm>
#include <charconv>

#include "server/client_stream.hpp"
#include "server/handlers.hpp"
#include "server/limits.hpp"
#include "server/progress/feed.hpp"
#include "server/stream_count.hpp"

namespace planexe::server {
namespace {

namespace asio = boost::asio;

/// How long a browser waits before it comes back.
constexpr std::string_view kRetryLine = "retry: 2000\n\n";
constexpr std::string_view kCommentLine = ": \n\n";
constexpr std::string_view kKind = "events";

/// The number in the header Last-Event-ID; nothing when there is none. An error when it is no number.
Result<std::optional<std::int64_t>> last_event_id(const Request& request) {
  const auto header = request.header("last-event-id");
  if (header.empty()) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(header.data(), header.data() + header.size(), number);
  if (status == std::errc{} && end == header.data() + header.size() && number >= 0) return number;
  return fail(ErrorCode::ValidationFailed, "Last-Event-ID is the number of an event.");
}

/// The number after which the client goes on. A browser that comes back repeats the address that it was opened with; what it
/// has received since stands in the header, so the greater number counts.
std::optional<std::int64_t> wanted_after(const Request& request, std::optional<std::int64_t> last_id) {
  if (!request.query_value("after")) return last_id;
  return std::max(request.query_int("after", 0), last_id.value_or(0));
}

std::string text_of(const ProgressMessage& message) {
  // Connection and error are no events of the plan: a client must not take their number for what it has received.
  const bool has_id = message.type != "connection" && message.type != "error";
  return event_text(has_id ? std::to_string(message.seq) : "", message.type, *message.text);
}

asio::awaitable<std::optional<Response>> stream_progress(const Services& services, Request& request, ClientStream& stream) {
  const auto last_id = last_event_id(request);
  if (!last_id)
    co_return field_errors_response({{"int_parsing", {"header", "Last-Event-ID"}, last_id.error().message, {}}}, request.id);
  const StreamCount::Place place(*services.streams);
  if (!place.granted()) co_return error_response(Error(ErrorCode::RateLimited, "Too many streams are open; try again in a moment."), request.id);
  ProgressFeed feed(services, request.plan->plan_id, kKind);
  if (auto opened = co_await feed.open(wanted_after(request, *last_id)); !opened) co_return error_response(opened.error(), request.id);
  if (feed.nothing_left()) co_return empty_response(204);
  stream.on_close([&feed] { feed.interrupt(); });
  if (!co_await stream.begin_events()) co_return std::nullopt;
  if (!co_await stream.write(std::string(kRetryLine))) co_return std::nullopt;
  auto comment_at = services.clock->steady() + limits::kComment;
  auto heartbeat_at = services.clock->steady() + limits::kHeartbeat;
  while (!stream.closed() && !feed.finished() && !feed.queue.too_slow()) {
    std::string bytes;
    if (auto message = co_await feed.next(std::min(comment_at, heartbeat_at))) bytes = text_of(*message);
    const auto now = services.clock->steady();
    if (now >= heartbeat_at) {
      bytes += text_of(feed.unnumbered("heartbeat", {}));
      heartbeat_at = now + limits::kHeartbeat;
    } else if (now >= comment_at) {
      bytes += kCommentLine;
    }
    if (now >= comment_at) comment_at = now + limits::kComment;
    if (!bytes.empty() && !co_await stream.write(std::move(bytes))) break;
  }
  stream.on_close(nullptr);
  co_return std::nullopt;
}

}  // namespace

void add_progress_handlers(Handlers& handlers, const Services& services) {
  handlers.add_stream("streamProgress", [&services](Request& request, ClientStream& stream) {
    return stream_progress(services, request, stream);
  });
}

}  // namespace planexe::server
