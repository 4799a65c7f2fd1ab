#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace planexe::server {

/// How one request to a model ended.
struct LlmAttempt {
  std::string_view provider, model;
  std::string_view status;  ///< completed, failed, abandoned, cancelled
  std::string_view reason;  ///< first, or why it was sent again: retry, repair, fallback, …
  std::int64_t input_tokens = 0, cached_input_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  std::int64_t cost_micros = 0;
  std::chrono::duration<double> time{0};
};

/// What the server tells Prometheus. Labels hold routes, states, task keys, providers and models, never ids or text;
/// each has a bound, and what comes beyond it counts as "other". Any thread.
class Metrics {
 public:
  using Seconds = std::chrono::duration<double>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// `route`: path template of the contract, "static" for files of the UI, "none" for what matches nothing. A method that
  /// the contract does not know is "other".
  void request_finished(std::string_view route, std::string_view method, int status, Seconds time);
  /// A request that its rate limit refused.
  void request_limited(std::string_view rate_class);
  void connections(std::int64_t open);

  /// `kind`: socket, events, turn, analysis. See OpenStream.
  void stream_opened(std::string_view kind);
  void stream_closed(std::string_view kind);
  void messages_dropped(std::string_view kind, std::int64_t count);

  /// Plans in a state, as counted in the database.
  void set_plans(std::string_view state, std::int64_t count);
  /// A plan came into a state.
  void plan_entered(std::string_view state);
  void queue(std::int64_t running, std::int64_t waiting);
  /// How long a plan waited for its start.
  void plan_started(Seconds waited);

  /// `state`: completed, failed, skipped, blocked, cancelled.
  void task_ended(std::string_view key, std::string_view state, Seconds time);

  void llm_attempt_ended(const LlmAttempt& attempt);
  /// How long a call waited for its turn under the limits of its endpoint.
  void llm_waited(std::string_view provider, std::string_view model, Seconds time);
  enum class BreakerState { closed = 0, half_open = 1, open = 2 };
  void breaker(std::string_view provider, std::string_view model, BreakerState state);

  /// `operation`: read, write.
  void database_latency(std::string_view operation, Seconds time);
  void database_up(bool up);

  /// Plans that run and wait, as last told to queue().
  struct Queue {
    std::int64_t running = 0, waiting = 0;
  };
  [[nodiscard]] Queue queue_now() const;

  /// Everything in the text format 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

/// Counts a stream as open while it lives.
class OpenStream {
 public:
  OpenStream(Metrics& metrics, std::string_view kind) : metrics_(metrics), kind_(kind) { metrics_.stream_opened(kind_); }
  ~OpenStream() { metrics_.stream_closed(kind_); }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;

 private:
  Metrics& metrics_;
  std::string_view kind_;  ///< a literal
};

}  // namespace planexe::server
