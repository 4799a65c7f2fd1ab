#include "llm/stream_accumulator.hpp"

#include "llm/chat_stream.hpp"
#include "llm/responses_stream.hpp"

namespace planexe::llm {

std::unique_ptr<StreamAccumulator> make_accumulator(Wire wire, const ClientSettings& settings, bool numbered) {
  if (wire == Wire::chat) return std::make_unique<ChatStream>(settings);
  return std::make_unique<ResponsesStream>(settings, numbered);
}

bool RepeatGuard::repeats(std::string_view chunk) {
  if (chunk.empty()) return false;
  if (chunk != last_) {
    last_ = chunk;
    count_ = 0;
  }
  return ++count_ >= identical_max_;
}

}  // namespace planexe::llm
