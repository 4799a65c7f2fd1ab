#include "plan/export.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/hash.hpp"
#include "base/limits.hpp"
#include "plan/artefact.hpp"

namespace planexe::plan {
namespace {

constexpr std::string_view kManifest = "manifest.json";

}  // namespace

Bundle::Bundle(json::object plan, std::vector<BundleFile> files, BundleLoader load, TimePoint generated_at)
    : plan_(std::move(plan)), files_(std::move(files)), load_(std::move(load)), generated_at_(generated_at) {}

Result<Bundle> Bundle::make(json::object plan, std::vector<BundleFile> files, BundleLoader load, const BundleOptions& options) {
  std::erase_if(files, [&](const BundleFile& file) { return file.filename == kManifest || (!options.raw && is_raw_artefact(file.filename)); });
  if (files.empty()) return fail(ErrorCode::ContentNotFound, "The plan has no files yet.");
  std::uint64_t total = 0;
  for (const auto& file : files) total += static_cast<std::uint64_t>(std::max<std::int64_t>(0, file.bytes));
  if (files.size() >= limits::kZipEntriesMax || total > limits::kZipTotalBytesMax)
    return fail(ErrorCode::LimitExceeded, "The files of this plan are too large for one archive.");
  std::ranges::sort(files, {}, &BundleFile::filename);
  return Bundle(std::move(plan), std::move(files), std::move(load), options.generated_at);
}

Result<bool> Bundle::write_next(ZipWriter& writer) {
  if (next_ == files_.size()) {
    PLANEXE_TRY(write_end(writer));
    return false;
  }
  const auto& file = files_[next_++];
  PLANEXE_TRY_ASSIGN(const auto content, load_(file.filename));
  if (!content) return true;
  PLANEXE_TRY(writer.add(file.filename, content->bytes));
  written_.push_back(json::object{{"filename", file.filename},
                                  {"sha256", sha256_hex(content->bytes)},
                                  {"size_bytes", content->bytes.size()},
                                  {"task_key", file.task_key.empty() ? json::value(nullptr) : json::value(file.task_key)},
                                  {"version", std::max(1, content->version)},
                                  {"stale", content->stale}});
  return true;
}

Result<void> Bundle::write_end(ZipWriter& writer) {
  if (written_.empty()) return fail(ErrorCode::ContentNotFound, "The files of the plan are gone.");
  const json::object manifest{{"plan", std::move(plan_)}, {"files", std::move(written_)}, {"generated_at", format_iso(generated_at_)}};
  PLANEXE_TRY(writer.add(kManifest, to_json_pretty(manifest)));
  return writer.finish();
}

Result<void> write_bundle(ZipWriter& writer, Bundle bundle) {
  for (;;) {
    PLANEXE_TRY_ASSIGN(const bool more, bundle.write_next(writer));
    if (!more) return {};
  }
}

}  // namespace planexe::plan
