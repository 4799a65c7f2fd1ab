#include "support/postgresql.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace planexe::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kStartWait = 60s;

/// The newest installed version's programs; empty when there is none.
fs::path programs() {
  fs::path best;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    if (!fs::exists(entry.path() / "bin" / "initdb") || !fs::exists(entry.path() / "bin" / "postgres")) continue;
    if (best.empty() || std::stoi(entry.path().filename()) > std::stoi(best.parent_path().filename()))
      best = entry.path() / "bin";
  }
  return best;
}

/// Whom the server runs as: it refuses to run as root.
const passwd* server_user() {
  if (geteuid() != 0) return nullptr;
  const passwd* user = getpwnam("postgres");
  return user != nullptr ? user : getpwnam("nobody");
}

bool is_free(int port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(descriptor);
  return bound;
}

/// Below the ports that the system gives to outgoing connections: the server needs the same one again after a restart.
int free_port() {
  constexpr int kFirst = 15'000;
  constexpr int kCount = 17'000;
  for (int tries = 0; tries < kCount; ++tries) {
    const int port = kFirst + (::getpid() * 7 + tries * 101) % kCount;
    if (is_free(port)) return port;
  }
  return 0;
}

/// The process beside the tests. It has the server as its child, takes commands from a pipe, and ends everything when
/// the pipe ends, because then the tests have ended.
class Keeper {
 public:
  Keeper(fs::path folder, int port, int commands, int answers)
      : folder_(std::move(folder)), bin_(programs()), port_(port), commands_(commands), answers_(answers) {}

  [[noreturn]] void run() {
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    answer(make() && start());
    for (char command = 0; ::read(commands_, &command, 1) == 1;) {
      if (command == 'k') answer(stop(SIGQUIT));
      if (command == 's') answer(start());
    }
    stop(SIGQUIT);
    std::error_code error;
    fs::remove_all(folder_, error);
    ::_exit(0);
  }

 private:
  void answer(bool good) const { [[maybe_unused]] const auto written = ::write(answers_, good ? "y" : "n", 1); }

  /// As the server's user, with its output in the folder.
  pid_t spawn(const std::vector<std::string>& words) const {
    const passwd* user = server_user();
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
      ::_exit(126);
    // After the change of the user, which forgets it.
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::getppid() != parent) ::_exit(126);
    const int log = ::open((folder_ / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::close_range(3, ~0U, 0);
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::setenv("LC_ALL", "C", 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  bool make() const {
    const auto password = folder_ / "password";
    std::ofstream(password) << PostgresqlServer::kPassword << '\n';
    if (const passwd* user = server_user(); user != nullptr) {
      if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0 ||
          ::chown(password.c_str(), user->pw_uid, user->pw_gid) != 0)
        return false;
    }
    const pid_t initdb =
        spawn({bin_ / "initdb", "-D", folder_ / "data", "-U", PostgresqlServer::kUser, "-E", "UTF8", "--locale=C.UTF-8",
               "--auth-host=scram-sha-256", "--auth-local=trust", "--pwfile=" + password.string(), "--no-sync"});
    int status = 0;
    return ::waitpid(initdb, &status, 0) == initdb && status == 0;
  }

  /// Nothing has to survive a loss of power here.
  bool start() {
    server_ = spawn({bin_ / "postgres",
                     "-D",
                     folder_ / "data",
                     "-p",
                     std::to_string(port_),
                     "-k",
                     folder_,
                     "-h",
                     "127.0.0.1",
                     "-F",
                     "-c",
                     "full_page_writes=off",
                     "-c",
                     "max_connections=120",
                     "-c",
                     "shared_buffers=32MB",
                     "-c",
                     "deadlock_timeout=100ms",
                     "-c",
                     "log_min_messages=warning"});
    const auto deadline = std::chrono::steady_clock::now() + kStartWait;
    while (std::chrono::steady_clock::now() < deadline) {
      if (::waitpid(server_, nullptr, WNOHANG) != 0) return false;
      if (is_ready()) return true;
      std::this_thread::sleep_for(20ms);
    }
    return false;
  }

  /// The server writes "ready" there when it takes connections.
  bool is_ready() const {
    std::ifstream file(folder_ / "data" / "postmaster.pid");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.starts_with(std::to_string(server_) + "\n") && text.find("ready") != std::string::npos;
  }

  bool stop(int signal) {
    if (server_ <= 0) return true;
    ::kill(server_, signal);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
    return true;
  }

  fs::path folder_, bin_;
  int port_;
  int commands_, answers_;
  pid_t server_ = -1;
};

[[noreturn]] void die(const std::string& message) {
  fmt::print(stderr, "{}\n", message);
  std::abort();
}

}  // namespace

std::string PostgresqlServer::missing() {
  if (programs().empty()) return "no PostgreSQL server is installed (apt-get install postgresql)";
  if (geteuid() == 0 && server_user() == nullptr) return "there is no unprivileged user for a PostgreSQL server";
  return {};
}

PostgresqlServer& PostgresqlServer::shared() {
  static PostgresqlServer server;
  return server;
}

PostgresqlServer::PostgresqlServer() : port_(free_port()) {
  std::string folder = (fs::temp_directory_path() / "planexe-pg-XXXXXX").string();
  int commands[2];
  int answers[2];
  if (::mkdtemp(folder.data()) == nullptr || ::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0)
    die("no folder or pipe for the PostgreSQL server");
  std::fflush(nullptr);
  keeper_ = ::fork();
  if (keeper_ == 0) {
    ::close(commands[1]);
    ::close(answers[0]);
    Keeper(folder, port_, commands[0], answers[1]).run();
  }
  ::close(commands[0]);
  ::close(answers[1]);
  commands_ = commands[1];
  answers_ = answers[0];
  char answer = 0;
  if (::read(answers_, &answer, 1) == 1 && answer == 'y') return;
  std::ifstream log(fs::path(folder) / "log");
  die("The private PostgreSQL server does not start:\n" + std::string(std::istreambuf_iterator<char>(log), {}));
}

PostgresqlServer::~PostgresqlServer() {
  ::close(commands_);
  ::waitpid(keeper_, nullptr, 0);
}

std::string PostgresqlServer::url(const std::string& database) const {
  return fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}", kUser, kPassword, port_, database);
}

std::string PostgresqlServer::new_name() { return fmt::format("t{}", ++names_); }

bool PostgresqlServer::command(char what) {
  char answer = 0;
  return ::write(commands_, &what, 1) == 1 && ::read(answers_, &answer, 1) == 1 && answer == 'y';
}

void PostgresqlServer::kill() {
  if (!command('k')) die("the PostgreSQL server cannot be stopped");
}

void PostgresqlServer::start() {
  if (!command('s')) die("the PostgreSQL server does not start again");
}

}  // namespace planexe::test
