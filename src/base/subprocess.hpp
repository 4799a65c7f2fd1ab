#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace planexe {

struct SubprocessOptions {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  /// Variables of this process that the child may see. Everything else, keys above all, stays here.
  std::vector<std::string> allowed_environment = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"};
  std::vector<std::pair<std::string, std::string>> extra_environment;
  enum class Stderr { inherit, discard } standard_error = Stderr::inherit;
};

/// A child process with a clean environment, no inherited descriptors, its own process group (Ctrl-C reaches only us)
/// and its standard output in a pipe. The kernel kills it when the thread that started it ends, so it is started from
/// one that lives as long as the child shall. One thread at a time.
class Subprocess {
 public:
  /// Error: IO_ERROR, also when the program cannot be executed.
  static Result<Subprocess> start(const SubprocessOptions& options);

  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  /// Kills a child that still runs.
  ~Subprocess();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next line of its output without its end; nothing at the end of the output. Errors: TIMEOUT when no whole line
  /// came in time, LIMIT_EXCEEDED for an endless one, IO_ERROR.
  Result<std::optional<std::string>> read_line(std::chrono::milliseconds timeout);

  /// The exit status once it has ended: 0..255, or 128 and the signal's number. Does not wait.
  std::optional<int> poll_exit();

  /// Waits for the end. Error: TIMEOUT.
  Result<int> wait(std::chrono::milliseconds timeout);

  /// SIGTERM, then SIGKILL after `grace`; gives the exit status.
  int terminate(std::chrono::milliseconds grace);

 private:
  Subprocess(pid_t pid, int output) : pid_(pid), output_(output) {}
  void close_all() noexcept;

  pid_t pid_ = -1;
  int output_ = -1;
  std::string buffer_;
  std::optional<int> status_;
};

}  // namespace planexe
