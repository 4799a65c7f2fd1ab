/// How fast results become durable: rows per second by rows per commit, the time of one commit, and what
/// group commit makes of many transactions in flight. Usage: bench_store_commit [SECONDS_PER_LINE] [FOLDER or postgresql://URL]
///
/// The folder (default: the temporary one) decides which disk is measured on SQLite. A PostgreSQL database must be empty.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <semaphore>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace {

using namespace planexe;
using namespace planexe::store;
using Clock = std::chrono::steady_clock;

constexpr std::ptrdiff_t kInFlight = 256;
constexpr int kPlans = 100;
/// Like the answer of one item of a map.
constexpr std::size_t kResultBytes = 1000;

[[noreturn]] void die(const std::string& message) {
  fmt::print(stderr, "{}\n", message);
  std::exit(1);
}

PutItem row(int number) {
  ItemRow item;
  item.task_key = "task";
  item.item_key = std::to_string(number);
  item.position = number;
  item.state = "done";
  item.result = std::string(kResultBytes, 'x');
  return {item};
}

Transaction rows(int& next, int count, int plan = 0) {
  Transaction transaction{fmt::format("plan-{}", plan), {}, {}, "bench"};
  for (int i = 0; i < count; ++i) transaction.writes.emplace_back(row(next++));
  return transaction;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double percentile(std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// One transaction after the other, each waiting for its commit.
void one_by_one(Store& store, int& next, int per_commit, double seconds) {
  std::vector<double> times;
  const auto start = Clock::now();
  while (seconds_since(start) < seconds) {
    auto transaction = rows(next, per_commit);
    const auto begin = Clock::now();
    if (!store.commit(std::move(transaction)).ok()) die("a commit failed");
    times.push_back(seconds_since(begin) * 1e3);
  }
  const double total = seconds_since(start);
  std::sort(times.begin(), times.end());
  fmt::print("{:>4} rows per commit  {:>9.0f} rows/s  {:>7.0f} commits/s  one commit p50 {:.3f} ms  p99 {:.3f} ms\n",
             per_commit, static_cast<double>(times.size()) * per_commit / total,
             static_cast<double>(times.size()) / total, percentile(times, 0.5), percentile(times, 0.99));
}

/// Many transactions of one row in flight, of so many plans at once.
void in_flight(Store& store, int& next, double seconds, int plans) {
  std::counting_semaphore<kInFlight> places(kInFlight);
  std::atomic<std::int64_t> done{0};
  const auto start = Clock::now();
  while (seconds_since(start) < seconds) {
    places.acquire();
    store.submit(rows(next, 1, next % plans), [&](CommitResult result) {
      if (!result.ok()) die("a commit failed");
      ++done;
      places.release();
    });
  }
  for (std::ptrdiff_t i = 0; i < kInFlight; ++i) places.acquire();
  fmt::print("{:>4} in flight, one row each, {:>3} plans  {:>9.0f} transactions/s\n", kInFlight, plans,
             static_cast<double>(done.load()) / seconds_since(start));
}

void run(const OpenOptions& options, double seconds) {
  auto store = open_store(options);
  if (!store) die(to_string(store.error()));
  PlanRow plan;
  plan.prompt = "bench";
  plan.speed_vs_detail = "all_details_but_slow";
  for (int i = 0; i < kPlans; ++i) {
    plan.plan_id = fmt::format("plan-{}", i);
    if (!(*store)->commit({plan.plan_id, {}, {CreatePlan{plan, {}, {}}}, "bench"}).ok()) die("a plan cannot be created");
  }
  int next = 0;
  for (const int per_commit : {1, 10, 100}) one_by_one(**store, next, per_commit, seconds);
  for (const int plans : {1, kPlans}) in_flight(**store, next, seconds, plans);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::max(0.1, std::strtod(argv[1], nullptr)) : 3.0;
  OpenOptions options;
  if (argc > 2 && std::string_view(argv[2]).starts_with("postgres")) {
    options.url = argv[2];
    fmt::print("PostgreSQL, {} writers, rows of {} bytes\n", options.writers, kResultBytes);
    run(options, seconds);
    return 0;
  }
  const std::filesystem::path base = argc > 2 ? argv[2] : std::filesystem::temp_directory_path();
  std::string pattern = (base / "planexe-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) die("cannot make a folder in " + base.string());
  fmt::print("SQLite, WAL, synchronous=FULL, rows of {} bytes, in {}\n", kResultBytes, base.string());
  options.url = "sqlite:///bench.db";
  options.data_dir = pattern;
  run(options, seconds);
  std::filesystem::remove_all(pattern);
  return 0;
}
