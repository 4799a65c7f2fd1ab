#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"
#include "engine/event_log.hpp"

namespace planexe::server {

/// One message of a plan's progress, serialised once for all who watch.
struct ProgressMessage {
  std::int64_t seq = 0;
  std::string type;
  bool numbered = true;                      ///< false: repeats the number of the last event and takes none
  std::shared_ptr<const std::string> text;   ///< the JSON
};

/// The fields that every message has, then those of `payload`, which has none of these.
ProgressMessage progress_message(std::string_view type, const std::string& plan_id, std::int64_t seq, TimePoint at,
                                 const json::object& payload, bool numbered = true);

/// A published or stored event of the engine.
ProgressMessage progress_message(const std::string& plan_id, const engine::Event& event);
engine::Event event_of(const store::EventRow& row);

}  // namespace planexe::server
