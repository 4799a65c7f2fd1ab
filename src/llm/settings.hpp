#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace planexe::llm {

/// Every number of the model client, each with its default. Tests and operators change single values; nothing else in
/// this folder holds a time or a count of its own.
struct ClientSettings {
  using Ms = std::chrono::milliseconds;

  // Attempts. A provider that fails five times in a row will fail the sixth time; eight bounds what one call can cost.
  int request_retries_max = 4;
  int stream_restarts_max = 2;
  int attempts_max = 8;
  int models_max = 3;
  int repair_rounds_max = 2;
  int repeated_chunk_retries_max = 1;

  // Back-off: base * 2^n with a factor from [jitter_min, 1], so that calls that failed together do not return together.
  Ms backoff_base{500};
  Ms backoff_max{8'000};
  Ms backoff_rate_limited_max{30'000};
  double jitter_min = 0.75;
  /// A server's delay is a minimum; this much is added at random.
  Ms server_delay_extra_max{250};
  /// A longer delay is not waited for: another model answers sooner.
  Ms server_delay_max{120'000};
  /// A locked conversation is free again after the request before it has ended.
  Ms conversation_locked_delay{1'000};
  /// Retries of a plan: this share of its calls so far, but always the minimum, so that a failing provider is not hammered.
  double retry_share = 0.2;
  int retries_min = 10;
  /// A reused connection that ends this soon without a byte was closed by the server while idle: sent again at once.
  Ms stale_connection_window{1'000};

  // Timers, all on the monotonic clock.
  Ms connect_timeout{10'000};
  Ms headers_timeout_streaming{60'000};
  Ms headers_timeout_plain{600'000};
  Ms liveness_timeout{120'000};
  Ms progress_timeout{300'000};
  Ms attempt_timeout{900'000};
  Ms call_timeout{1'800'000};
  /// From being queued to the first request: a low request rate may let a call wait long, but not for ever.
  Ms queue_timeout{6 * 3'600'000};
  /// The host's commit of the ledger row.
  Ms announce_timeout{60'000};
  /// An error answer whose body does not end: some servers answer early and leave the connection hanging.
  Ms error_body_timeout{2'000};
  /// After the last event the connection may end by itself, which keeps it usable.
  Ms drain_timeout{2'000};
  /// Cancelling a background response at the provider; nobody waits for it.
  Ms cancel_request_timeout{10'000};
  Ms probe_timeout{10'000};

  // Background responses.
  Ms poll_first{2'000};
  Ms poll_max{15'000};
  double poll_growth = 1.5;
  int continuations_max = 5;
  /// Calls that take longer than this are run in the background where the endpoint can.
  Ms background_threshold{60'000};
  /// A response that was not started in the background ends with its connection; it is asked for no longer than this.
  Ms recovery_foreground_wait{60'000};

  // Streams.
  std::size_t sse_line_bytes_max = 64U << 20U;
  std::size_t sse_event_bytes_max = 64U << 20U;
  std::size_t output_text_bytes_max = 8U << 20U;
  /// A whole answer without a stream, and an error body.
  std::size_t body_bytes_max = 64U << 20U;
  std::size_t error_body_bytes_max = 256U << 10U;
  /// Parts of an answer that are told apart; a real one has a handful.
  std::size_t stream_parts_max = 4'096;
  Ms delta_interval{50};
  int identical_chunks_max = 100;

  // Repair.
  std::size_t repair_output_bytes_max = 16U << 10U;
  std::size_t feedback_chars_max = 16U << 10U;

  // Output budget: factor * 95th percentile seen, not below the minimum.
  double output_budget_factor = 4.0;
  int output_budget_min = 4'096;
  double reservation_factor = 1.2;
  std::size_t percentile_samples_min = 20;
  std::size_t percentile_samples_max = 200;

  // Rates, concurrency, breaker.
  /// Part of a minute's limit that may be used at once; the rest comes back evenly.
  double bucket_burst = 0.1;
  Ms halve_interval{5'000};
  int breaker_failures_in_row = 3;
  int breaker_attempts_min = 5;
  double breaker_failure_share = 0.5;
  Ms breaker_window{60'000};
  Ms breaker_open_first{10'000};
  Ms breaker_open_max{300'000};
  /// A fan-out of more calls than this lets the first one fill the provider's prefix cache.
  int fan_out_alone_min = 3;
  /// How long a provider keeps a prefix.
  Ms prefix_cache_lifetime{300'000};
  /// Calls that wait for their turn.
  std::size_t queue_length_max = 100'000;
  /// Plans, call kinds and lost parents that are remembered.
  std::size_t memory_entries_max = 10'000;

  // Chains.
  std::chrono::hours parent_age_max{29 * 24};

  // Connections.
  /// HTTP/2 carries many streams on one connection; with HTTP/1.1 every call needs its own.
  int connections_per_host_max = 16;
  Ms connection_idle_max{60'000};
  /// "2" (where the server offers it) or "1.1".
  std::string http_version = "2";
  std::string user_agent = "planexe";
};

}  // namespace planexe::llm
