#pragma once

#include <string_view>

namespace planexe::server {

/// What a client of the progress socket wants.
enum class ClientMessage { nothing, heartbeat, snapshot, malformed };

/// Reads a text message of a client. Answers to heartbeats and commands of older clients have no effect.
ClientMessage read_client_message(std::string_view text);

}  // namespace planexe::server
