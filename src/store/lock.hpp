#pragma once

#include <filesystem>
#include <memory>

#include "base/error.hpp"

namespace planexe::store {

/// The lock file `<database>.lock` beside a SQLite database, held by the one process that runs plans on it. While it is
/// held no other process can have a plan in work, so leases found in the database are those of the dead. The kernel
/// gives the lock back when the process ends, however it ends; the file stays. Not inherited by child processes.
class DataDirLock {
 public:
  /// Does not wait. Errors: LOCKED, naming the process that holds it; IO_ERROR.
  static Result<std::unique_ptr<DataDirLock>> acquire(const std::filesystem::path& database);

  ~DataDirLock();
  DataDirLock(const DataDirLock&) = delete;
  DataDirLock& operator=(const DataDirLock&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  DataDirLock(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}

  int descriptor_;
  std::filesystem::path path_;
};

}  // namespace planexe::store
