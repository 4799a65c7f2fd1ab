#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "llm/classify.hpp"
#include "llm/settings.hpp"
#include "llm/sse.hpp"
#include "llm/stream_accumulator.hpp"
#include "llm/token_bucket.hpp"
#include "llm/transfer.hpp"

namespace planexe::llm {

/// One HTTP request and its answer: finds out what the body is, feeds the accumulator, watches the timers. Pure: told
/// what came and when, it says whether it is over and how.
class Exchange {
 public:
  Exchange(const ClientSettings& settings, StreamAccumulator& accumulator, bool streaming, SteadyTime sent_at);

  void on_head(const ResponseHead& head, SteadyTime now);
  /// Gives what the bytes added to the answer.
  StreamUpdate on_body(std::string_view bytes, SteadyTime now);
  void on_end(const TransferEnd& end, SteadyTime now);
  void on_timer(SteadyTime now);
  /// Reading is paused because nobody takes the deltas: silence is not the provider's fault.
  void on_paused(SteadyTime now);

  /// Over: by the last event, by the end of the transfer, or by a failure.
  [[nodiscard]] bool over() const { return over_; }
  /// True when the transfer itself has ended and needs no stopping.
  [[nodiscard]] bool transfer_ended() const { return transfer_ended_; }
  [[nodiscard]] const std::optional<FailureSignal>& failure() const { return failure_; }
  /// Sent on a reused connection that ended without a byte.
  [[nodiscard]] bool stale_connection(SteadyTime now) const;
  [[nodiscard]] SteadyTime deadline() const;

  [[nodiscard]] const ResponseHead& head() const { return head_; }
  [[nodiscard]] std::optional<SteadyTime> first_byte_at() const { return first_byte_at_; }

 private:
  enum class Body { unknown, events, whole, error };

  StreamUpdate feed_events(std::string_view bytes, SteadyTime now);
  void collect(std::string_view bytes);
  void decide_body();
  void end_of_events();
  void end_of_whole();
  void end_of_error();
  void fail(FailurePhase phase, ProviderError error = {});
  void take_end_failure(const TransferEnd& end);

  const ClientSettings& settings_;
  StreamAccumulator& accumulator_;
  bool streaming_;
  SteadyTime sent_at_;
  SteadyTime last_byte_at_;
  SteadyTime last_progress_at_;
  std::optional<SteadyTime> first_byte_at_;
  ResponseHead head_;
  bool has_head_ = false;
  Body body_kind_ = Body::unknown;
  std::string body_;
  SseParser parser_;
  RepeatGuard repeats_;
  bool reused_connection_ = false;
  bool over_ = false;
  bool transfer_ended_ = false;
  std::optional<FailureSignal> failure_;
};

}  // namespace planexe::llm
