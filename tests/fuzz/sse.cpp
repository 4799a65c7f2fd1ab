// Bytes of a provider: the event stream parser, both accumulators and the body reader. The first byte chooses the path,
// the second how the bytes are split.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "llm/classify.hpp"
#include "llm/exchange.hpp"
#include "llm/sse.hpp"

namespace {

using namespace planexe::llm;

std::vector<std::pair<std::string, std::string>> parse(std::string_view bytes, std::size_t piece) {
  SseParser parser(4'096, 4'096);
  std::vector<std::pair<std::string, std::string>> events;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto fed = parser.feed(bytes.substr(at, piece), [&](const SseEvent& event) { events.emplace_back(event.type, event.data); });
    if (!fed) return {};
  }
  return events;
}

void exchange(std::string_view bytes, std::size_t piece, Wire wire, int status, const char* type) {
  ClientSettings settings;
  settings.output_text_bytes_max = 10'000;
  const auto accumulator = make_accumulator(wire, settings, true);
  const SteadyTime now{};
  Exchange running(settings, *accumulator, true, now);
  running.on_head({status, {{"content-type", type}}}, now);
  std::size_t shown = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) shown += running.on_body(bytes.substr(at, piece), now).text.size();
  running.on_end({}, now);
  if (!running.over()) std::abort();
  if (shown > 2 * settings.output_text_bytes_max) std::abort();
  if (running.failure()) classify(*running.failure(), settings, planexe::TimePoint{});
  // Success and failure exclude each other, except for a response that is still being made.
  if (running.failure() && accumulator->result() && accumulator->result()->status == "completed") std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = 1 + data[1];
  switch (data[0] % 6) {
    case 0:
      // However the bytes are split, the events are the same.
      if (parse(bytes, piece) != parse(bytes, bytes.size() + 1)) std::abort();
      break;
    case 1: exchange(bytes, piece, Wire::responses, 200, "text/event-stream"); break;
    case 2: exchange(bytes, piece, Wire::chat, 200, "text/event-stream"); break;
    case 3: exchange(bytes, piece, Wire::responses, 200, "application/json"); break;
    case 4: exchange(bytes, piece, Wire::chat, 200, ""); break;
    default: exchange(bytes, piece, Wire::responses, 429, "application/json"); break;
  }
  return 0;
}
