#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace planexe::server {

class Metrics;
struct Request;

/// What is kept of one request for the log and the metrics.
struct RequestRecord {
  std::string method, client, id;
  std::string route = "none";  ///< path template of the contract, "static" for the web page, "none" for what matches nothing
  std::string path;            ///< without its query; only where the route does not tell it
  int status = 0;              ///< 0: nothing was answered
  std::uint64_t bytes = 0;     ///< of the answer, head and body
  std::chrono::steady_clock::time_point begun{};

  /// Takes over what identifies a request.
  void name(const Request& request);
  /// Counts the request and writes its line. Nothing that holds a secret is in it: no query, header or body.
  void finish(Metrics& metrics, std::chrono::steady_clock::time_point now) const;
};

}  // namespace planexe::server
