#include "cli/files.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <iostream>
#include <iterator>

#include "base/file.hpp"

extern char** environ;

namespace planexe::cli {

Result<void> copy_plan_files(store::Store& store, const std::string& plan_id, const std::filesystem::path& folder, bool raw) {
  PLANEXE_TRY(ensure_dir(folder));
  PLANEXE_TRY_ASSIGN(const auto rows, store.contents(plan_id));
  for (const auto& row : rows) {
    if (!raw && row.filename.ends_with("_raw.json")) continue;
    PLANEXE_TRY_ASSIGN(const auto content, store.content(plan_id, row.filename));
    if (!content) continue;
    // An attachment of an imported run may lie in a folder of its own; the reader of archives has refused "..".
    const auto path = folder / row.filename;
    PLANEXE_TRY(ensure_dir(path.parent_path()));
    PLANEXE_TRY(write_file_atomic(path, content->content));
  }
  return {};
}

void open_in_browser(const std::filesystem::path& file) {
  std::string program = "xdg-open", argument = file.string();
  char* arguments[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
}

Result<std::string> read_text(const std::string& path, std::uint64_t limit_bytes) {
  if (path != "-") {
    auto text = read_file(path, limit_bytes);
    // Whatever is wrong with it, it is what the user named.
    if (!text) return fail(ErrorCode::InvalidArgument, text.error().message, text.error().detail);
    return text;
  }
  std::string text;
  char buffer[65536];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > limit_bytes) return fail(ErrorCode::InvalidArgument, "Standard input is longer than " + std::to_string(limit_bytes) + " bytes.");
  }
  return text;
}

}  // namespace planexe::cli
