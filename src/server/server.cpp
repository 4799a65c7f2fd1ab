#include "server/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.hpp"
#include "server/contract.hpp"
#include "server/conversation/analysis_service.hpp"
#include "server/conversation/conversation_service.hpp"
#include "server/event_metrics.hpp"
#include "server/http_connection.hpp"
#include "server/limits.hpp"
#include "server/metrics.hpp"
#include "server/plan_service.hpp"
#include "server/progress/hub.hpp"
#include "server/progress/plan_watch.hpp"
#include "server/progress/socket.hpp"
#include "server/stream_count.hpp"

namespace planexe::server {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(Services& given, StaticFiles ui)
      : services(complete(given, *this)),
        handlers(services),
        access(*services.settings),
        files(std::move(ui)),
        dispatcher(services, handlers, access, limiter, files),
        sockets(services),
        host{services, dispatcher,
             [this](boost::beast::tcp_stream stream, Request request, UpgradeRequest upgrade) {
               return sockets.open(std::move(stream), std::move(request), std::move(upgrade));
             },
             {},
             false},
        acceptor(services.loop),
        watch(services.loop) {
    add_service_handlers(handlers, services);
    add_plan_handlers(handlers, services);
    add_task_handlers(handlers, services);
    add_file_handlers(handlers, services);
    add_report_handlers(handlers, services);
    add_progress_handlers(handlers, services);
    conversations = add_conversation_handlers(handlers, services);
    analyses = add_analysis_handlers(handlers, services);
  }

  static Services& complete(Services& services, State& state) {
    services.hub = (state.hub = std::make_unique<ProgressHub>(*services.clock)).get();
    services.streams = (state.streams = std::make_unique<StreamCount>(services.settings->max_streams)).get();
    services.plans = (state.plans = std::make_unique<PlanService>(services)).get();
    return services;
  }

  asio::awaitable<void> accept();
  void look_after();
  void finish();
  [[nodiscard]] bool quiet() const;

  std::unique_ptr<ProgressHub> hub;
  std::unique_ptr<StreamCount> streams;
  std::unique_ptr<PlanService> plans;
  std::shared_ptr<ConversationService> conversations;
  std::shared_ptr<AnalysisService> analyses;
  Services& services;
  EventMetrics event_metrics{*services.metrics};
  Handlers handlers;
  Access access;
  RateLimiter limiter{services.settings->rate_limits};
  StaticFiles files;
  Dispatcher dispatcher;
  ProgressSockets sockets;
  PlanWatch plan_watch{services};
  ConnectionHost host;
  tcp::acceptor acceptor;
  asio::steady_timer watch;
  std::chrono::steady_clock::time_point drop_sockets_at{}, stop_by{};
  bool aborted = false;
  std::function<void(bool over)> stopped;
};

asio::awaitable<void> Server::State::accept() {
  const auto self = shared_from_this();
  while (!host.stopping) {
    auto [error, socket] = co_await acceptor.async_accept(kTuple);
    if (host.stopping || error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    if (error) {
      // Out of descriptors: connections wait in the queue of the system until one is free.
      asio::steady_timer pause(services.loop, std::chrono::milliseconds(20));
      co_await pause.async_wait(kTuple);
      continue;
    }
    const auto open = host.open.size() + sockets.count();
    if (open >= static_cast<std::size_t>(services.settings->max_connections)) continue;  // refused by closing it
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const auto peer = socket.remote_endpoint(ignored).address().to_string();
    auto connection = std::make_shared<HttpConnection>(host, boost::beast::tcp_stream(std::move(socket)), peer);
    asio::co_spawn(services.loop, [connection]() { return connection->serve(); }, asio::detached);
  }
}

void Server::State::look_after() {
  watch.expires_after(host.stopping ? std::chrono::milliseconds(20) : std::chrono::milliseconds(1000));
  watch.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error) return;
    self->sockets.look_after();
    self->hub->forget_old();
    if (!self->host.stopping) self->plan_watch.look();
    self->services.metrics->connections(static_cast<std::int64_t>(self->host.open.size() + self->sockets.count()));
    if (self->host.stopping) return self->finish();
    self->look_after();
  });
}

bool Server::State::quiet() const {
  return host.open.empty() && sockets.count() == 0 && services.engine->running() == 0 && conversations->running() == 0 &&
         analyses->running() == 0;
}

/// Once everything is closed and handed back, or the time for it is over.
void Server::State::finish() {
  const auto now = services.clock->steady();
  if (!quiet() && now >= drop_sockets_at) sockets.abort();
  if (!quiet() && now >= stop_by && !std::exchange(aborted, true)) {
    for (auto* connection : std::set<HttpConnection*>(host.open)) connection->abort();
    stop_by = now + limits::kAbortWait;
  }
  if (!quiet() && now < stop_by) return look_after();
  if (auto done = std::exchange(stopped, nullptr)) done(quiet());
}

Server::Server(Services& services, StaticFiles files) : state_(std::make_shared<State>(services, std::move(files))) {
  state_->services.engine->on_events([state = state_.get()](const std::string& plan_id, const std::vector<engine::Event>& events) {
    state->event_metrics.observe(plan_id, events);
    state->hub->publish(plan_id, events);
  });
  state_->services.engine->on_end([state = state_.get()](const std::string& plan_id, const engine::RunEnded& end) {
    state->plans->ended(plan_id, end);
  });
}

Server::~Server() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  state_->watch.cancel();
}

Result<void> Server::listen() {
  const auto& settings = *state_->services.settings;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(settings.bind == "localhost" ? "127.0.0.1" : settings.bind, error);
  if (error) return fail(ErrorCode::InvalidConfig, "PLANEXE_BIND \"" + settings.bind + "\" is no address; write for example 127.0.0.1 or 0.0.0.0.");
  const tcp::endpoint endpoint(address, settings.port);
  auto& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(ErrorCode::IoError, fmt::format("Cannot listen on {} port {}: {}.{}", settings.bind, settings.port, error.message(),
                                                error == asio::error::address_in_use ? " Another program uses it; choose one with --port." : ""));
  asio::co_spawn(state_->services.loop, [state = state_]() { return state->accept(); }, asio::detached);
  state_->look_after();
  state_->plans->start();
  return {};
}

unsigned short Server::port() const {
  boost::system::error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

std::string Server::url() const {
  const auto& bind = state_->services.settings->bind;
  const bool v6 = bind.find(':') != std::string::npos;
  const bool any = bind == "0.0.0.0" || bind == "::";
  return fmt::format("http://{}:{}", any ? "127.0.0.1" : v6 ? "[" + bind + "]" : bind, port());
}

void Server::stop(std::function<void(bool over)> done) {
  if (state_->host.stopping) return;
  state_->host.stopping = true;
  state_->stopped = std::move(done);
  const auto now = state_->services.clock->steady();
  state_->stop_by = now + limits::kShutdownGrace;
  state_->drop_sockets_at = now + limits::kCloseAnswerWait;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  state_->plans->stop();
  state_->conversations->stop();
  state_->analyses->stop();
  state_->sockets.stop();
  for (auto* connection : std::set<HttpConnection*>(state_->host.open)) connection->stop();
  state_->watch.cancel();
  state_->look_after();
}

}  // namespace planexe::server
