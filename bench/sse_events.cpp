// Time from bytes to deltas per event of a model's stream: parser, JSON, accumulator. Target: below 10 us.
#include <benchmark/benchmark.h>

#include <string>

#include "llm/exchange.hpp"

namespace {

using namespace planexe;
using namespace planexe::llm;

std::string stream_of(int events) {
  std::string bytes =
      "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","
      "\"object\":\"response\",\"status\":\"in_progress\",\"output\":[]}}\n\n";
  for (int i = 1; i <= events; ++i) {
    bytes += "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":" +
             std::to_string(i) +
             ",\"item_id\":\"msg_0123456789abcdef0123456789abcdef\",\"output_index\":1,\"content_index\":0,\"delta\":\" token" +
             std::to_string(i % 10) + "\",\"logprobs\":[]}\n\n";
  }
  return bytes;
}

void sse_events(benchmark::State& state) {
  constexpr int kEvents = 10'000;
  const std::string bytes = stream_of(kEvents);
  const auto piece = static_cast<std::size_t>(state.range(0));
  const ClientSettings settings;
  for (auto _ : state) {
    const auto accumulator = make_accumulator(Wire::responses, settings, true);
    const SteadyTime now{};
    Exchange exchange(settings, *accumulator, true, now);
    exchange.on_head({200, {{"content-type", "text/event-stream"}}}, now);
    std::size_t shown = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      shown += exchange.on_body(std::string_view(bytes).substr(at, piece), now).text.size();
    }
    if (shown == 0) state.SkipWithError("no text came out");
  }
  state.counters["time_per_event"] = benchmark::Counter(static_cast<double>(state.iterations()) * kEvents,
                                                        benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
// Pieces of one event, of a TLS record, and single bytes.
BENCHMARK(sse_events)->Arg(240)->Arg(16'384)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
