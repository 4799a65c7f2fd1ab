#include <boost/asio/post.hpp>

#include "base/log.hpp"
#include "server/client_stream.hpp"
#include "server/conversation/conversation_service.hpp"
#include "server/conversation/conversation_store.hpp"
#include "server/conversation/follow.hpp"
#include "server/conversation/stream_request.hpp"
#include "server/conversation/turn_failure.hpp"
#include "server/handlers.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

using Service = std::shared_ptr<ConversationService>;

/// What an earlier process left in the ledger. Beside other processes only what is too old to be theirs.
void close_the_ledger(const Services& services) {
  const auto before = services.clock->now() - (services.exclusive ? std::chrono::minutes(0) : limits::kTurnLifeMax);
  asio::post(*services.pool, [store = services.store, before] {
    if (const auto closed = abandon_calls(*store, before); !closed) log_warn("calls of an earlier process stay open in the ledger", {});
  });
}

Response answer(const Result<json::object>& result, const Request& request) {
  return result ? json_response(*result) : error_response(result.error(), request.id);
}

json::object error_data(const Request& request, const std::string& token, const Error& error) {
  const auto failure = turn_failure(error);
  return {{"conversation_id", request.parameter("id")},
          {"model_key", request.query_value("modelKey").value_or("")},
          {"session_id", token},
          {"response_id", nullptr},
          {"message", failure.message},
          {"code", to_string(failure.code)},
          {"retryable", failure.retryable}};
}

asio::awaitable<std::optional<Response>> stream_turn(const Services& services, Service service, Request& request, ClientStream& stream) {
  const std::string token(request.query_value("token").value_or(""));
  auto model = request.query_value("modelKey");
  if (model && model->empty()) model.reset();
  auto live = service->open(request.parameter("id"), token, model);
  if (!live) {
    if (!told_in_stream(request, live.error())) co_return error_response(live.error(), request.id);
    co_await tell_error(stream, "response.error", error_data(request, token, live.error()));
    co_return std::nullopt;
  }
  // Nothing more will come, and this is what stops an EventSource.
  if (!*live || nothing_left(**live, last_event_id(request))) co_return empty_response(204);
  co_await follow(services, *live, stream, last_event_id(request), request.query_bool("aggregated", true));
  co_return std::nullopt;
}

}  // namespace

std::shared_ptr<ConversationService> add_conversation_handlers(Handlers& handlers, const Services& services) {
  close_the_ledger(services);
  const auto service = std::make_shared<ConversationService>(services);
  handlers.add("createConversation", [service](Request& request) -> asio::awaitable<Response> {
    co_return answer(co_await service->create(request.json), request);
  });
  handlers.add("getConversation", [service](Request& request) -> asio::awaitable<Response> {
    co_return answer(co_await service->view(request.parameter("id")), request);
  });
  handlers.add("deleteConversation", [service](Request& request) -> asio::awaitable<Response> {
    const auto removed = co_await service->remove(request.parameter("id"));
    co_return removed ? empty_response() : error_response(removed.error(), request.id);
  });
  handlers.add("prepareTurn", [service](Request& request) -> asio::awaitable<Response> {
    co_return answer(co_await service->prepare(request.parameter("id"), request.json), request);
  });
  handlers.add("runFollowup", [service](Request& request) -> asio::awaitable<Response> {
    co_return answer(co_await service->follow_up(request.parameter("id"), request.json), request);
  });
  handlers.add("finalizeConversation", [service](Request& request) -> asio::awaitable<Response> {
    co_return answer(co_await service->finalize(request.parameter("id")), request);
  });
  handlers.add_stream("streamTurn", [service, &services](Request& request, ClientStream& stream) {
    return stream_turn(services, service, request, stream);
  });
  return service;
}

}  // namespace planexe::server
