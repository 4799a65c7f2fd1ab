#include "llm/payload_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.hpp"

namespace planexe::llm {

namespace {
/// A few hundred plans; a forgotten switch must not fill the disk.
constexpr std::uint64_t kBytesMax = 1ULL << 30U;
}

Result<PayloadLog> PayloadLog::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "a");
  if (file == nullptr) {
    const int reason = errno;
    if (descriptor >= 0) ::close(descriptor);
    return fail(ErrorCode::IoError, fmt::format("cannot write the payload log {}: {}", path, std::strerror(reason)));
  }
  return PayloadLog(file);
}

void PayloadLog::write(const json::object& line) {
  if (written_ > kBytesMax) return;
  const std::string text = to_json(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), file_.get());
  std::fflush(file_.get());
  written_ += text.size();
  if (written_ > kBytesMax) log_warn("the payload log has reached its limit and ends", {{"bytes", written_}});
}

}  // namespace planexe::llm
