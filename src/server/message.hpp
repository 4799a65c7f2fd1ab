#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "store/rows.hpp"

namespace planexe::server {

struct Operation;

/// One request as handlers see it. Everything in it was checked against the contract before a handler gets it.
struct Request {
  std::string method;                                             ///< upper case
  std::string target;                                             ///< as sent, with the query
  std::string path;                                               ///< without the query, percent-encoded
  std::vector<std::pair<std::string, std::string>> query;         ///< decoded, in order
  std::map<std::string, std::string, std::less<>> headers;        ///< names in lower case; repeated ones joined by ", "
  std::string body;
  json::value json;                                               ///< the parsed body; {} for an empty optional one, null without
  std::map<std::string, std::string, std::less<>> parameters;     ///< of the path, decoded
  const Operation* operation = nullptr;
  std::string route;                                              ///< path template of the contract, whatever the method; "" for other paths
  std::string client;                                             ///< address of the client, behind a trusted proxy the forwarded one
  bool secure = false;                                            ///< the outer scheme is https
  bool chunks = true;                                             ///< an answer may come in chunks: not so with HTTP/1.0
  std::string identity;                                           ///< name of the token; "" without authentication
  std::string id;                                                 ///< for logs and the header X-Request-Id
  std::optional<store::PlanRow> plan;                             ///< of paths below /api/plans/{id}

  /// "" when absent; `name` in lower case.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  /// The first value of a query parameter.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> query_values(std::string_view name) const;
  /// A query parameter that the contract declares as a whole number or a truth value; `fallback` when absent.
  [[nodiscard]] std::int64_t query_int(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] bool query_bool(std::string_view name, bool fallback) const;
  /// A parameter of the path, which is there by the contract.
  [[nodiscard]] const std::string& parameter(std::string_view name) const;
};

/// A body that is made while it is sent.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes; none at the end. An error breaks the answer off. For the pool, one call at a time.
  virtual Result<std::string> next() = 0;
};

struct Response {
  int status = 200;
  std::string content_type;  ///< "" without a body
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// What follows `body`. Not for tagged bodies and ranges.
  std::shared_ptr<BodySource> more;
  /// A strong ETag of the body is added, `Cache-Control: private, no-cache`, and If-None-Match is answered with 304.
  bool tagged = false;
  /// A byte range of the body may be asked for.
  bool ranges = false;

  Response& with(std::string name, std::string value);
};

/// One field that does not fit, as FastAPI tells it.
struct FieldError {
  std::string type;  ///< missing, string_too_long, enum, int_parsing, value_error, …
  json::array loc;   ///< "body" or "query", then names and indexes
  std::string msg;
  json::object ctx;  ///< may be empty
};

Response json_response(const json::value& value, int status = 200);
Response empty_response(int status = 204);
/// The error body of the contract, with the status of its code.
Response error_response(const Error& error, const std::string& request_id);
Response field_errors_response(const std::vector<FieldError>& errors, const std::string& request_id);
/// The status that the contract gives a code; 500 for codes that must not cross the wire.
int http_status(ErrorCode code);

/// Percent-decoding; nothing for a malformed sequence or text that is not UTF-8.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace planexe::server
