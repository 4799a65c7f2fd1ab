#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/zip.hpp"
#include "support/temp_dir.hpp"

namespace planexe {
namespace {

std::string zipped(const std::vector<ZipEntry>& entries, ZipWriter::Options options = {}) {
  std::string bytes;
  auto writer = ZipWriter::to_sink(
      [&](std::string_view part) -> Result<void> {
        bytes += part;
        return {};
      },
      options);
  for (const ZipEntry& entry : entries) EXPECT_TRUE(writer->add(entry.name, entry.bytes).has_value());
  EXPECT_TRUE(writer->finish().has_value());
  return bytes;
}

/// An archive as an attacker would make it: any name, any type of entry.
std::string hostile(const std::vector<std::pair<std::string, int>>& entries) {
  std::string buffer(1 << 20, '\0');
  std::size_t used = 0;
  archive* handle = archive_write_new();
  archive_write_set_format_zip(handle);
  archive_write_set_bytes_in_last_block(handle, 1);
  archive_write_open_memory(handle, buffer.data(), buffer.size(), &used);
  for (const auto& [name, type] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, static_cast<__LA_MODE_T>(type));
    archive_entry_set_perm(entry, 0644);
    if (type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
    archive_entry_set_size(entry, type == AE_IFREG ? 1 : 0);
    archive_write_header(handle, entry);
    if (type == AE_IFREG) archive_write_data(handle, "x", 1);
    archive_entry_free(entry);
  }
  archive_write_close(handle);
  archive_write_free(handle);
  buffer.resize(used);
  return buffer;
}

TEST(BaseZip, WhatGoesInComesOutSorted) {
  const std::string big(300'000, 'z');
  const auto back = read_zip_bytes(zipped({{"b/ü.txt", big}, {"a.txt", ""}, {"漢.json", "{}"}})).value();
  ASSERT_EQ(back.size(), 3u);
  EXPECT_EQ(back[0].name, "a.txt");
  EXPECT_EQ(back[0].bytes, "");
  EXPECT_EQ(back[1].name, "b/ü.txt");
  EXPECT_EQ(back[1].bytes, big);
  EXPECT_EQ(back[2].name, "漢.json");
}

TEST(BaseZip, TheSameEntriesGiveTheSameBytes) {
  const std::vector<ZipEntry> entries{{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(zipped(entries), zipped(entries));
  const TimePoint time = parse_iso("2026-01-31T12:00:00Z").value();
  EXPECT_EQ(zipped(entries, {.modified = time}), zipped(entries, {.modified = time}));
  EXPECT_NE(zipped(entries), zipped(entries, {.modified = time}));
}

TEST(BaseZip, AFileIsAnArchiveToo) {
  const test::TempDir dir;
  auto writer = ZipWriter::to_file(dir / "x.zip");
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE(writer->add("a.txt", "text").has_value());
  ASSERT_TRUE(writer->finish().has_value());
  const auto back = read_zip(dir / "x.zip").value();
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].bytes, "text");
  EXPECT_EQ(ZipWriter::to_file(dir / "none/x.zip").error().code, ErrorCode::IoError);
}

TEST(BaseZip, TheSinksErrorComesBack) {
  auto writer = ZipWriter::to_sink(
      [](std::string_view) -> Result<void> { return fail(ErrorCode::Cancelled, "the client left"); });
  ASSERT_TRUE(writer.has_value());
  Result<void> last;
  for (int i = 0; i < 1000 && last; ++i) last = writer->add("f" + std::to_string(i), std::string(1000, 'x'));
  if (last) last = writer->finish();
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().code, ErrorCode::Cancelled);
}

TEST(BaseZip, AnUnfinishedArchiveIsNoArchive) {
  std::string bytes;
  {
    auto writer = ZipWriter::to_sink([&](std::string_view part) -> Result<void> {
      bytes += part;
      return {};
    });
    ASSERT_TRUE(writer->add("a", std::string(100'000, 'a')).has_value());
  }
  EXPECT_EQ(bytes.find("PK\5\6"), std::string::npos) << "the end of the directory";
}

TEST(BaseZip, AFullDiskIsAnError) {
  auto writer = ZipWriter::to_file("/dev/full");
  ASSERT_TRUE(writer.has_value());
  Result<void> last = writer->add("a", "text");
  if (last) last = writer->finish();
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().code, ErrorCode::IoError);
}

TEST(BaseZip, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"../x", "a/../../x", "/etc/x", "a//b", "./x", "a\\b", "c:x", "a/", "a\x01", "a\nb", ""}) {
    EXPECT_FALSE(safe_entry_name(name)) << name;
  }
  for (const char* name : {"x", "a/b.c", "..x", "a..b", "ü"}) EXPECT_TRUE(safe_entry_name(name)) << name;
  EXPECT_FALSE(safe_entry_name(std::string(1025, 'a')));
  EXPECT_TRUE(safe_entry_name(std::string(1024, 'a')));
  EXPECT_EQ(read_zip_bytes(hostile({{"../evil", AE_IFREG}})).error().code, ErrorCode::InvalidRequest);
  EXPECT_EQ(read_zip_bytes(hostile({{"/evil", AE_IFREG}})).error().code, ErrorCode::InvalidRequest);
}

TEST(BaseZip, LinksAndTwinsAreRefusedFoldersSkipped) {
  EXPECT_EQ(read_zip_bytes(hostile({{"link", AE_IFLNK}})).error().code, ErrorCode::InvalidRequest);
  EXPECT_EQ(read_zip_bytes(hostile({{"a", AE_IFREG}, {"a", AE_IFREG}})).error().code, ErrorCode::InvalidRequest);
  EXPECT_EQ(read_zip_bytes(hostile({{"d/", AE_IFDIR}, {"d/a", AE_IFREG}})).value().size(), 1u);
}

TEST(BaseZip, WriterRefusesUnsafeNames) {
  auto writer = ZipWriter::to_sink([](std::string_view) -> Result<void> { return {}; });
  EXPECT_EQ(writer->add("../x", "").error().code, ErrorCode::InvalidArgument);
}

TEST(BaseZip, LimitsAreExact) {
  const std::string archive_of_two = zipped({{"a", std::string(100, 'x')}, {"b", std::string(50, 'x')}});
  EXPECT_TRUE(read_zip_bytes(archive_of_two, {2, 100, 150}).has_value());
  EXPECT_EQ(read_zip_bytes(archive_of_two, {1, 100, 150}).error().code, ErrorCode::LimitExceeded);
  EXPECT_EQ(read_zip_bytes(archive_of_two, {2, 99, 150}).error().code, ErrorCode::LimitExceeded);
  EXPECT_EQ(read_zip_bytes(archive_of_two, {2, 100, 149}).error().code, ErrorCode::LimitExceeded);
}

TEST(BaseZip, ABombIsStoppedWhileUnpacking) {
  const std::string bomb = zipped({{"zeros", std::string(20'000'000, '\0')}});
  EXPECT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(read_zip_bytes(bomb, {10, 1'000'000, 1'000'000}).error().code, ErrorCode::LimitExceeded);
}

TEST(BaseZip, DamagedArchivesAreErrors) {
  EXPECT_EQ(read_zip_bytes("no archive at all").error().code, ErrorCode::InvalidRequest);
  std::string bytes = zipped({{"a", std::string(5000, 'x') + "unique"}});
  // Local header: 30 bytes, the name, the extra field whose length stands at 28; then the compressed data.
  const std::size_t data = 30 + 1 + static_cast<unsigned char>(bytes[28]);
  bytes[data + 3] = static_cast<char>(bytes[data + 3] ^ 0x55);
  EXPECT_EQ(read_zip_bytes(bytes).error().code, ErrorCode::InvalidRequest);
  EXPECT_EQ(read_zip("/none.zip").error().code, ErrorCode::IoError);
}

TEST(BaseZip, AFolderReadsLikeItsArchive) {
  const test::TempDir dir;
  ASSERT_TRUE(ensure_dir(dir / "sub/deep").has_value());
  ASSERT_TRUE(write_file_atomic(dir / "b.txt", "2").has_value());
  ASSERT_TRUE(write_file_atomic(dir / "sub/deep/a.txt", "1").has_value());
  const auto entries = read_folder(dir.path()).value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "b.txt");
  EXPECT_EQ(entries[1].name, "sub/deep/a.txt");
  EXPECT_EQ(entries[1].bytes, "1");
  EXPECT_EQ(read_folder(dir.path(), {1, 100, 100}).error().code, ErrorCode::LimitExceeded);
  EXPECT_EQ(read_folder(dir.path(), {2, 100, 1}).error().code, ErrorCode::LimitExceeded);
  std::filesystem::create_symlink("/etc/passwd", dir / "link");
  EXPECT_EQ(read_folder(dir.path()).error().code, ErrorCode::InvalidRequest);
  EXPECT_EQ(read_folder(dir / "none").error().code, ErrorCode::IoError);
}

}  // namespace
}  // namespace planexe
