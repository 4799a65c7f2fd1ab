#pragma once

#include "llm/stream_accumulator.hpp"

namespace planexe::llm {

/// The chunk stream of chat completions (llm.md 1.11). The answer is final at `[DONE]`, or at a clean end of the
/// connection after a finish reason; usage may come in a chunk of its own after the finish reason.
class ChatStream final : public StreamAccumulator {
 public:
  explicit ChatStream(const ClientSettings& settings) : text_bytes_max_(settings.output_text_bytes_max) {}

  Result<StreamUpdate> on_event(const SseEvent& event) override;
  void on_end() override;
  Result<void> on_body(const json::value& body) override;
  [[nodiscard]] ModelResponse partial() const override;

 private:
  Result<StreamUpdate> take_chunk(const json::value& chunk);
  Result<StreamUpdate> take_choice(const json::value& choice);
  void finish();

  std::size_t text_bytes_max_;
  ModelResponse building_;
  std::string finish_reason_;
};

}  // namespace planexe::llm
