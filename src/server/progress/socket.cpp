#include "server/progress/socket.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "base/text.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"
#include "server/progress/client_message.hpp"
#include "server/progress/feed.hpp"
#include "server/stream_count.hpp"

namespace planexe::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kSubprotocol = "planexe.v1";

enum CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kBinary = 1003,
  kNoText = 1007,
  kPolicy = 1008,
  kTooLarge = 1009,
  kFault = 1011,
  kNoToken = 4401,
  kNoPlan = 4404,
  kTooSlow = 4408,
  kTooMany = 4429,
};

constexpr int kTooManyRetrySeconds = 10;
constexpr std::string_view kKind = "socket";
constexpr std::size_t kPlanIdCharsMax = 128;

/// Names of subprotocols are compared as they are (RFC 6455, 1.9).
bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (trim(list.substr(0, end)) == protocol) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

/// One client of one plan's progress: a writer that follows the feed and a reader of the client's few messages.
class ProgressSocket : public std::enable_shared_from_this<ProgressSocket> {
 public:
  ProgressSocket(ProgressSockets& all, beast::tcp_stream stream, Request request)
      : all_(all), services_(all.services_), request_(std::move(request)), socket_(std::move(stream)), feed_(services_, request_.parameter("plan_id"), kKind) {
    all_.open_.insert(this);
  }
  ~ProgressSocket() { all_.open_.erase(this); }

  asio::awaitable<void> serve(UpgradeRequest upgrade) {
    const auto self = shared_from_this();
    if (!co_await shake_hands(upgrade)) co_return;
    const OpenStream counted(*services_.metrics, kKind);
    const StreamCount::Place place(*services_.streams);
    if (services_.settings->auth_required() && request_.identity.empty())
      co_return co_await refuse(kNoToken, ErrorCode::Unauthorized, "A valid token is needed.");
    if (!place.granted()) co_return co_await refuse(kTooMany, ErrorCode::RateLimited, "Too many streams are open.");
    if (auto opened = co_await feed_.open(after_); !opened) {
      const bool unknown = opened.error().code == ErrorCode::PlanNotFound;
      co_return co_await refuse(unknown ? kNoPlan : kFault, unknown ? ErrorCode::PlanNotFound : ErrorCode::DatabaseUnavailable,
                                unknown ? "No plan has this id." : "The database cannot answer now.");
    }
    asio::co_spawn(services_.loop, [self]() -> asio::awaitable<void> { co_await self->read(); }, asio::detached);
    co_await write();
  }

  void shut_down() {
    close_with_ = kGoingAway;
    feed_.interrupt();
  }

  void abort() { drop(); }

  void look_after(std::chrono::steady_clock::time_point now) {
    const bool stuck = writing_since_ && now - *writing_since_ > limits::kSilentWriteMax;
    if (stuck || now - alive_at_ > limits::kPongWait) drop();
  }

 private:
  asio::awaitable<bool> shake_hands(const UpgradeRequest& upgrade) {
    const bool named = offers(request_.header("sec-websocket-protocol"), kSubprotocol);
    socket_.set_option(websocket::stream_base::timeout{limits::kHeaderWait, websocket::stream_base::none(), false});
    socket_.set_option(websocket::stream_base::decorator([&](websocket::response_type& response) {
      if (named) response.set(beast::http::field::sec_websocket_protocol, beast::string_view(kSubprotocol.data(), kSubprotocol.size()));
      response.set("X-Request-Id", request_.id);
      response.set("X-Content-Type-Options", "nosniff");
      response.set("Referrer-Policy", "no-referrer");
      // The library would tell its own name and version otherwise.
      response.set(beast::http::field::server, "planexe");
    }));
    socket_.read_message_max(limits::kClientMessageBytesMax);
    socket_.control_callback([this](websocket::frame_type, beast::string_view) { alive_at_ = services_.clock->steady(); });
    alive_at_ = services_.clock->steady();
    if (const auto text = request_.query_value("after")) after_ = request_.query_int("after", 0);
    auto [error] = co_await socket_.async_accept(upgrade, kTuple);
    beast::get_lowest_layer(socket_).expires_never();
    socket_.text(true);
    co_return !error;
  }

  asio::awaitable<void> refuse(CloseCode close, ErrorCode code, std::string message) {
    json::object payload{{"message", message}, {"code", to_string(code)}};
    if (close == kTooMany) payload["retry_after_seconds"] = kTooManyRetrySeconds;
    // What cannot be an id is not repeated at length.
    const auto plan_id = cut_code_points(request_.parameter("plan_id"), kPlanIdCharsMax);
    co_await send(progress_message("error", plan_id, feed_.last_seq(), services_.clock->now(), payload, false));
    co_await close_now(close);
  }

