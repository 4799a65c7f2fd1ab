#pragma once

#include <optional>

#include "server/message.hpp"

namespace planexe::server {

/// The answer to a request that is no WebSocket handshake as RFC 6455, 4.2.1 has it: 426 when it does not ask for version 13
/// of the protocol, 400 when what it asks with is malformed. Nothing when the handshake can be answered.
std::optional<Response> refuse_handshake(const Request& request);

}  // namespace planexe::server
