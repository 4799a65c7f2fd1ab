#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "server/client_stream.hpp"
#include "server/message.hpp"

namespace planexe::server {

/// The number of the last event that a returning client has seen; 0 for a new one.
std::int64_t last_event_id(const Request& request);

/// True for a wrong token of a client that reads event streams: an EventSource cannot read the body of an error.
bool told_in_stream(const Request& request, const Error& error);

/// A stream of this one event.
boost::asio::awaitable<void> tell_error(ClientStream& stream, std::string_view event, const json::object& data);

}  // namespace planexe::server
