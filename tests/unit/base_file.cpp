#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/embedded.hpp"
#include "base/file.hpp"
#include "base/testpoint.hpp"
#include "base/version.hpp"
#include "support/temp_dir.hpp"

namespace planexe {
namespace {

namespace fs = std::filesystem;

TEST(BaseFile, WhatIsWrittenIsRead) {
  const test::TempDir dir;
  const std::string bytes("one\0two\n", 8);
  ASSERT_TRUE(write_file_atomic(dir / "f", bytes).has_value());
  EXPECT_EQ(read_file(dir / "f", 100).value(), bytes);
  ASSERT_TRUE(write_file_atomic(dir / "f", "new").has_value());
  EXPECT_EQ(read_file(dir / "f", 100).value(), "new");
}

TEST(BaseFile, WritingLeavesNoOtherFilesAndOrdinaryRights) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "f", "x").has_value());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator{}), 1);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat status{};
  ASSERT_EQ(::stat((dir / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0666u & ~mask);
}

TEST(BaseFile, TheLimitIsExact) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "f", std::string(10, 'x')).has_value());
  EXPECT_TRUE(read_file(dir / "f", 10).has_value());
  EXPECT_EQ(read_file(dir / "f", 9).error().code, ErrorCode::LimitExceeded);
}

TEST(BaseFile, ErrorsNameTheFileAndTheReason) {
  const test::TempDir dir;
  const auto missing = read_file(dir / "none", 10);
  EXPECT_EQ(missing.error().code, ErrorCode::IoError);
  EXPECT_NE(missing.error().message.find("none: No such file"), std::string::npos);
  EXPECT_EQ(read_file(dir.path(), 10).error().code, ErrorCode::IoError);
  EXPECT_EQ(write_file_atomic(dir / "no-folder/f", "x").error().code, ErrorCode::IoError);
}

TEST(BaseFile, EnsureDirMakesParentsAndRefusesFiles) {
  const test::TempDir dir;
  EXPECT_TRUE(ensure_dir(dir / "a/b/c").has_value());
  EXPECT_TRUE(ensure_dir(dir / "a/b/c").has_value());
  EXPECT_TRUE(fs::is_directory(dir / "a/b/c"));
  ASSERT_TRUE(write_file_atomic(dir / "f", "x").has_value());
  EXPECT_EQ(ensure_dir(dir / "f").error().code, ErrorCode::IoError);
  EXPECT_EQ(ensure_dir(dir / "f/g").error().code, ErrorCode::IoError);
}

TEST(BaseFile, OneHolderPerLock) {
  const test::TempDir dir;
  {
    auto first = FileLock::try_lock(dir / "lock");
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(FileLock::try_lock(dir / "lock").error().code, ErrorCode::Locked);
    const FileLock moved = std::move(*first);
    EXPECT_EQ(FileLock::try_lock(dir / "lock").error().code, ErrorCode::Locked);
  }
  EXPECT_TRUE(FileLock::try_lock(dir / "lock").has_value());
  EXPECT_EQ(FileLock::try_lock(dir / "none/lock").error().code, ErrorCode::IoError);
}

TEST(BaseEmbedded, FilesOfTheFixture) {
  const auto files = embedded::files("fixture");
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].path, "a.txt");
  EXPECT_EQ(files[0].bytes, "first\n");
  EXPECT_EQ(files[1].path, "empty.txt");
  EXPECT_EQ(files[1].bytes, "");
  EXPECT_EQ(files[2].path, "folder/b.bin");
  EXPECT_EQ(files[2].bytes, std::string_view("bytes \0\x01\xff end", 13));
  EXPECT_EQ(embedded::find("fixture", "a.txt"), &files[0]);
  EXPECT_EQ(embedded::find("fixture", "b.txt"), nullptr);
  EXPECT_TRUE(embedded::files("none").empty());
}

TEST(BaseVersion, HasThreeNumbers) {
  EXPECT_THAT(std::string(kVersion), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

class BaseTestpoint : public testing::Test {
 protected:
  void TearDown() override { EXPECT_TRUE(testpoint::configure("").has_value()); }
};

TEST_F(BaseTestpoint, OffByDefault) {
  EXPECT_FALSE(testpoint::armed.load());
  EXPECT_FALSE(PLANEXE_TESTPOINT("a"));
}

TEST_F(BaseTestpoint, ErrorAtTheNthHitOnly) {
  ASSERT_TRUE(testpoint::configure("a=error@2,b=error@2+").has_value());
  EXPECT_FALSE(PLANEXE_TESTPOINT("a"));
  EXPECT_TRUE(PLANEXE_TESTPOINT("a"));
  EXPECT_FALSE(PLANEXE_TESTPOINT("a"));
  EXPECT_FALSE(PLANEXE_TESTPOINT("b"));
  EXPECT_TRUE(PLANEXE_TESTPOINT("b"));
  EXPECT_TRUE(PLANEXE_TESTPOINT("b"));
  EXPECT_FALSE(PLANEXE_TESTPOINT("c"));
}

TEST_F(BaseTestpoint, AStarCountsAllNamesThatBeginSo) {
  ASSERT_TRUE(testpoint::configure("store.*=error@3").has_value());
  EXPECT_FALSE(PLANEXE_TESTPOINT("store.a"));
  EXPECT_FALSE(PLANEXE_TESTPOINT("other"));
  EXPECT_FALSE(PLANEXE_TESTPOINT("store.b"));
  EXPECT_TRUE(PLANEXE_TESTPOINT("store.a"));
}

TEST_F(BaseTestpoint, BadTextsAreRefused) {
  for (const char* spec : {"a", "=kill", "a=explode", "a=kill@0", "a=kill@x", "a=kill@1x"}) {
    EXPECT_EQ(testpoint::configure(spec).error().code, ErrorCode::InvalidConfig) << spec;
  }
}

using BaseTestpointDeathTest = BaseTestpoint;

TEST_F(BaseTestpointDeathTest, KillAndExitEndTheProcess) {
  ASSERT_TRUE(testpoint::configure("k=kill@2,e=exit").has_value());
  EXPECT_EXIT(
      {
        static_cast<void>(PLANEXE_TESTPOINT("k"));
        static_cast<void>(PLANEXE_TESTPOINT("k"));
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(static_cast<void>(PLANEXE_TESTPOINT("e")), testing::ExitedWithCode(86), "");
}

}  // namespace
}  // namespace planexe
