#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/access.hpp"
#include "server/contract.hpp"
#include "server/handlers.hpp"
#include "server/rate_limit.hpp"
#include "server/static_files.hpp"

namespace planexe::server {

/// Leads a request through the checks of the contract to its handler. On the loop's thread.
class Dispatcher {
 public:
  Dispatcher(const Services& services, const Handlers& handlers, const Access& access, RateLimiter& limiter, const StaticFiles& files);

  /// Everything that can be decided before the body is read: host, rate, route, method, origin, token. The answer when the
  /// request must not go on, as for OPTIONS. Fills operation, parameters, client and identity of the request. `peer` is the
  /// address of the connection.
  std::optional<Response> admit(Request& request, const std::string& peer) const;

  /// The id of a request: what the caller gave it, if that can be one, else a new one.
  [[nodiscard]] std::string request_id(std::string_view given) const;

  /// Looks the plan up, checks path, query and body, and runs the handler. The answer is complete but for connection headers.
  boost::asio::awaitable<Response> answer(Request& request) const;

  /// The same up to the handler, for a request that becomes a stream; nothing when it may begin.
  boost::asio::awaitable<std::optional<Response>> prepare_stream(Request& request) const;
  [[nodiscard]] const StreamHandler* stream_handler(const Request& request) const;

  /// Adds what every answer has: request id, safety headers, CORS, caching, ETag with 304, byte ranges.
  void complete(const Request& request, Response& response) const;

  [[nodiscard]] const Access& access() const { return access_; }

 private:
  [[nodiscard]] std::optional<Response> refuse_unrouted(const Request& request, const Contract::Match& match) const;
  [[nodiscard]] std::optional<Response> check_rate(const Request& request, std::string_view rate_class) const;
  boost::asio::awaitable<std::optional<Response>> check(Request& request) const;
  boost::asio::awaitable<std::optional<Response>> find_plan(Request& request) const;
  [[nodiscard]] std::optional<Response> read_body(Request& request) const;

  const Services& services_;
  const Handlers& handlers_;
  const Access& access_;
  RateLimiter& limiter_;
  const StaticFiles& files_;
};

}  // namespace planexe::server
