#include "base/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace planexe {

namespace fs = std::filesystem;

namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }

  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

std::unexpected<Error> io_failure(std::string_view action, const fs::path& path, int number) {
  return fail(ErrorCode::IoError, "Cannot " + std::string(action) + " " + path.string() + ": " +
                                      std::generic_category().message(number) + ".");
}

std::unexpected<Error> too_long(const fs::path& path, std::uint64_t limit) {
  return fail(ErrorCode::LimitExceeded,
              "The file " + path.string() + " is longer than the limit of " + std::to_string(limit) + " bytes.");
}

Result<void> write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_failure("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// A rename is durable only when the folder is on the disk too.
Result<void> sync_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) return io_failure("sync", folder, errno);
  return {};
}

Result<void> write_and_sync(int descriptor, std::string_view bytes, const fs::path& path) {
  PLANEXE_TRY(write_all(descriptor, bytes, path));
  // mkstemp makes files that only the owner may read; the result shall be an ordinary file.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(descriptor, 0666 & ~mask) != 0) return io_failure("write", path, errno);
  if (::fsync(descriptor) != 0) return io_failure("sync", path, errno);
  return {};
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return io_failure("read", path, errno);
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return io_failure("read", path, errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::IoError, "Cannot read " + path.string() + ": not a file.");
  if (static_cast<std::uint64_t>(status.st_size) > limit_bytes) return too_long(path, limit_bytes);
  std::string bytes;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = ::read(descriptor.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_failure("read", path, errno);
    if (got == 0) return bytes;
    // The file may have grown since its size was taken.
    if (bytes.size() + static_cast<std::size_t>(got) > limit_bytes) return too_long(path, limit_bytes);
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> write_file_atomic(const fs::path& path, std::string_view bytes) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::string temporary = (folder / ("." + path.filename().string().substr(0, 200) + ".XXXXXX")).string();
  {
    const Descriptor descriptor(::mkostemp(temporary.data(), O_CLOEXEC));
    if (descriptor.get() < 0) return io_failure("write", path, errno);
    if (auto written = write_and_sync(descriptor.get(), bytes, path); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    return io_failure("replace", path, number);
  }
  return sync_folder(folder);
}

Result<void> ensure_dir(const fs::path& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return io_failure("make the folder", path, ec.value());
  if (!fs::is_directory(path, ec)) return io_failure("make the folder", path, ENOTDIR);
  return {};
}

Result<FileLock> FileLock::try_lock(const fs::path& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (descriptor.get() < 0) return io_failure("open the lock file", path, errno);
  while (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return fail(ErrorCode::Locked, "Another process holds the lock " + path.string() + ".");
    return io_failure("lock", path, errno);
  }
  return FileLock(descriptor.release());
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace planexe
