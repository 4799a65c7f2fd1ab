#include "server/client_stream.hpp"
#include "server/conversation/analysis_service.hpp"
#include "server/conversation/follow.hpp"
#include "server/conversation/stream_request.hpp"
#include "server/conversation/turn_failure.hpp"
#include "server/handlers.hpp"

namespace planexe::server {

namespace asio = boost::asio;

namespace {

using Service = std::shared_ptr<AnalysisService>;

asio::awaitable<std::optional<Response>> stream_analysis(const Services& services, Service service, Request& request, ClientStream& stream) {
  const auto& task = request.parameter("task_id");
  const auto& model = request.parameter("model_key");
  auto live = service->open(task, model, request.parameter("session_id"));
  if (!live) {
    if (!told_in_stream(request, live.error())) co_return error_response(live.error(), request.id);
    co_await tell_error(stream, "stream.error", json::object{{"taskId", task},
                                                             {"modelKey", model},
                                                             {"error", turn_error_json(turn_failure(live.error()))},
                                                             {"timestamp", format_iso(services.clock->now())}});
    co_return std::nullopt;
  }
  if (!*live || nothing_left(**live, last_event_id(request))) co_return empty_response(204);
  co_await follow(services, *live, stream, last_event_id(request), false);
  co_return std::nullopt;
}

}  // namespace

std::shared_ptr<AnalysisService> add_analysis_handlers(Handlers& handlers, const Services& services) {
  const auto service = std::make_shared<AnalysisService>(services);
  handlers.add("createAnalysis", [service](Request& request) -> asio::awaitable<Response> {
    const auto session = service->prepare(request.json);
    co_return session ? json_response(*session) : error_response(session.error(), request.id);
  });
  handlers.add_stream("streamAnalysis", [service, &services](Request& request, ClientStream& stream) {
    return stream_analysis(services, service, request, stream);
  });
  return service;
}

}  // namespace planexe::server
