#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "server/message.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// Sends a response whose rest (`Response::more`) is made meanwhile: in chunks (RFC 9112, 7.1), or until the connection's
/// end to a client of HTTP/1.0. A source that fails breaks the connection off, so that nobody takes the answer for whole.
/// True when the connection can take another request. `written` grows by what was sent, chunk heads apart.
boost::asio::awaitable<bool> write_pieces(boost::beast::tcp_stream& stream, const Services& services, const Request& request,
                                          Response response, bool keep_alive, std::uint64_t& written);

}  // namespace planexe::server
