#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace planexe {

/// The whole file. Errors: IO_ERROR when it cannot be read or is no regular file, LIMIT_EXCEEDED when it is longer.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes);

/// Replaces the file as a whole: a reader, and a machine that loses power, see the old bytes or the new ones. The
/// folder must exist. Error: IO_ERROR.
Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// Makes the folder and its parents. Error: IO_ERROR.
Result<void> ensure_dir(const std::filesystem::path& path);

/// An advisory lock (flock) on a file, held until the object or the process ends. The file stays.
class FileLock {
 public:
  /// Does not wait. Errors: LOCKED when another holder exists, IO_ERROR.
  static Result<FileLock> try_lock(const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace planexe
