#include "engine/run_files.hpp"

#include <boost/asio/post.hpp>
#include <fstream>
#include <future>
#include <system_error>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"

namespace planexe::engine {
namespace {

/// Without fsync: the database has the content, and a hundred flushes per plan would slow its commits down.
bool write_copy(const std::filesystem::path& path, const std::string& content) {
  auto part = path;
  part += ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path, error);
  return out && !error;
}

void write_copies(const std::filesystem::path& folder, const std::vector<FinishedTask::File>& files) {
  if (auto made = ensure_dir(folder); !made) {
    log_warn("the run directory cannot be made", {{"error", made.error().message}});
    return;
  }
  for (const auto& file : files)
    if (!write_copy(folder / file.filename, file.content))
      log_warn("a copy in the run directory could not be written", {{"file", (folder / file.filename).string()}});
}

}  // namespace

RunFiles::RunFiles(std::filesystem::path run_dir, boost::asio::thread_pool& pool)
    : run_dir_(std::move(run_dir)), strand_(boost::asio::make_strand(pool)) {}

std::filesystem::path RunFiles::folder(const std::string& plan_id) const {
  PLANEXE_ASSERT(valid_id(plan_id));
  return run_dir_ / plan_id;
}

void RunFiles::write(const std::string& plan_id, std::vector<FinishedTask::File> files) {
  boost::asio::post(strand_, [folder = folder(plan_id), files = std::move(files)] { write_copies(folder, files); });
}

void RunFiles::flush() {
  std::promise<void> done;
  boost::asio::post(strand_, [&done] { done.set_value(); });
  done.get_future().wait();
}

void RunFiles::remove(const std::string& plan_id) {
  std::error_code error;
  std::filesystem::remove_all(folder(plan_id), error);
  if (error) log_warn("a run directory could not be removed", {{"folder", folder(plan_id).string()}, {"error", error.message()}});
}

}  // namespace planexe::engine
