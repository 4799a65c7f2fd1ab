#include <fmt/format.h>

#include <fstream>
#include <set>

#include "base/file.hpp"
#include "store/fault_vfs.hpp"
#include "store/fixture.hpp"
#include "support/temp_dir.hpp"

namespace planexe::store::test {
namespace {

OpenOptions options_of(const std::filesystem::path& folder) {
  OpenOptions options;
  options.url = "sqlite:///plans.db";
  options.data_dir = folder.string();
  return options;
}

/// Two rows and an event that belong together.
Transaction work(int number) {
  const auto key = std::to_string(number);
  ItemRow other = full_item("b", key);
  other.result = std::string(3000, 'x');
  return transaction("p1", {PutItem{full_item("a", key)}, PutItem{other},
                            AppendEvents{{EventRow{.seq = number, .type = "task", .created_at = at(number)}}}});
}

/// Which pieces of work are in the database, after checking that each is there wholly or not at all.
std::set<int> stored_work(const OpenOptions& options) {
  auto store = open_or_die(options);
  EXPECT_EQ(value_of(store->check()), std::vector<std::string>{});
  std::set<int> a, b, events;
  for (const auto& item : value_of(store->items("p1", "a"))) a.insert(std::stoi(item.item_key));
  for (const auto& item : value_of(store->items("p1", "b"))) b.insert(std::stoi(item.item_key));
  for (const auto& event : value_of(store->events("p1", 0, 10'000))) events.insert(static_cast<int>(event.seq));
  EXPECT_EQ(a, b);
  EXPECT_EQ(a, events);
  return a;
}

struct Fault {
  std::string name;
  Call call;
  int code;
};

class EveryFault : public testing::TestWithParam<std::tuple<Fault, FaultVfs::Duration>> {};

/// Opens the store and does some work while the n-th call fails. What was answered "committed" must be there
/// afterwards, what was answered "failed" must not.
bool run_with_fault(FaultVfs& vfs, const std::filesystem::path& folder, int n) {
  const auto& [fault, duration] = EveryFault::GetParam();
  const auto options = options_of(folder);
  std::map<int, CommitStatus> answers;
  vfs.fail(fault.call, n, fault.code, duration);
  {
    auto store = open_store(options);
    if (store) {
      for (int i = 1; i <= 6; ++i) answers[i] = (*store)->commit(work(i)).status;
      static_cast<void>((*store)->plan("p1"));
      static_cast<void>((*store)->snapshot("p1"));
    } else {
      EXPECT_NE(store.error().message, "");
    }
  }
  const bool hit = vfs.failed();
  vfs.heal();
  const auto stored = stored_work(options);
  for (const auto& [number, status] : answers) {
    if (status == CommitStatus::committed) EXPECT_TRUE(stored.contains(number)) << fault.name << " " << n;
    if (status == CommitStatus::failed) EXPECT_FALSE(stored.contains(number)) << fault.name << " " << n;
    if (!hit) EXPECT_EQ(status, CommitStatus::committed);
  }
  return hit;
}

TEST_P(EveryFault, TheNthFailureNeverGivesAWrongState) {
  const planexe::test::TempDir template_folder;
  FaultVfs vfs;
  {
    create(*open_or_die(options_of(template_folder.path())), "p1");
  }
  int n = 1;
  for (; n < 2'000; ++n) {
    const planexe::test::TempDir folder;
    std::filesystem::copy_file(template_folder / "plans.db", folder / "plans.db");
    if (!run_with_fault(vfs, folder.path(), n)) break;
  }
  EXPECT_GT(n, 1) << "at least one call failed";
  EXPECT_LT(n, 2'000) << "in the end nothing failed any more";
}

TEST_P(EveryFault, CreatingADatabaseFailsCleanly) {
  const auto& [fault, duration] = GetParam();
  FaultVfs vfs;
  int n = 1;
  // A new schema is some hundred equal writes: every third of them, and all of the first.
  for (; n < 2'000; n += n < 30 ? 1 : 3) {
    const planexe::test::TempDir folder;
    const auto options = options_of(folder.path());
    vfs.fail(fault.call, n, fault.code, duration);
    {
      static_cast<void>(open_store(options));
    }
    const bool hit = vfs.failed();
    vfs.heal();
    auto store = open_or_die(options);
    create(*store, "p1");
    EXPECT_TRUE(value_of(store->plan("p1"))) << fault.name << " " << n;
    if (!hit) break;
  }
  EXPECT_GT(n, 1);
  EXPECT_LT(n, 2'000);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, EveryFault,
                         testing::Combine(testing::Values(Fault{"disk_full", Call::write, SQLITE_FULL},
                                                          Fault{"write", Call::write, SQLITE_IOERR_WRITE},
                                                          Fault{"flush", Call::sync, SQLITE_IOERR_FSYNC},
                                                          Fault{"read", Call::read, SQLITE_IOERR_READ},
                                                          Fault{"open", Call::open, SQLITE_CANTOPEN},
                                                          Fault{"shm", Call::shm, SQLITE_IOERR_SHMMAP},
                                                          Fault{"size", Call::size, SQLITE_IOERR_FSTAT}),
                                          testing::Values(FaultVfs::Duration::once, FaultVfs::Duration::from_then_on)),
                         [](const auto& info) {
                           const bool once = std::get<1>(info.param) == FaultVfs::Duration::once;
                           return std::get<0>(info.param).name + (once ? "_once" : "_lasting");
                         });

TEST(SqliteFaults, AFullDiskIsAClearErrorAndWorkGoesOnWhenThereIsSpace) {
  const planexe::test::TempDir folder;
  FaultVfs vfs;
  auto store = open_or_die(options_of(folder.path()));
  create(*store, "p1");
  vfs.fail(Call::write, 1, SQLITE_FULL, FaultVfs::Duration::from_then_on);
  const auto full = store->commit(work(1));
  EXPECT_EQ(full.status, CommitStatus::failed);
  EXPECT_EQ(full.error->code, ErrorCode::IoError);
  EXPECT_NE(full.error->message.find("disk is full"), std::string::npos);
  EXPECT_TRUE(store->plan("p1")) << "reading goes on";
  vfs.heal();
  EXPECT_TRUE(store->commit(work(1)).ok());
}

TEST(SqliteFaults, AfterAFailedFlushNothingIsWrittenUntilARestart) {
  const planexe::test::TempDir folder;
  FaultVfs vfs;
  const auto options = options_of(folder.path());
  {
    auto store = open_or_die(options);
    create(*store, "p1");
    vfs.fail(Call::sync, 1, SQLITE_IOERR_FSYNC, FaultVfs::Duration::once);
    EXPECT_EQ(store->commit(work(1)).status, CommitStatus::unknown);
    EXPECT_EQ(store->commit(work(2)).status, CommitStatus::failed);
    EXPECT_EQ(store->commit(work(3)).error->code, ErrorCode::IoError);
    EXPECT_FALSE(store->acquire_lease("p1", "me", 1h, false));
  }
  const auto stored = stored_work(options);
  EXPECT_FALSE(stored.contains(2));
  auto store = open_or_die(options);
  EXPECT_TRUE(store->commit(work(9)).ok());
}

TEST(SqliteFaults, TheLogStaysBoundedUnderLoad) {
  const planexe::test::TempDir folder;
  FaultVfs vfs;
  auto store = open_or_die(options_of(folder.path()));
  create(*store, "p1");
  std::uintmax_t largest = 0;
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 80; ++i) {
    ASSERT_TRUE(store->commit(transaction("p1", {PutContent{text_file("a.md", megabyte, std::to_string(i))}})).ok());
    largest = std::max(largest, std::filesystem::file_size(folder / "plans.db-wal"));
  }
  EXPECT_LT(largest, 40u << 20);
}

TEST(SqlitePower, NoAcknowledgedResultIsLostWhenThePowerGoes) {
  const planexe::test::TempDir folder;
  FaultVfs vfs;
  vfs.start_notes();
  constexpr int kPieces = 25;
  {
    auto store = open_or_die(options_of(folder.path()));
    create(*store, "p1");
    for (int i = 1; i <= kPieces; ++i) {
      ASSERT_TRUE(store->commit(work(i)).ok());
      vfs.promise(i);
      // Closing runs a checkpoint, so that images in the middle of one are built too.
      if (i % 9 == 0) {
        store.reset();
        store = open_or_die(options_of(folder.path()));
      }
    }
  }
  vfs.stop_notes();
  Random random(20260131);
  int with_work = 0;
  for (int image_number = 0; image_number < 150; ++image_number) {
    const auto image = vfs.image_after(random.below(vfs.notes() + 1), random);
    const planexe::test::TempDir disk;
    for (const auto& [name, bytes] : image.files) {
      std::ofstream(disk / name, std::ios::binary) << bytes;
    }
    if (image.promised == 0) {
      EXPECT_TRUE(open_store(options_of(disk.path())));
      continue;
    }
    ++with_work;
    const auto stored = stored_work(options_of(disk.path()));
    for (int i = 1; i <= image.promised; ++i) EXPECT_TRUE(stored.contains(i)) << image_number << ": " << i;
    EXPECT_LE(stored.size(), static_cast<std::size_t>(image.promised) + 1);
  }
  EXPECT_GT(with_work, 50);
}

}  // namespace
}  // namespace planexe::store::test
