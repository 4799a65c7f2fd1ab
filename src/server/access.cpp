#include "server/access.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kCookie = "planexe_token";
constexpr std::string_view kBearerProtocol = "bearer.";
/// A browser sends one cookie of this name, or two when an older one has another path.
constexpr int kCookiesMax = 8;
/// Proxies in a row; more is an invented list.
constexpr int kForwardedMax = 32;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    if (const auto part = trimmed(text.substr(0, end)); !part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool equal_any_case(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, low, low);
}

bool starts_any_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && equal_any_case(text.substr(0, start.size()), start);
}

bool is_upgrade(const Request& request) {
  if (request.path.starts_with("/ws/")) return true;
  return std::ranges::any_of(split(request.header("upgrade"), ','),
                             [](std::string_view word) { return equal_any_case(word, "websocket"); });
}

bool changes_nothing(const Request& request) {
  return (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") && !is_upgrade(request);
}

bool is_own_name(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

/// An entry of X-Forwarded-For: an address, perhaps with a port.
std::optional<std::string> forwarded_address(std::string_view entry) {
  if (auto address = normal_address(entry)) return address;
  const auto place = parse_host(entry);
  if (!place) return std::nullopt;
  std::string_view host = place->host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return normal_address(host);
}

}  // namespace

bool Access::trusted(std::string_view peer) const {
  const auto address = normal_address(peer);
  return address && std::ranges::find(settings_.trusted_proxies, *address) != settings_.trusted_proxies.end();
}

bool Access::listed(std::string_view origin) const {
  return std::ranges::find(settings_.cors_origins, origin) != settings_.cors_origins.end();
}

Result<void> Access::check_host(std::string_view host) const {
  if (!settings_.loopback() && settings_.allowed_hosts.empty()) return {};
  if (const auto place = parse_host(host)) {
    if (is_own_name(place->host)) return {};
    for (const auto& allowed : settings_.allowed_hosts) {
      const auto wanted = parse_host(allowed);
      if (wanted && wanted->host == place->host && (wanted->port.empty() || wanted->port == place->port)) return {};
    }
  }
  return fail(ErrorCode::HostNotAllowed, "This host name is not allowed.",
              "PLANEXE_ALLOWED_HOSTS lists the names of this server.");
}

bool Access::origin_allowed(const Request& request, std::string_view peer) const {
  if (changes_nothing(request)) return true;
  const auto given = request.header("origin");
  if (given.empty()) return true;
  const auto origin = normal_origin(given);
  if (!origin) return false;
  if (listed(*origin)) return true;
  const std::string scheme = request.secure ? "https://" : "http://";
  const auto is_own = [&](std::string_view host) {
    return !host.empty() && normal_origin(scheme + std::string(host)) == origin;
  };
  if (is_own(request.header("host"))) return true;
  return trusted(peer) && is_own(trimmed(request.header("x-forwarded-host")));
}

std::optional<std::string> Access::name_of(std::string_view token) const {
  const std::string hash = sha256_hex(token);
  const ApiToken* found = nullptr;
  for (const auto& known : settings_.tokens)
    if (constant_time_equal(known.sha256, hash)) found = &known;
  return found == nullptr ? std::nullopt : std::optional(found->name);
}

std::optional<std::string> Access::identity_of(const Request& request) const {
  constexpr std::string_view kBearer = "bearer ";
  if (const auto header = trimmed(request.header("authorization")); starts_any_case(header, kBearer)) {
    return name_of(trimmed(header.substr(kBearer.size())));
  }
  int cookies = 0;
  for (const auto part : split(request.header("cookie"), ';')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos || trimmed(part.substr(0, equals)) != kCookie || ++cookies > kCookiesMax)
      continue;
    if (auto name = name_of(trimmed(part.substr(equals + 1)))) return name;
  }
  if (!is_upgrade(request)) return std::nullopt;
  for (const auto protocol : split(request.header("sec-websocket-protocol"), ',')) {
    if (protocol.starts_with(kBearerProtocol)) return name_of(protocol.substr(kBearerProtocol.size()));
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> Access::cors_headers(const Request& request, bool preflight) const {
  if (settings_.cors_origins.empty()) return {};
  std::vector<std::pair<std::string, std::string>> headers{{"Vary", "Origin"}};
  const auto given = request.header("origin");
  const auto origin = normal_origin(given);
  if (!origin || !listed(*origin)) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", given);
  headers.emplace_back("Access-Control-Allow-Credentials", "true");
  if (preflight) {
    headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE, OPTIONS");
    headers.emplace_back("Access-Control-Allow-Headers",
                         "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id");
    headers.emplace_back("Access-Control-Max-Age", "600");
  } else {
    headers.emplace_back("Access-Control-Expose-Headers", "ETag, Location, X-Next-Cursor, X-Request-Id, Retry-After");
  }
  return headers;
}

std::string Access::client_address(std::string_view peer, const Request& request) const {
  std::string client = normal_address(peer).value_or(std::string(peer));
  if (!trusted(peer)) return client;
  const auto hops = split(request.header("x-forwarded-for"), ',');
  int seen = 0;
  // From the end: what stands before the first address that no proxy of ours wrote can be invented.
  for (auto hop = hops.rbegin(); hop != hops.rend() && seen < kForwardedMax; ++hop, ++seen) {
    const auto address = forwarded_address(*hop);
    if (!address) break;
    client = *address;
    if (!trusted(client)) break;
  }
  return client;
}

bool Access::secure(std::string_view peer, const Request& request) const {
  if (!trusted(peer)) return false;
  const auto schemes = split(request.header("x-forwarded-proto"), ',');
  return !schemes.empty() && equal_any_case(schemes.front(), "https");
}

}  // namespace planexe::server
