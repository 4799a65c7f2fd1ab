// What a client of the server sends: heads of requests, headers with a grammar of their own, addresses, messages of the
// progress socket. The first byte chooses the reader, the second how bytes are split.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/text.hpp"
#include "server/access.hpp"
#include "server/conditional.hpp"
#include "server/contract.hpp"
#include "server/http_text.hpp"
#include "server/idempotency.hpp"
#include "server/limits.hpp"
#include "server/progress/client_message.hpp"
#include "server/request_head.hpp"
#include "server/static_files.hpp"
#include "server/upgrade_check.hpp"

namespace {

using namespace planexe;
using namespace planexe::server;
namespace http = boost::beast::http;

constexpr std::string_view kBody = "0123456789";

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (key == name) return value;
  return {};
}

/// However its bytes come, a head is found at the same place or refused with the same code. Gives where it ends, 0 for
/// none.
std::size_t scan(std::string_view bytes, std::size_t piece) {
  const auto whole = HeadScanner().look(bytes);
  HeadScanner scanner;
  Result<bool> last = false;
  for (std::size_t size = 0; size <= bytes.size() && last && !*last; size += piece)
    last = scanner.look(bytes.substr(0, size));
  if (last && !*last) last = scanner.look(bytes);
  PLANEXE_ASSERT(last.has_value() == whole.has_value());
  if (!whole) PLANEXE_ASSERT(last.error().code == whole.error().code);
  if (whole) PLANEXE_ASSERT(*last == *whole);
  return whole && *whole ? bytes.find("\r\n\r\n") + 4 : 0;
}

void check_route(Request& request) {
  const auto& contract = Contract::embedded();
  auto match = contract.match(request.method, request.path);
  if (match.operation == nullptr) return;
  const auto fits = !contract.check_path(*match.operation, match.parameters);
  for (const auto& [name, value] : match.parameters)
    if (fits) PLANEXE_ASSERT(valid_utf8(value) && value.find('\0') == std::string::npos);
  for (const auto& error : contract.check_query(*match.operation, request)) PLANEXE_ASSERT(!error.msg.empty());
  static_cast<void>(refuse_handshake(request));
}

void read_request(std::string_view bytes, std::size_t piece) {
  const auto end = scan(bytes, piece);
  if (end == 0) return;
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(bytes.size() + 1));
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), end), error);
  if (error || !parser.is_header_done()) return;
  auto request = request_of(parser.get());
  if (!request) return;
  PLANEXE_ASSERT(request->target.size() <= server::limits::kTargetBytesMax);
  PLANEXE_ASSERT(request->path == "*" || request->path.starts_with('/'));
  PLANEXE_ASSERT(percent_decoded(request->path, false).has_value());
  for (const auto& [name, value] : request->query)
    PLANEXE_ASSERT(!name.empty() && valid_utf8(name) && valid_utf8(value));
  check_route(*request);
  static const ServerSettings settings;
  const Access access(settings);
  static_cast<void>(access.check_host(request->header("host")));
  static_cast<void>(access.origin_allowed(*request, "127.0.0.1"));
  static_cast<void>(access.identity_of(*request));
  static_cast<void>(access.client_address("127.0.0.1", *request));
  if (const auto key = read_idempotency(*request)) PLANEXE_ASSERT(key->key.size() <= 255);
}

/// The body that a condition and a range leave is a part of the file, and the headers say which.
void read_conditions(std::string_view text) {
  Request request;
  request.method = "GET";
  const auto cut = std::min(text.find('\n'), text.size());
  const auto rest = text.substr(std::min(cut + 1, text.size()));
  const auto second = std::min(rest.find('\n'), rest.size());
  request.headers["range"] = text.substr(0, cut);
  request.headers["if-none-match"] = rest.substr(0, second);
  if (second < rest.size()) request.headers["if-range"] = rest.substr(second + 1);
  Response response;
  response.content_type = "text/plain";
  response.body = kBody;
  response.with("ETag", "\"abc\"");
  apply_condition(request, response);
  apply_range(request, response);
  if (response.status == 304) PLANEXE_ASSERT(response.body.empty());
  if (response.status == 200) PLANEXE_ASSERT(response.body == kBody);
  if (response.status != 206) return;
  const auto at = kBody.find(response.body);
  PLANEXE_ASSERT(!response.body.empty() && at != std::string_view::npos);
  PLANEXE_ASSERT(header(response, "Content-Range") == fmt::format("bytes {}-{}/10", at, at + response.body.size() - 1));
}

void read_names(std::string_view text) {
  if (const auto origin = normal_origin(text)) PLANEXE_ASSERT(normal_origin(*origin) == origin);
  if (const auto address = normal_address(text)) PLANEXE_ASSERT(normal_address(*address) == address);
  static_cast<void>(parse_host(text));
  static_cast<void>(accepts_gzip(text));
  for (const bool plus : {false, true})
    if (const auto decoded = percent_decoded(text, plus))
      PLANEXE_ASSERT(valid_utf8(*decoded) && decoded->find('\0') == std::string::npos);
}

/// Whatever stands in a value, it is one line.
void write_head(std::string_view text) {
  Response response;
  response.with("X", std::string(text)).with("Y", "z");
  const auto head = response_head(response, 1, true);
  PLANEXE_ASSERT(std::ranges::count(head, '\n') == 6 && std::ranges::count(head, '\r') == 6);
  PLANEXE_ASSERT(head.ends_with("\r\n\r\n"));
}

void read_body(std::string_view text) {
  auto value = parse_json(text);
  if (!value) return;
  const auto& contract = Contract::embedded();
  for (const auto& operation : contract.operations()) {
    if (operation.body == nullptr) continue;
    auto copy = *value;
    const auto errors = contract.check_body(operation, copy);
    PLANEXE_ASSERT(errors.size() <= 60);
    // What was trimmed once stays as it is.
    auto again = copy;
    PLANEXE_ASSERT(contract.check_body(operation, again).size() == errors.size());
    PLANEXE_ASSERT(again == copy);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 6) {
    case 0: read_request(text, 1 + data[1]); break;
    case 1: read_conditions(text); break;
    case 2: read_names(text); break;
    case 3: write_head(text); break;
    case 4: read_body(text); break;
    default: static_cast<void>(read_client_message(text)); break;
  }
  return 0;
}
