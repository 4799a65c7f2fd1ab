#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "server/message.hpp"
#include "server/services.hpp"

namespace planexe::server {

/// What is known about the database from the probes so far. Pure.
class HealthState {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Millis = std::chrono::duration<double, std::milli>;

  /// A probe that has not ended within this time has failed.
  static constexpr std::chrono::seconds kGiveUp{2};

  void begin(Time now) { begun_ = now; }
  void end(Time now, bool ok);
  [[nodiscard]] bool under_way() const { return begun_.has_value(); }

  /// The last latency while the database works; nothing when it does not.
  [[nodiscard]] std::optional<Millis> latency(Time now) const;

 private:
  std::optional<Time> begun_;
  std::optional<Millis> latency_;
};

/// What an answer to /health says.
struct HealthFacts {
  std::optional<HealthState::Millis> latency;  ///< of the database; nothing when it does not work
  std::string api_version, backend;
  int schema_version = 0;
  std::int64_t available_models = 0, running = 0, waiting = 0, max_running = 0, max_waiting = 0;
  std::chrono::seconds uptime{0};
  TimePoint started_at{};
  bool rehearsal = false;
};

/// Health of the contract with 200, or UnhealthyError with 503.
Response health_response(const HealthFacts& facts, const std::string& request_id);

/// Reads and writes one row of the database every second, one probe at a time. On the loop's thread; ends with the
/// object.
class HealthProbe : public std::enable_shared_from_this<HealthProbe> {
 public:
  explicit HealthProbe(const Services& services);

  /// Looks at the database once, on the calling thread, and then every second on the loop.
  void start();
  [[nodiscard]] HealthFacts facts() const;

 private:
  struct Probe {
    bool ok = false;
    std::chrono::steady_clock::duration read{0};
    std::optional<std::chrono::steady_clock::duration> write;
  };

  void wait();
  void probe();
  void ended(const Probe& probe);

  const Services& services_;
  boost::asio::steady_timer timer_;
  HealthState state_;
  std::string backend_ = "sqlite";
  int schema_version_ = 0;
  HealthState::Time started_;
  TimePoint started_at_;
};

}  // namespace planexe::server
