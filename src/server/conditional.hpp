#pragma once

#include <chrono>

#include "server/message.hpp"

namespace planexe::server {

/// Adds a strong ETag of the body (unless the response has one) and turns a matching If-None-Match into 304 (RFC 9110, 13.1.2).
void apply_condition(const Request& request, Response& response);

/// Answers one byte range of a 200 with 206, or 416 when it lies outside (RFC 9110, 14). Several ranges, other units and an
/// If-Range that does not match get the whole body.
void apply_range(const Request& request, Response& response);

/// The time after which a refused request may be repeated, in the header and, where the body is an error, in the body.
void set_retry_after(Response& response, std::chrono::seconds after);

}  // namespace planexe::server
