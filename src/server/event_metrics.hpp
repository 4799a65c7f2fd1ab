#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/event_log.hpp"
#include "server/metrics.hpp"

namespace planexe::server {

/// Reads from the published events of plans what their tasks and model calls took. On the loop's thread.
class EventMetrics {
 public:
  explicit EventMetrics(Metrics& metrics) : metrics_(metrics) {}

  void observe(const std::string& plan_id, const std::vector<engine::Event>& events);

 private:
  struct Call {
    std::string provider, model, reason;
    json::object usage;
  };

  void observe_status(const std::string& plan_id, const json::object& payload);
  void observe_task(const json::object& payload);
  void observe_call(const engine::Event& event);

  Metrics& metrics_;
  std::map<std::int64_t, Call> calls_;        ///< under way, by interaction
  std::map<std::string, std::string> plans_;  ///< last status of plans that have not ended
};

}  // namespace planexe::server
