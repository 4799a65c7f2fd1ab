#include "server/http_text.hpp"

#include <boost/beast/http/status.hpp>

#include "server/client_stream.hpp"
#include "server/limits.hpp"

namespace planexe::server {

namespace http = boost::beast::http;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

/// Nothing when a part cannot be decoded.
std::optional<std::vector<std::pair<std::string, std::string>>> read_query(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> query;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = one.find('=');
    auto name = percent_decoded(one.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("") : percent_decoded(one.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    if (!name->empty()) query.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

struct Absolute {
  std::string authority;
  std::string_view rest;  ///< from the path on; begins with a question mark when there is none
};

/// Nothing for what is no address of HTTP.
std::optional<Absolute> read_absolute(std::string_view target) {
  const auto mark = target.find("://");
  const auto scheme = lower(target.substr(0, std::min<std::size_t>(mark, 6)));
  if (mark == std::string_view::npos || (scheme != "http" && scheme != "https")) return std::nullopt;
  target.remove_prefix(mark + 3);
  const auto end = std::min(target.find_first_of("/?"), target.size());
  return Absolute{std::string(target.substr(0, end)), target.substr(end)};
}

/// A header's value cannot end the line it stands in.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') c = ' ';
  return out;
}

}  // namespace

Result<Request> request_of(const http::request<http::string_body>& message) {
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.chunks = message.version() >= 11;
  if (request.target.size() > limits::kTargetBytesMax) return fail(ErrorCode::UriTooLong, "The address is too long; at most 8 KiB is taken.");
  if (message.version() != 11 && message.version() != 10) return fail(ErrorCode::InvalidRequest, "Only HTTP/1.1 and HTTP/1.0 are spoken.");
  int hosts = 0;
  for (const auto& field : message) {
    auto name = lower(field.name_string());
    hosts += name == "host" ? 1 : 0;
    auto [it, fresh] = request.headers.try_emplace(std::move(name), std::string(field.value()));
    if (!fresh) it->second += ", " + std::string(field.value());
  }
  if (hosts > 1 || (hosts == 0 && message.version() == 11)) return fail(ErrorCode::InvalidRequest, "A request needs exactly one Host header.");
  // Only chunks are undone here. Any other coding would leave the end of the body to guessing (RFC 9112, 6.3).
  if (const auto coding = request.headers.find("transfer-encoding"); coding != request.headers.end() && lower(coding->second) != "chunked")
    return fail(ErrorCode::InvalidRequest, "The only transfer coding that is understood is chunked.");
  std::string_view target = request.target;
  const bool whole_server = target == "*" && request.method == "OPTIONS";
  if (!target.starts_with('/') && !whole_server) {
    auto absolute = read_absolute(target);
    if (!absolute) return fail(ErrorCode::InvalidRequest, "The request's target must be a path.");
    // A proxy's form: the host that it names counts, not that of the header (RFC 9112, 3.2.2).
    request.headers["host"] = std::move(absolute->authority);
    target = absolute->rest;
  }
  const auto question = target.find('?');
  request.path = std::string(target.substr(0, question));
  if (request.path.empty()) request.path = "/";
  if (!percent_decoded(request.path, false)) return fail(ErrorCode::InvalidRequest, "The path is not percent-encoded UTF-8.");
  if (question == std::string_view::npos) return request;
  auto query = read_query(target.substr(question + 1));
  if (!query) return fail(ErrorCode::InvalidRequest, "The query is not percent-encoded UTF-8.");
  request.query = std::move(*query);
  return request;
}

std::string response_head(const Response& response, std::optional<std::size_t> body_bytes, bool keep_alive) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
  if (!response.content_type.empty()) head += "Content-Type: " + response.content_type + "\r\n";
  if (body_bytes) head += fmt::format("Content-Length: {}\r\n", *body_bytes);
  for (const auto& [name, value] : response.headers) head += name + ": " + one_line(value) + "\r\n";
  // What Upgrade names belongs to this connection only (RFC 9110, 7.8).
  const std::string_view upgrade = response.status == 426 ? "Upgrade, " : "";
  head += fmt::format("Connection: {}{}\r\n\r\n", upgrade, keep_alive ? "keep-alive" : "close");
  return head;
}

std::string event_text(std::string_view id, std::string_view event, std::string_view data) {
  std::string text;
  if (!id.empty()) text += fmt::format("id: {}\n", id);
  if (!event.empty()) text += fmt::format("event: {}\n", event);
  text += fmt::format("data: {}\n\n", data);
  return text;
}

}  // namespace planexe::server
