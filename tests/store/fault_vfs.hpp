#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "base/random.hpp"

namespace planexe::store::test {

/// Kinds of calls to the operating system that can be made to fail.
enum class Call { open, read, write, truncate, sync, size, shm };

/// While it lives every SQLite connection of the process goes through it: it counts calls, makes the n-th of a kind
/// fail, and can note all changes of files so that the disk after a loss of power can be built. Flushes do not reach
/// the disk, which makes the tests fast; what a flush promises is what the notes know.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  enum class Duration { once, from_then_on };
  /// From this moment the n-th call of the kind gives `code`.
  void fail(Call call, int n, int code, Duration duration);
  void heal();
  /// True when an armed failure has happened.
  [[nodiscard]] bool failed() const;

  void start_notes();
  void stop_notes();
  /// Notes that everything up to here has been promised to a caller.
  void promise(int number);
  [[nodiscard]] std::size_t notes() const;

  struct Image {
    std::map<std::string, std::string> files;  ///< file name without folder -> bytes
    int promised = 0;                          ///< the highest number promised before the power went
  };
  /// The disk when power goes after the first `notes` changes: what was flushed is there, of the rest any part.
  Image image_after(std::size_t notes, Random& random) const;

  /// For the functions that SQLite calls.
  int check(Call call);
  struct Change {
    enum class Kind { write, truncate, sync, remove, promise } kind;
    std::string file;
    std::int64_t offset = 0;  ///< or size, or the promised number
    std::string bytes;
  };
  void note(Change change);

 private:
  struct Plan {
    Call call{};
    int code = 0;
    int remaining = 0;
    Duration duration{};
    bool armed = false, hit = false;
  };
  mutable std::mutex mutex_;
  Plan plan_;
  bool noting_ = false;
  std::vector<Change> changes_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace planexe::store::test
