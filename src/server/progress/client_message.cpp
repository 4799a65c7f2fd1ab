#include "server/progress/client_message.hpp"

#include "base/json.hpp"

namespace planexe::server {

ClientMessage read_client_message(std::string_view text) {
  const auto message = parse_json(text);
  if (!message || !message->is_object()) return ClientMessage::malformed;
  const auto type = get_string(*message, "type").value_or("");
  if (type == "ping") return ClientMessage::heartbeat;
  if (type == "snapshot") return ClientMessage::snapshot;
  if (type == "heartbeat_response" || type == "command") return ClientMessage::nothing;
  return ClientMessage::malformed;
}

}  // namespace planexe::server
