#include "cli/rehearsal_process.hpp"

#include <chrono>
#include <filesystem>

namespace planexe::cli {
namespace {

constexpr auto kStartDeadline = std::chrono::seconds(10);
constexpr std::string_view kReady = "listening ";

std::filesystem::path program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path("planexe-rehearsal") : self.parent_path() / "planexe-rehearsal";
}

}  // namespace

Result<RehearsalProcess> RehearsalProcess::start(const Settings& settings, const Options& options) {
  if (const auto url = settings.get("PLANEXE_REHEARSAL_URL")) return RehearsalProcess(*url, std::nullopt);
  SubprocessOptions child;
  child.program = program();
  child.arguments = {"--port", "0"};
  if (!options.answers.empty()) child.arguments.insert(child.arguments.end(), {"--answers", options.answers});
  if (!options.recipe_dir.empty()) child.arguments.insert(child.arguments.end(), {"--recipe", options.recipe_dir});
  if (const auto profile = settings.get("PLANEXE_REHEARSAL_PROFILE"))
    child.arguments.insert(child.arguments.end(), {"--profile", *profile});
  PLANEXE_TRY_ASSIGN(auto process, Subprocess::start(child));
  auto line = process.read_line(std::chrono::duration_cast<std::chrono::milliseconds>(kStartDeadline));
  if (!line || !*line || !(*line)->starts_with(kReady))
    return fail(ErrorCode::InvalidConfig, "The rehearsal server did not start: " + child.program.string(),
                line ? line->value_or("it ended at once; its message is above") : line.error().message);
  auto url = (*line)->substr(kReady.size());
  return RehearsalProcess(std::move(url), std::move(process));
}

}  // namespace planexe::cli
