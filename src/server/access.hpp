#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "server/message.hpp"
#include "server/settings.hpp"

namespace planexe::server {

/// Who may talk to the server, and as whom. Decides from the request's headers alone (spec 1.6 and 1.7). Any thread;
/// the settings must outlive it.
class Access {
 public:
  explicit Access(const ServerSettings& settings) : settings_(settings) {}

  /// HOST_NOT_ALLOWED for a Host header that is not this server's: pages of a hostile name that was pointed at a
  /// loopback address carry theirs.
  [[nodiscard]] Result<void> check_host(std::string_view host) const;

  /// False when a request that can change something, or a WebSocket upgrade, comes from a page of another origin. Uses
  /// request.secure. `peer`: address of the connection; when it is a trusted proxy, X-Forwarded-Host counts, too.
  [[nodiscard]] bool origin_allowed(const Request& request, std::string_view peer = {}) const;

  /// Name of the token that the request carries: bearer token, else cookie, else subprotocol of a WebSocket. A wrong
  /// bearer token is not made good by a cookie. Nothing without a valid one.
  [[nodiscard]] std::optional<std::string> identity_of(const Request& request) const;

  /// Name of a token; nothing when it is none of ours. Takes the same time for every wrong one.
  [[nodiscard]] std::optional<std::string> name_of(std::string_view token) const;

  /// What a browser needs to let a page of a listed origin read the answer; with `preflight`, to let it ask.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> cors_headers(const Request& request,
                                                                              bool preflight) const;

  /// Address of the client: the last one in X-Forwarded-For that is no trusted proxy, when `peer` is one; else `peer`.
  [[nodiscard]] std::string client_address(std::string_view peer, const Request& request) const;

  /// True when the client's connection is https, which only a trusted proxy can tell.
  [[nodiscard]] bool secure(std::string_view peer, const Request& request) const;

 private:
  [[nodiscard]] bool trusted(std::string_view peer) const;
  [[nodiscard]] bool listed(std::string_view origin) const;

  const ServerSettings& settings_;
};

/// An IP address in its one form, an IPv4 address in IPv6 clothes as IPv4; nothing for text that is none.
std::optional<std::string> normal_address(std::string_view text);

/// "http(s)://host[:port]" in lower case, without the scheme's own port; nothing for anything else, such as "null".
std::optional<std::string> normal_origin(std::string_view text);

/// Host and port of a Host header, in lower case; IPv6 addresses keep their brackets. Nothing for text that is none.
struct HostPort {
  std::string host;
  std::string port;  ///< "" when not given
};
std::optional<HostPort> parse_host(std::string_view text);

}  // namespace planexe::server
