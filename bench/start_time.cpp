// Prints how long the planexe program takes to start and answer, and the memory it has then.

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace {

struct Run {
  double wall_ms = 0;
  double peak_mib = 0;
  int status = 0;
};

Run run(const std::string& program, std::vector<std::string> words) {
  std::vector<char*> argv;
  words.insert(words.begin(), program);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = 0;
  Run out;
  if (posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ) != 0) return {0, 0, -1};
  rusage usage{};
  wait4(pid, &out.status, 0, &usage);
  out.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  out.peak_mib = static_cast<double>(usage.ru_maxrss) / 1024.0;
  posix_spawn_file_actions_destroy(&actions);
  return out;
}

void print(const std::string& program, const char* what, const std::vector<std::string>& words) {
  constexpr int kRuns = 21;
  std::vector<double> times;
  double memory = 0;
  for (int i = 0; i < kRuns; ++i) {
    const auto one = run(program, words);
    if (one.status != 0) {
      fmt::print(stderr, "{} failed with status {}\n", what, one.status);
      _exit(1);
    }
    times.push_back(one.wall_ms);
    memory = std::max(memory, one.peak_mib);
  }
  std::ranges::sort(times);
  fmt::print("{:<36} {:>7.1f} ms p50 {:>7.1f} ms max {:>7.1f} MiB at the peak\n", what, times[kRuns / 2], times.back(), memory);
}

}  // namespace

int main(int, char** argv) {
  const auto program = (std::filesystem::absolute(argv[0]).parent_path() / "planexe").string();
  std::string folder = (std::filesystem::temp_directory_path() / "planexe-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  ::setenv("PLANEXE_DATA_DIR", folder.c_str(), 1);
  print(program, "--version", {"--version"});
  print(program, "list of an empty database", {"list"});
  print(program, "recipe lint", {"recipe", "lint"});
  std::filesystem::remove_all(folder);
  return 0;
}
