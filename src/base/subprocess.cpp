#include "base/subprocess.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/limits.hpp"

namespace planexe {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

std::unexpected<Error> start_failure(const std::filesystem::path& program, int number) {
  return fail(ErrorCode::IoError,
              "Cannot start " + program.string() + ": " + std::generic_category().message(number) + ".");
}

/// What the child needs, made before fork(): between fork and exec a child of a threaded process may not allocate.
struct Launch {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
  bool discard_errors = false;
  pid_t parent = ::getpid();
  int output = -1;
  int failure = -1;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

void fill(Launch& launch, const SubprocessOptions& options) {
  launch.program = options.program.string();
  launch.arguments.push_back(launch.program);
  launch.arguments.insert(launch.arguments.end(), options.arguments.begin(), options.arguments.end());
  for (const std::string& name : options.allowed_environment) {
    // Nothing in this program changes the environment once threads run.
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    if (const char* value = std::getenv(name.c_str())) launch.environment.push_back(name + "=" + value);
  }
  for (const auto& [name, value] : options.extra_environment) launch.environment.push_back(name + "=" + value);
  launch.argv = pointers(launch.arguments);
  launch.envp = pointers(launch.environment);
  launch.discard_errors = options.standard_error == SubprocessOptions::Stderr::discard;
}

[[noreturn]] void give_up(int failure) {
  const int number = errno;
  // The parent reads the number; when even that fails it sees a child that ended.
  [[maybe_unused]] const ssize_t written = ::write(failure, &number, sizeof(number));
  ::_exit(127);
}

/// In the child. Only async-signal-safe calls.
[[noreturn]] void become(const Launch& launch) {
  if (::setpgid(0, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(launch.failure);
  // The parent may have died before prctl took effect.
  if (::getppid() != launch.parent) ::_exit(127);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(launch.output, STDOUT_FILENO) < 0) give_up(launch.failure);
  if (launch.discard_errors && ::dup2(null, STDERR_FILENO) < 0) give_up(launch.failure);
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up(launch.failure);
  ::execve(launch.program.c_str(), launch.argv.data(), launch.envp.data());
  give_up(launch.failure);
}

int exit_status(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

int poll_timeout(SteadyClock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - SteadyClock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
}

/// True when the descriptor became readable (or closed) in time.
bool wait_readable(int descriptor, SteadyClock::time_point deadline) {
  while (true) {
    pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&entry, 1, poll_timeout(deadline));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

}  // namespace

Result<Subprocess> Subprocess::start(const SubprocessOptions& options) {
  int output[2];
  int failure[2];
  if (::pipe2(output, O_CLOEXEC) != 0) return start_failure(options.program, errno);
  if (::pipe2(failure, O_CLOEXEC) != 0) {
    const int number = errno;
    ::close(output[0]);
    ::close(output[1]);
    return start_failure(options.program, number);
  }
  Launch launch;
  fill(launch, options);
  launch.output = output[1];
  launch.failure = failure[1];
  const pid_t pid = ::fork();
  if (pid == 0) become(launch);
  const int fork_error = errno;
  ::close(output[1]);
  ::close(failure[1]);
  int number = pid < 0 ? fork_error : 0;
  // The pipe closes when exec succeeds.
  while (pid > 0 && ::read(failure[0], &number, sizeof(number)) < 0 && errno == EINTR) continue;
  ::close(failure[0]);
  if (number == 0) return Subprocess(pid, output[0]);
  ::close(output[0]);
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  return start_failure(options.program, number);
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      buffer_(std::move(other.buffer_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(buffer_, other.buffer_);
  std::swap(status_, other.status_);
  return *this;
}

Subprocess::~Subprocess() { close_all(); }

void Subprocess::close_all() noexcept {
  if (output_ >= 0) ::close(output_);
  output_ = -1;
  if (pid_ <= 0 || status_) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

Result<std::optional<std::string>> Subprocess::read_line(milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  while (true) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > limits::kChildLineBytesMax) {
      return fail(ErrorCode::LimitExceeded, "A child process wrote a line without an end.");
    }
    if (!wait_readable(output_, deadline)) {
      return fail(ErrorCode::Timeout, "A child process wrote nothing for too long.");
    }
    char chunk[4096];
    const ssize_t got = ::read(output_, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::IoError, "Cannot read the output of a child process.");
    if (got > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(got));
      continue;
    }
    if (buffer_.empty()) return std::optional<std::string>{};
    return std::exchange(buffer_, {});
  }
}

std::optional<int> Subprocess::poll_exit() {
  if (status_ || pid_ <= 0) return status_;
  int raw = 0;
  if (::waitpid(pid_, &raw, WNOHANG) == pid_) status_ = exit_status(raw);
  return status_;
}

Result<int> Subprocess::wait(milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  if (const auto status = poll_exit()) return *status;
  // glibc 2.36 declares pidfd_open without C linkage.
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (descriptor < 0) return fail(ErrorCode::IoError, "Cannot wait for a child process.");
  const bool ended = wait_readable(descriptor, deadline);
  ::close(descriptor);
  if (ended) {
    if (const auto status = poll_exit()) return *status;
  }
  return fail(ErrorCode::Timeout, "A child process did not end in time.");
}

int Subprocess::terminate(milliseconds grace) {
  PLANEXE_ASSERT(pid_ > 0);
  if (const auto status = poll_exit()) return *status;
  ::kill(pid_, SIGTERM);
  if (const auto status = wait(grace)) return *status;
  ::kill(pid_, SIGKILL);
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) continue;
  status_ = exit_status(raw);
  return *status_;
}

}  // namespace planexe