  asio::awaitable<bool> send(ProgressMessage message) {
    writing_since_ = services_.clock->steady();
    auto [error, size] = co_await socket_.async_write(asio::buffer(*message.text), kTuple);
    writing_since_.reset();
    co_return !error;
  }

  asio::awaitable<void> close_now(std::uint16_t code) {
    writing_since_ = services_.clock->steady();
    co_await socket_.async_close(websocket::close_reason(static_cast<websocket::close_code>(code)), kTuple);
    writing_since_.reset();
    drop();
  }

  asio::awaitable<void> write() {
    auto heartbeat_at = services_.clock->steady() + limits::kHeartbeat;
    auto ping_at = services_.clock->steady() + limits::kPing;
    while (!gone_ && close_with_ == 0 && !feed_.finished()) {
      auto message = co_await feed_.next(std::min(heartbeat_at, ping_at));
      if (feed_.queue.too_slow()) {
        co_return co_await refuse(kTooSlow, ErrorCode::RequestTimeout, "The client reads too slowly; come back with after.");
      }
      if (message && !co_await send(std::move(*message))) break;
      const auto now = services_.clock->steady();
      if (now >= heartbeat_at || std::exchange(heartbeat_wanted_, false)) {
        heartbeat_at = now + limits::kHeartbeat;
        if (!co_await send(feed_.unnumbered("heartbeat", {}))) break;
      }
      if (std::exchange(complain_, false) &&
          !co_await send(feed_.unnumbered("error", {{"message", "This message is not understood."}, {"code", to_string(ErrorCode::InvalidJson)}})))
        break;
      if (now >= ping_at) {
        ping_at = now + limits::kPing;
        auto [error] = co_await socket_.async_ping({}, kTuple);
        if (error) break;
      }
    }
    if (gone_) co_return;
    if (close_with_ == 0) close_with_ = feed_.failed() ? kFault : kNormal;
    co_await close_now(close_with_);
  }

  asio::awaitable<void> read() {
    beast::flat_buffer buffer;
    int malformed = 0;
    for (;;) {
      auto [error, size] = co_await socket_.async_read(buffer, kTuple);
      if (error) break;
      alive_at_ = services_.clock->steady();
      if (!socket_.got_text()) close_with_ = kBinary;
      const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.size());
      // The library does not see a character that is cut off by an empty last part.
      if (socket_.got_text() && !valid_utf8(text)) close_with_ = kNoText;
      switch (read_client_message(text)) {
        case ClientMessage::heartbeat: heartbeat_wanted_ = true; break;
        case ClientMessage::snapshot: feed_.ask_for_snapshot(); break;
        case ClientMessage::malformed:
          complain_ = true;
          if (++malformed >= limits::kMalformedMax) close_with_ = kPolicy;
          break;
        case ClientMessage::nothing: break;
      }
      buffer.consume(buffer.size());
      feed_.interrupt();
    }
    // The other side closed, broke the protocol (the library has answered with its code) or vanished.
    gone_ = true;
    feed_.interrupt();
  }

  void drop() {
    gone_ = true;
    beast::get_lowest_layer(socket_).close();
    feed_.interrupt();
  }

  ProgressSockets& all_;
  const Services& services_;
  Request request_;
  websocket::stream<beast::tcp_stream> socket_;
  ProgressFeed feed_;
  std::optional<std::int64_t> after_;
  std::chrono::steady_clock::time_point alive_at_{};
  std::optional<std::chrono::steady_clock::time_point> writing_since_;
  std::uint16_t close_with_ = 0;
  bool heartbeat_wanted_ = false;
  bool complain_ = false;
  bool gone_ = false;
};

ProgressSockets::ProgressSockets(const Services& services) : services_(services) {}
ProgressSockets::~ProgressSockets() = default;

asio::awaitable<void> ProgressSockets::open(beast::tcp_stream stream, Request request, UpgradeRequest upgrade) {
  auto socket = std::make_shared<ProgressSocket>(*this, std::move(stream), std::move(request));
  co_await socket->serve(std::move(upgrade));
}

void ProgressSockets::stop() {
  for (auto* socket : std::set<ProgressSocket*>(open_)) socket->shut_down();
}

void ProgressSockets::abort() {
  for (auto* socket : std::set<ProgressSocket*>(open_)) socket->abort();
}

void ProgressSockets::look_after() {
  const auto now = services_.clock->steady();
  for (auto* socket : std::set<ProgressSocket*>(open_)) socket->look_after(now);
}

}  // namespace planexe::server
