#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <set>

#include "base/random.hpp"
#include "base/subprocess.hpp"
#include "base/testpoint.hpp"
#include "store/fixture.hpp"
#include "support/temp_dir.hpp"

/// Processes that are killed while they write. The child is this program itself, running one test that the parent's
/// environment variable wakes.
namespace planexe::store::test {
namespace {

constexpr const char* kFolder = "PLANEXE_CRASH_FOLDER";
constexpr const char* kPoints = "PLANEXE_CRASH_POINTS";
constexpr int kInFlight = 40;

OpenOptions options_of(const std::string& folder) {
  OpenOptions options;
  options.url = "sqlite:///plans.db";
  options.data_dir = folder;
  return options;
}

void say(const std::string& line) {
  const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) std::abort();
}

Transaction work(std::int64_t number) {
  const auto key = std::to_string(number);
  return {"p1",
          std::nullopt,
          {PutItem{full_item("a", key)}, PutItem{full_item("b", key)}, PutContent{text_file("a.md", key, key)},
           AppendEvents{{EventRow{.seq = number, .type = "task", .created_at = at(1)}}}},
          "work"};
}

TEST(CrashChild, WritesUntilItIsKilled) {
  const char* folder = std::getenv(kFolder);
  if (folder == nullptr) GTEST_SKIP() << "runs only as the child of the other tests";
  if (const char* points = std::getenv(kPoints)) ASSERT_TRUE(testpoint::configure(points));
  auto store = open_or_die(options_of(folder));
  if (!value_of(store->plan("p1"))) create(*store, "p1");
  std::int64_t next = value_of(store->snapshot("p1")).last_seq + 1;
  say("ready\n");
  std::atomic<int> in_flight{0};
  for (int i = 0; i < 100'000; ++i, ++next) {
    ++in_flight;
    store->submit(work(next), [&in_flight, next](CommitResult result) {
      if (!result.ok()) std::abort();
      say(fmt::format("ack {}\n", next));
      --in_flight;
    });
    while (in_flight >= kInFlight) std::this_thread::yield();
  }
}

Subprocess start_child(const std::string& folder, const std::string& points) {
  SubprocessOptions options;
  options.program = "/proc/self/exe";
  options.arguments = {"--gtest_filter=CrashChild.*", "--gtest_color=no"};
  options.extra_environment = {{kFolder, folder}};
  if (!points.empty()) options.extra_environment.emplace_back(kPoints, points);
  options.standard_error = SubprocessOptions::Stderr::discard;
  auto child = Subprocess::start(options);
  EXPECT_TRUE(child) << to_string(child.error());
  if (!child) std::abort();
  return *std::move(child);
}

/// Reads the child's acknowledgements until it has ended; kills it after `kill_after` of them.
std::set<std::int64_t> acknowledged(Subprocess& child, std::uint64_t kill_after) {
  std::set<std::int64_t> numbers;
  for (;;) {
    const auto line = child.read_line(30s);
    if (!line || !*line) break;
    if (!(*line)->starts_with("ack ")) continue;
    numbers.insert(std::stoll((*line)->substr(4)));
    if (numbers.size() == kill_after) ::kill(child.pid(), SIGKILL);
  }
  EXPECT_TRUE(child.wait(30s));
  return numbers;
}

void expect_whole(const std::string& folder, const std::set<std::int64_t>& acks) {
  auto store = open_or_die(options_of(folder));
  EXPECT_EQ(value_of(store->check()), std::vector<std::string>{});
  if (!value_of(store->plan("p1"))) {
    EXPECT_TRUE(acks.empty());
    return;
  }
  std::set<std::int64_t> a, b, events;
  for (const auto& item : value_of(store->items("p1", "a"))) a.insert(std::stoll(item.item_key));
  for (const auto& item : value_of(store->items("p1", "b"))) b.insert(std::stoll(item.item_key));
  for (const auto& event : value_of(store->events("p1", 0, 20'000))) events.insert(event.seq);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a, events);
  for (const auto ack : acks) EXPECT_TRUE(a.contains(ack)) << "acknowledged but lost: " << ack;
  if (events.empty()) return;
  EXPECT_EQ(events.size(), static_cast<std::size_t>(*events.rbegin())) << "no hole: commits keep their order";
  EXPECT_EQ(must(store->content("p1", "a.md")).content, std::to_string(*events.rbegin()));
}

TEST(SqliteCrash, KilledAtRandomMomentsNothingAcknowledgedIsLost) {
  const planexe::test::TempDir folder;
  Random random(7);
  std::set<std::int64_t> acks;
  for (int round = 0; round < 12; ++round) {
    auto child = start_child(folder.path().string(), "");
    acks.merge(acknowledged(child, 1 + random.below(120)));
    expect_whole(folder.path().string(), acks);
  }
  EXPECT_GT(acks.size(), 100u);
}

TEST(SqliteCrash, KilledBeforeAndAfterTheNthCommit) {
  for (const auto* place : {"before_commit", "after_commit"}) {
    for (const int n : {1, 2, 5, 41}) {
      const planexe::test::TempDir folder;
      auto child = start_child(folder.path().string(), fmt::format("store.{}.work=kill@{}", place, n));
      const auto acks = acknowledged(child, 1'000'000);
      EXPECT_LT(acks.size(), static_cast<std::size_t>(n)) << place;
      expect_whole(folder.path().string(), acks);
    }
  }
}

TEST(SqliteCrash, KilledDuringTheMigrationTheNextStartDoesItAgain) {
  for (const int n : {1, 2, 7, 19, 30}) {
    const planexe::test::TempDir folder;
    auto child = start_child(folder.path().string(), fmt::format("store.migration_statement=kill@{}", n));
    EXPECT_TRUE(acknowledged(child, 1'000'000).empty());
    expect_whole(folder.path().string(), {});
  }
}

}  // namespace
}  // namespace planexe::store::test
