#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string>

#include "server/message.hpp"

namespace planexe::server {

/// The request as handlers see it. URI_TOO_LONG; INVALID_REQUEST for a request without Host, with two of them, with a transfer coding
/// besides chunked, or with a target that is no path. The host of an absolute target takes the place of the header's.
Result<Request> request_of(const boost::beast::http::request<boost::beast::http::string_body>& message);

/// Status line and headers with the blank line. Without `body_bytes` no Content-Length is sent: a stream until the
/// connection ends, or an answer that has no body by its status.
std::string response_head(const Response& response, std::optional<std::size_t> body_bytes, bool keep_alive);

}  // namespace planexe::server
