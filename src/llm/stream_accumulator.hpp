#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "llm/model_response.hpp"
#include "llm/settings.hpp"
#include "llm/sse.hpp"

namespace planexe::llm {

/// What one event of a stream meant.
struct StreamUpdate {
  bool semantic = false;   ///< the model got on; comments and keep-alives do not count
  std::string text;        ///< new text to show
  std::string reasoning;   ///< new reasoning to show
};

/// Oddities that were coped with; they go to the ledger.
struct StreamCounters {
  int unknown_events = 0, duplicate_events = 0, sequence_gaps = 0, text_mismatches = 0;
};

/// Builds the response out of the events of one stream. A response that a broken connection interrupted is continued
/// with the same object.
class StreamAccumulator {
 public:
  virtual ~StreamAccumulator() = default;

  /// Takes one event. Errors: PROVIDER_ERROR for data that is not what the protocol allows, LIMIT_EXCEEDED for a text
  /// that is too long. Events after the final one are ignored.
  virtual Result<StreamUpdate> on_event(const SseEvent& event) = 0;

  /// The connection ended cleanly. Completes the response where the protocol has no final event of its own.
  virtual void on_end() {}

  /// A whole response that came instead of a stream; it becomes the result when it has ended.
  virtual Result<void> on_body(const json::value& body) = 0;

  /// The result, once the provider has said the last word: a response in a state that does not change any more. Errors
  /// inside the stream are a response with status `failed`.
  [[nodiscard]] const std::optional<ModelResponse>& result() const { return result_; }

  /// What is known of the response so far, for the ledger of a broken attempt.
  [[nodiscard]] virtual ModelResponse partial() const = 0;

  [[nodiscard]] const std::string& response_id() const { return response_id_; }
  /// Number of the last event; -1 before the first or where the server does not number.
  [[nodiscard]] std::int64_t last_sequence() const { return last_sequence_; }
  [[nodiscard]] const StreamCounters& counters() const { return counters_; }

 protected:
  std::optional<ModelResponse> result_;
  std::string response_id_;
  std::int64_t last_sequence_ = -1;
  StreamCounters counters_;
};

enum class Wire { responses, chat };

/// An accumulator for the events of a transport. `numbered`: the endpoint's sequence numbers mean something.
std::unique_ptr<StreamAccumulator> make_accumulator(Wire wire, const ClientSettings& settings, bool numbered);

/// Notices a model that repeats itself without end.
class RepeatGuard {
 public:
  explicit RepeatGuard(int identical_max) : identical_max_(identical_max) {}

  /// True when this chunk is the last one of too many identical ones in a row.
  bool repeats(std::string_view chunk);

 private:
  int identical_max_;
  int count_ = 0;
  std::string last_;
};

}  // namespace planexe::llm
