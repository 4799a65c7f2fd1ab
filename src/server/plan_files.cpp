#include "server/plan_files.hpp"

#include <set>

#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "plan/artefact.hpp"
#include "server/artefact_view.hpp"
#include "server/run_log.hpp"

namespace planexe::server {
namespace {

/// More files than any run writes; what else somebody has put into the folder is not shown.
constexpr std::size_t kFolderFilesMax = 1000;

store::ContentRow loose_file(std::string filename, std::int64_t size, TimePoint created_at) {
  store::ContentRow row;
  row.content_type = plan::artefact_content_type(filename);
  row.filename = std::move(filename);
  row.size_bytes = size;
  row.version = 1;
  row.created_at = created_at;
  return row;
}

/// Links lead elsewhere, and copies that are being written have another name.
bool is_loose_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  const std::string name = path.filename().string();
  return !error && std::filesystem::is_regular_file(status) && is_listed_name(name) && !name.ends_with(".part");
}

TimePoint written_at(const std::filesystem::path& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return {};
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::file_clock::to_sys(time));
}

}  // namespace

Result<std::vector<store::ContentRow>> PlanFiles::list(const recipe::Recipe& recipe) const {
  PLANEXE_TRY_ASSIGN(auto rows, store_.contents(plan_id_));
  const bool stored = std::ranges::any_of(rows, [](const auto& row) { return row.filename == kLogFile; });
  if (!stored) {
    PLANEXE_TRY_ASSIGN(const auto log, read_log(store_, plan_id_));
    if (!log.text.empty())
      rows.push_back(loose_file(std::string(kLogFile), static_cast<std::int64_t>(log.text.size()), log.begun));
  }
  add_folder(rows);
  return listed_files(std::move(rows), recipe);
}

void PlanFiles::add_folder(std::vector<store::ContentRow>& rows) const {
  if (folder_.empty()) return;
  std::set<std::string, std::less<>> known;
  for (const auto& row : rows) known.insert(row.filename);
  std::error_code error;
  std::size_t seen = 0;
  for (auto entry = std::filesystem::directory_iterator(folder_, error);
       !error && entry != std::filesystem::directory_iterator() && seen < kFolderFilesMax; entry.increment(error)) {
    ++seen;
    const auto& path = entry->path();
    if (known.contains(path.filename().string()) || !is_loose_file(path)) continue;
    std::error_code gone;
    const auto size = std::filesystem::file_size(path, gone);
    if (!gone) rows.push_back(loose_file(path.filename().string(), static_cast<std::int64_t>(size), written_at(path)));
  }
}

Result<std::optional<store::ContentRow>> PlanFiles::load(const std::string& filename, int version) const {
  if (!is_listed_name(filename)) return std::nullopt;
  PLANEXE_TRY_ASSIGN(auto row, store_.content(plan_id_, filename, version));
  if (row || version > 1) return row;
  // Files without versions have version 1; one whose current version is in the database has all its versions there.
  if (version == 1) {
    PLANEXE_TRY_ASSIGN(const auto current, store_.content(plan_id_, filename));
    if (current) return std::nullopt;
  }
  if (filename == kLogFile) {
    PLANEXE_TRY_ASSIGN(auto log, read_log(store_, plan_id_));
    if (!log.text.empty()) {
      auto file = loose_file(filename, static_cast<std::int64_t>(log.text.size()), log.begun);
      file.content = std::move(log.text);
      return file;
    }
  }
  return load_from_folder(filename);
}

std::optional<store::ContentRow> PlanFiles::load_from_folder(const std::string& filename) const {
  const auto path = folder_ / filename;
  if (folder_.empty() || !is_loose_file(path)) return std::nullopt;
  auto bytes = read_file(path, planexe::limits::kZipEntryBytesMax);
  if (!bytes) return std::nullopt;
  auto file = loose_file(filename, static_cast<std::int64_t>(bytes->size()), written_at(path));
  file.is_binary = !valid_utf8(*bytes);
  file.content = *std::move(bytes);
  return file;
}

}  // namespace planexe::server
