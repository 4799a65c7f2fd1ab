#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace planexe::rehearsal {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request as it came over the wire. Header names are lower case.
struct HttpRequest {
  std::string method, target, body;
  Headers headers;

  /// The path without the query.
  [[nodiscard]] std::string_view path() const;
  /// A query parameter, percent sequences left as they are; "" when absent.
  [[nodiscard]] std::string_view query(std::string_view name) const;
  /// A header's value, "" when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// One thing a connection does while it answers.
struct WireStep {
  enum class Kind {
    write,
    wait,        ///< for `duration`
    reset,       ///< the connection ends with RST
    close,       ///< the connection ends with FIN in both directions
    half_close,  ///< no more is written; what the client still sends is read until it ends
    stall        ///< nothing more happens until the client goes away or the server ends
  } kind = Kind::write;
  std::string bytes = {};
  std::chrono::milliseconds duration{0};
};

/// What a connection does to answer one request. Made by pure code; the server carries it out.
struct WirePlan {
  std::vector<WireStep> steps;
  bool keep_alive = true;
  /// Where set and true, the rest of the steps is left out and `at_stop` is written (a cancelled background response).
  std::shared_ptr<const bool> stop = {};
  std::string at_stop = {};
  /// Called once at the end: true when every step was carried out, false when the client went away before.
  std::function<void(bool whole)> at_end = {};

  void write(std::string bytes);
  void wait(std::chrono::milliseconds duration);
  void end(WireStep::Kind kind);
};

/// Status line and headers, with the empty line.
std::string http_head(int status, const Headers& headers);

/// A whole answer with a Content-Length.
std::string http_answer(int status, Headers headers, std::string_view body);

/// One chunk of the chunked transfer coding; nothing for no bytes, since an empty chunk would end the body.
std::string http_chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// The writes of a plan cut into pieces of these sizes, used in turn (for byte-by-byte delivery). Empty: unchanged.
WirePlan cut_writes(WirePlan plan, const std::vector<std::size_t>& sizes);

}  // namespace planexe::rehearsal
