#include "server/request_record.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "server/message.hpp"
#include "server/metrics.hpp"

namespace planexe::server {
namespace {

/// Enough to find a wrong link; more is noise of scanners.
constexpr std::size_t kPathCharsMax = 200;

}  // namespace

void RequestRecord::name(const Request& request) {
  method = request.method;
  client = request.client;
  id = request.id;
  if (!request.route.empty()) {
    route = request.route;
    return;
  }
  path = cut_code_points(to_valid_utf8(request.path), kPathCharsMax);
}

void RequestRecord::finish(Metrics& metrics, std::chrono::steady_clock::time_point now) const {
  if (status == 0) return;
  const std::chrono::duration<double> time = now - begun;
  metrics.request_finished(route, method, status, time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  const double milliseconds = static_cast<double>(micros) / 1000;
  const auto level = status >= 500 ? LogLevel::warn : LogLevel::info;
  const LogField by("method", method), to("route", route), end("status", status), took("duration_ms", milliseconds), size("bytes", bytes),
      number("request_id", id), from("peer", client);
  if (path.empty())
    log(level, "request", {by, to, end, took, size, number, from});
  else
    log(level, "request", {by, to, {"path", path}, end, took, size, number, from});
}

}  // namespace planexe::server
