#pragma once

#include <map>
#include <vector>

#include "llm/stream_accumulator.hpp"

namespace planexe::llm {

/// The event stream of the Responses API (llm.md 1.4 to 1.6), tolerant of what compatible servers leave out: numbers,
/// indexes, part events, the created event.
class ResponsesStream final : public StreamAccumulator {
 public:
  ResponsesStream(const ClientSettings& settings, bool numbered)
      : text_bytes_max_(settings.output_text_bytes_max), parts_max_(settings.stream_parts_max), numbered_(numbered) {}

  Result<StreamUpdate> on_event(const SseEvent& event) override;
  Result<void> on_body(const json::value& body) override;
  [[nodiscard]] ModelResponse partial() const override;

 private:
  enum class PartKind { text, refusal, reasoning };

  /// A content part under construction. Items may interleave, so parts are kept apart by item and index.
  struct Part {
    PartKind kind = PartKind::text;
    std::int64_t output_index = 0;
    std::string text;
    std::size_t shown = 0;
    bool done = false;
  };

  Result<StreamUpdate> take(std::string_view type, const json::value& event);
  bool is_repeated(std::string_view type, const json::value& event);
  void take_response_id(const json::value& event);
  Result<StreamUpdate> take_delta(PartKind kind, const json::value& event);
  Result<void> take_done(PartKind kind, const json::value& event, std::string_view member);
  Result<void> take_item(const json::value& event);
  Result<Part*> part_of(PartKind kind, const json::value& event);
  Result<void> replace(Part& part, std::string_view text);
  Result<void> count_bytes(std::size_t added, std::size_t removed);
  void show_next(StreamUpdate& update);
  Result<void> finish(std::string_view type, const json::value& event);
  void finish_with_error(const json::value& event);
  [[nodiscard]] std::string joined(PartKind kind) const;

  std::size_t text_bytes_max_;
  std::size_t parts_max_;
  bool numbered_;
  std::size_t text_bytes_ = 0;
  std::map<std::string, std::size_t, std::less<>> part_index_;
  std::vector<Part> parts_;           ///< in the order of their first event
  std::size_t showing_ = 0;           ///< text parts are shown one after another, so that they do not mix
};

}  // namespace planexe::llm
