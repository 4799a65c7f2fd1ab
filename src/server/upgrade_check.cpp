#include "server/upgrade_check.hpp"

#include <algorithm>

namespace planexe::server {
namespace {

constexpr std::string_view kVersion = "13";

bool equal_any_case(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, low, low);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_has(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (equal_any_case(trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// 16 bytes in base64 are 22 characters and two padding ones; the last of the 22 carries four bits.
bool is_key(std::string_view key) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == 24 && key.ends_with("==") && key.substr(0, 22).find_first_not_of(kAlphabet) == std::string_view::npos;
}

}  // namespace

std::optional<Response> refuse_handshake(const Request& request) {
  // Without chunks it is HTTP/1.0, which knows no upgrade.
  const bool asks = request.method == "GET" && request.chunks && list_has(request.header("upgrade"), "websocket") &&
                    list_has(request.header("connection"), "upgrade");
  if (!asks || trimmed(request.header("sec-websocket-version")) != kVersion) {
    const Error error(ErrorCode::UpgradeRequired, "This address speaks WebSocket.", "Open it as a WebSocket, version 13.");
    auto response = error_response(error, request.id);
    return response.with("Upgrade", "websocket").with("Sec-WebSocket-Version", std::string(kVersion));
  }
  if (!is_key(trimmed(request.header("sec-websocket-key"))))
    return error_response(Error(ErrorCode::InvalidRequest, "Sec-WebSocket-Key must be 16 bytes in base64."), request.id);
  return std::nullopt;
}

}  // namespace planexe::server
