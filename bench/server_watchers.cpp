/// Prints how long one event takes to reach the last of very many watchers of a plan, and what a watcher costs in memory.
/// Usage: bench_server_watchers [WATCHERS] [TICKS]
#include "watchers.hpp"

using namespace planexe;
using namespace planexe::bench;

namespace {

void print_latency(const Watchers& watchers, double cpu_seconds) {
  std::vector<double> from_event, spread;
  for (const auto& [number, tick] : watchers.ticks()) {
    if (tick.seen != static_cast<int>(watchers.size())) {
      fmt::print("  tick {} came to {} of {} watchers\n", number, tick.seen, watchers.size());
      continue;
    }
    from_event.push_back(tick.last - tick.sent);
    spread.push_back(tick.last - tick.first);
  }
  fmt::print("{:<52} {:>8.1f} ms p50 {:>8.1f} ms p99 (target p99 < 100), {} events\n", "event to last watcher", percentile(from_event, 0.5),
             percentile(from_event, 0.99), from_event.size());
  fmt::print("{:<52} {:>8.1f} ms p50 {:>8.1f} ms p99\n", "  first watcher to last watcher", percentile(spread, 0.5), percentile(spread, 0.99));
  const auto told = static_cast<double>(from_event.size()) * static_cast<double>(watchers.size());
  if (told > 0) fmt::print("{:<52} {:>8.2f} us\n", "  server's processor time per message and watcher", cpu_seconds * 1e6 / told);
}

}  // namespace

int main(int argc, char** argv) {
  const auto descriptors = raise_descriptors();
  int count = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const int ticks = argc > 2 ? std::atoi(argv[2]) : 60;
  const int most = static_cast<int>(std::min<rlim_t>(descriptors, 1'000'000)) - 200;
  if (count > most) {
    fmt::print("only {} watchers: the limit of descriptors (ulimit -Hn) is {}\n", most, descriptors);
    count = most;
  }
  ServerBench bench(argv[0]);
  constexpr int kBetweenMs = 500, kTried = 200;
  // How long it takes until all are there depends on the machine; the ticks begin after that.
  double connect_ms = 0;
  {
    const auto held = ticking_plan(bench, 1, 0, 500'000);
    bench.wait_for(held, "running");
    const auto begin = Steady::now();
    Watchers tried(bench.port(), held, kTried);
    tried.settle();
    connect_ms = ms_since(begin) / kTried;
  }
  const auto plan = ticking_plan(bench, ticks, kBetweenMs, static_cast<int>(3000 + 1.5 * connect_ms * count));
  bench.wait_for(plan, "running");
  const auto before = bench.server().memory_kib();
  const auto begin = Steady::now();
  Watchers watchers(bench.port(), plan, count);
  watchers.settle();
  fmt::print("{:<52} {:>8.0f} ms\n", fmt::format("{} watchers connected, each with its snapshot", count), ms_since(begin) - 300);
  fmt::print("{:<52} {:>8.1f} KiB (target < 20)\n", "memory of the server per watcher", (bench.server().memory_kib() - before) / count);
  const auto cpu = bench.server().cpu_seconds();
  while (watchers.ticks().size() < static_cast<std::size_t>(ticks) || watchers.ticks().rbegin()->second.seen < count) {
    watchers.read_for(100);
    if (ms_since(begin) > 120'000 + ticks * kBetweenMs + 3 * connect_ms * count) break;
  }
  print_latency(watchers, bench.server().cpu_seconds() - cpu);
  fmt::print("{:<52} {:>8.1f} KiB\n", "memory of the server per watcher afterwards", (bench.server().memory_kib() - before) / count);
  if (watchers.lost() > 0) fmt::print("{} watchers lost their connection\n", watchers.lost());
  return 0;
}
