#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/json.hpp"

/// What the benchmark programs of the server share: the real programs as processes, and requests to them.
namespace planexe::bench {

using Steady = std::chrono::steady_clock;

inline double ms_since(Steady::time_point start) { return std::chrono::duration<double, std::milli>(Steady::now() - start).count(); }

[[noreturn]] inline void die(const std::string& message) {
  fmt::print(stderr, "{}\n", message);
  std::exit(1);
}

/// A program with its standard output as a pipe; ended with this object.
class Process {
 public:
  Process(const std::string& program, std::vector<std::string> words, const std::vector<std::string>& more_env = {}) {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) die("no pipe");
    words.insert(words.begin(), program);
    std::vector<char*> argv, env;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    auto settings = more_env;
    settings.push_back(std::string("PATH=") + ::getenv("PATH"));
    for (auto& setting : settings) env.push_back(setting.data());
    env.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), env.data()) != 0) die("cannot start " + program);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_ends[1]);
    output_ = ::fdopen(pipe_ends[0], "r");
  }
  ~Process() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    ::fclose(output_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  std::string line() {
    char text[4096];
    if (std::fgets(text, sizeof text, output_) == nullptr) die("a program ended before it listened");
    std::string line(text);
    while (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Resident memory in KiB.
  [[nodiscard]] double memory_kib() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string text; std::getline(status, text);)
      if (text.starts_with("VmRSS:")) return std::strtod(text.c_str() + 6, nullptr);
    return 0;
  }
  /// Processor time used so far, in seconds.
  [[nodiscard]] double cpu_seconds() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    text = text.substr(text.rfind(')') + 2);
    std::istringstream fields(text);
    std::string skip;
    for (int i = 0; i < 11; ++i) fields >> skip;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

struct Reply {
  int status = 0;
  std::string body;
};

/// One request on a connection of its own.
inline Reply request(unsigned short port, const std::string& method, const std::string& target, const std::string& body = {}) {
  namespace http = boost::beast::http;
  boost::asio::io_context loop;
  boost::beast::tcp_stream stream(loop);
  stream.connect(boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port));
  http::request<http::string_body> message(http::string_to_verb(method), target, 11);
  message.set(http::field::host, "127.0.0.1");
  message.set(http::field::connection, "close");
  if (!body.empty()) message.set(http::field::content_type, "application/json");
  message.body() = body;
  message.prepare_payload();
  http::write(stream, message);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  http::read(stream, buffer, parser);
  return {static_cast<int>(parser.get().result_int()), parser.get().body()};
}

inline json::value request_json(unsigned short port, const std::string& method, const std::string& target, const std::string& body = {}) {
  const auto reply = request(port, method, target, body);
  auto value = parse_json(reply.body);
  if (reply.status >= 400 || !value) die(fmt::format("{} {}: {} {}", method, target, reply.status, reply.body));
  return *std::move(value);
}

inline unsigned short port_of(const std::string& line) { return static_cast<unsigned short>(std::stoi(line.substr(line.rfind(':') + 1))); }

/// The rehearsal server and `planexe serve` with a database of its own, in a folder that is removed in the end.
class ServerBench {
 public:
  explicit ServerBench(const char* program, const std::vector<std::string>& rehearsal = {}) : bin_(std::filesystem::absolute(program).parent_path()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "planexe-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) die("no folder for the database");
    folder_ = pattern;
    std::vector<std::string> words{"--port", "0"};
    words.insert(words.end(), rehearsal.begin(), rehearsal.end());
    rehearsal_.emplace((bin_ / "planexe-rehearsal").string(), words);
    rehearsal_port_ = port_of(rehearsal_->line());
    start();
  }
  ~ServerBench() {
    server_.reset();
    rehearsal_.reset();
    std::filesystem::remove_all(folder_);
  }
  ServerBench(const ServerBench&) = delete;
  ServerBench& operator=(const ServerBench&) = delete;

  /// Starts the server; gives the milliseconds until it answered its first request.
  double start() {
    server_.reset();
    const auto begin = Steady::now();
    server_.emplace((bin_ / "planexe").string(), std::vector<std::string>{"serve", "--port", "0"},
                    std::vector<std::string>{"PLANEXE_DATA_DIR=" + folder_.string(), "PLANEXE_RATE_LIMITS=off", "PLANEXE_MAX_STREAMS=100000",
                                             "PLANEXE_MAX_CONNECTIONS=100000", "PLANEXE_MAX_CONCURRENT_PLANS=1000",
                                             fmt::format("PLANEXE_REHEARSAL_URL=http://127.0.0.1:{}", rehearsal_port_)});
    port_ = port_of(server_->line());
    if (request(port_, "GET", "/ping").status != 200) die("the server does not answer");
    return ms_since(begin);
  }

  [[nodiscard]] Process& server() { return *server_; }
  [[nodiscard]] unsigned short port() const { return port_; }

  void script(const std::string& text) { request_json(rehearsal_port_, "POST", "/control/scripts", text); }

  std::string create_plan() {
    return std::string(*get_string(request_json(port_, "POST", "/api/plans", R"({"prompt": "Open a bicycle repair shop in Lyon, budget 80 000 EUR"})"), "plan_id"));
  }
  std::string status_of(const std::string& plan_id) {
    return std::string(*get_string(request_json(port_, "GET", "/api/plans/" + plan_id), "status"));
  }
  void wait_for(const std::string& plan_id, std::string_view status) {
    const auto begin = Steady::now();
    while (status_of(plan_id) != status) {
      if (ms_since(begin) > 120'000) die("a plan did not become " + std::string(status));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

 private:
  std::filesystem::path bin_, folder_;
  std::optional<Process> rehearsal_, server_;
  unsigned short rehearsal_port_ = 0, port_ = 0;
};

/// As many descriptors as this process may have; the programs that it starts inherit that. Gives the number.
inline rlim_t raise_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

}  // namespace planexe::bench
