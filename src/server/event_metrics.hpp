#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/event_log.hpp"
#include "llm/client.hpp"
#include "server/metrics.hpp"

namespace planexe::server {

/// Reads from the published events of plans how they and their tasks go. On the loop's thread.
class EventMetrics {
 public:
  explicit EventMetrics(Metrics& metrics) : metrics_(metrics) {}

  void observe(const std::string& plan_id, const std::vector<engine::Event>& events);

 private:
  void observe_status(const std::string& plan_id, const json::object& payload);
  void observe_task(const json::object& payload);

  Metrics& metrics_;
  std::map<std::string, std::string> plans_;  ///< last status of plans that have not ended
};

/// Counts the requests of a model client, those of plans and those of conversations.
class ModelMetrics final : public llm::ClientObserver {
 public:
  explicit ModelMetrics(Metrics& metrics) : metrics_(metrics) {}

  void attempt_started(const llm::AttemptStart& start) override;
  void attempt_ended(const llm::AttemptRecord& record) override;
  /// Asks the client how its models are. On the client's thread.
  static void observe(Metrics& metrics, const llm::ModelClient& client);

 private:
  Metrics& metrics_;
};

}  // namespace planexe::server
