/// Prints what the server of `planexe serve` does per second for small reads and for watchers, how much memory it takes and how
/// long it takes to start. The load comes from wrk (Debian's package), which shares the machine with the server.
/// Usage: bench_server_load [SECONDS_PER_LINE]
#include "watchers.hpp"

using namespace planexe;
using namespace planexe::bench;

namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) die("cannot run " + command);
  std::string text;
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  if (::pclose(pipe) != 0) die("this failed (is wrk installed?): " + command);
  return text;
}

/// The word behind a label of wrk's report.
std::string word_after(const std::string& text, const std::string& label) {
  const auto at = text.find(label);
  if (at == std::string::npos) return "?";
  const auto begin = text.find_first_not_of(" \t", at + label.size());
  return text.substr(begin, text.find_first_of(" \t\n", begin) - begin);
}

void print_reads(ServerBench& bench, const std::string& what, const std::string& target, double seconds, const std::string& headers = {}) {
  const auto reply = request(bench.port(), "GET", target);
  if (reply.status != 200) die(fmt::format("{}: {}", target, reply.status));
  const auto cpu = bench.server().cpu_seconds();
  const auto begin = Steady::now();
  const auto text = output_of(fmt::format("wrk -t1 -c32 -d{}s --latency {} http://127.0.0.1:{}{}", std::max(1, static_cast<int>(seconds)), headers, bench.port(), target));
  const auto busy = (bench.server().cpu_seconds() - cpu) * 1000 / ms_since(begin);
  const auto bad = word_after(text, "Non-2xx or 3xx responses:");
  fmt::print("{:<52} {:>8} requests/s  p99 {:>8}  {:>6} bytes  {:.2f} processors{}\n", what, word_after(text, "Requests/sec:"), word_after(text, "99%"),
             reply.body.size(), busy, bad == "?" ? "" : "  REFUSED: " + bad);
}

/// A plan that waits for its watchers and then runs as fast as it can.
void print_events(ServerBench& bench, int count) {
  bench.script(fmt::format(R"({{"match": {{"task": "redline_gate"}}, "repeat": 1, "steps": [{{"delay": {{"first_event": {}}}}}]}})", 1500 + count * 3));
  const auto plan = bench.create_plan();
  Watchers watchers(bench.port(), plan, count);
  watchers.settle();
  const auto before = watchers.messages();
  while (watchers.messages() == before) watchers.read_for(100);
  const auto cpu = bench.server().cpu_seconds();
  const auto begin = Steady::now();
  while (watchers.ended() < count && ms_since(begin) < 120'000) watchers.read_for(100);
  const auto seconds = ms_since(begin) / 1000;
  const auto told = static_cast<double>(watchers.messages() - before);
  fmt::print("{:<52} {:>8.0f} messages/s ({:.0f} of each watcher)  {:.1f} s  {:.2f} processors{}\n", fmt::format("a plan at full speed to {} watchers", count),
             told / seconds, told / count / seconds, seconds, (bench.server().cpu_seconds() - cpu) / seconds,
             watchers.overflows() > 0 ? fmt::format("  {} overflows", watchers.overflows()) : "");
}

void print_start(const char* program) {
  ServerBench bench(program);
  std::vector<double> times;
  constexpr int kStarts = 11;
  for (int i = 0; i < kStarts; ++i) times.push_back(bench.start());
  fmt::print("{:<52} {:>8.0f} ms p50 {:>8.0f} ms max\n", "from start to the first 200", percentile(times, 0.5), percentile(times, 1));
  fmt::print("{:<52} {:>8.1f} MiB\n", "memory at rest", bench.server().memory_kib() / 1024);
  const auto rest = bench.server().memory_kib();
  constexpr int kPlans = 50;
  bench.script(R"({"match": {"task": "redline_gate"}, "repeat": 0, "steps": [{"delay": {"first_event": 500000}}]})");
  std::string last;
  for (int i = 0; i < kPlans; ++i) last = bench.create_plan();
  bench.wait_for(last, "running");
  fmt::print("{:<52} {:>8.0f} KiB\n", "memory of a running plan that waits for its model", (bench.server().memory_kib() - rest) / kPlans);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::max(1.0, std::strtod(argv[1], nullptr)) : 4.0;
  raise_descriptors();
  print_start(argv[0]);
  ServerBench bench(argv[0]);
  const auto plan = bench.create_plan();
  bench.wait_for(plan, "completed");
  for (int i = 0; i < 19; ++i) bench.wait_for(bench.create_plan(), "completed");
  fmt::print("small reads, 32 connections (target >= 20 000 requests/s on 2 processors)\n");
  print_reads(bench, "  GET /ping", "/ping", seconds);
  print_reads(bench, "  GET /health", "/health", seconds);
  print_reads(bench, "  GET /api/plans/ID", "/api/plans/" + plan, seconds);
  print_reads(bench, "  GET /api/plans/ID/tasks", "/api/plans/" + plan + "/tasks", seconds);
  print_reads(bench, "  GET /api/plans (20 plans)", "/api/plans", seconds);
  print_reads(bench, "  GET /api/plans/ID/files/NAME", "/api/plans/" + plan + "/files/002-1-screen_planning_prompt.json", seconds);
  print_reads(bench, "  GET /", "/", seconds);
  for (const int count : {1, 10, 100, 1000}) print_events(bench, count);
  return 0;
}
