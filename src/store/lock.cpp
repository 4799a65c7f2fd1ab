#include "store/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace planexe::store {
namespace {

/// A process id and a line end.
constexpr std::size_t kPidChars = 24;

/// The process that wrote its number into the file, as words.
std::string holder_of(int descriptor) {
  std::array<char, kPidChars> buffer{};
  const ssize_t size = ::pread(descriptor, buffer.data(), buffer.size(), 0);
  std::string digits;
  for (ssize_t i = 0;
       i < size && buffer[static_cast<std::size_t>(i)] >= '0' && buffer[static_cast<std::size_t>(i)] <= '9'; ++i) {
    digits += buffer[static_cast<std::size_t>(i)];
  }
  return digits.empty() ? "another process" : fmt::format("process {}", digits);
}

std::unexpected<Error> io_error(const std::filesystem::path& path, int number) {
  return fail(ErrorCode::IoError,
              fmt::format("Cannot use the lock file {}: {}. Check that its folder exists and can be written.",
                          path.string(), std::generic_category().message(number)));
}

}  // namespace

Result<std::unique_ptr<DataDirLock>> DataDirLock::acquire(const std::filesystem::path& database) {
  std::filesystem::path path = database;
  path += ".lock";
  const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return io_error(path, errno);
  std::unique_ptr<DataDirLock> lock(new DataDirLock(descriptor, path));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    if (number != EWOULDBLOCK) return io_error(path, number);
    return fail(ErrorCode::Locked, fmt::format("The database {} is in use by {}, which runs plans on it. Stop it, or "
                                               "name another database with --db.",
                                               database.string(), holder_of(descriptor)));
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return io_error(path, errno);
  }
  return lock;
}

DataDirLock::~DataDirLock() { ::close(descriptor_); }

}  // namespace planexe::store
