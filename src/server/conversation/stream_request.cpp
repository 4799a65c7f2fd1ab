#include "server/conversation/stream_request.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace planexe::server {

std::int64_t last_event_id(const Request& request) {
  const auto text = request.header("last-event-id");
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  return status == std::errc{} && end == text.data() + text.size() ? std::max<std::int64_t>(0, number) : 0;
}

bool told_in_stream(const Request& request, const Error& error) {
  const bool of_token = error.code == ErrorCode::SessionNotFound || error.code == ErrorCode::SessionExpired ||
                        error.code == ErrorCode::SessionMismatch;
  return of_token && request.header("accept").find("text/event-stream") != std::string_view::npos;
}

boost::asio::awaitable<void> tell_error(ClientStream& stream, std::string_view event, const json::object& data) {
  if (!co_await stream.begin_events()) co_return;
  co_await stream.write(event_text("1", event, to_json(data)));
}

}  // namespace planexe::server
