#include <arpa/inet.h>

#include <array>

#include "server/access.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHostChars = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
/// DNS allows 253 characters.
constexpr std::size_t kHostCharsMax = 253;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of(kDigits) == std::string_view::npos &&
         std::stoul(std::string(text)) <= 65535;
}

}  // namespace

std::optional<std::string> normal_address(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  std::array<char, INET6_ADDRSTRLEN> out{};
  in_addr four{};
  if (inet_pton(AF_INET, copy.c_str(), &four) == 1) return copy;
  in6_addr six{};
  if (inet_pton(AF_INET6, copy.c_str(), &six) != 1) return std::nullopt;
  const void* bytes = &six;
  int family = AF_INET6;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    bytes = &six.s6_addr[12];
    family = AF_INET;
  }
  if (inet_ntop(family, bytes, out.data(), out.size()) == nullptr) return std::nullopt;
  return std::string(out.data());
}

std::optional<HostPort> parse_host(std::string_view text) {
  HostPort result;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto address = normal_address(text.substr(1, end - 1));
    if (!address) return std::nullopt;
    result.host = address->find(':') == std::string::npos ? *address : "[" + *address + "]";
    text.remove_prefix(end + 1);
  } else {
    const auto end = std::min(text.find(':'), text.size());
    result.host = lower(text.substr(0, end));
    const bool fits = !result.host.empty() && result.host.size() <= kHostCharsMax &&
                      result.host.find_first_not_of(kHostChars) == std::string::npos;
    if (!fits) return std::nullopt;
    text.remove_prefix(end);
  }
  if (text.empty()) return result;
  if (text.front() != ':' || !is_port(text.substr(1))) return std::nullopt;
  result.port = text.substr(1);
  return result;
}

std::optional<std::string> normal_origin(std::string_view text) {
  const auto mark = text.find("://");
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string scheme = lower(text.substr(0, mark));
  if (scheme != "http" && scheme != "https") return std::nullopt;
  const auto place = parse_host(text.substr(mark + 3));
  if (!place) return std::nullopt;
  const std::string_view own = scheme == "https" ? "443" : "80";
  std::string origin = scheme + "://" + place->host;
  if (!place->port.empty() && place->port != own) origin += ":" + place->port;
  return origin;
}

}  // namespace planexe::server
