#include "server/bundle.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/limits.hpp"
#include "base/zip.hpp"
#include "plan/artefact.hpp"
#include "server/view_values.hpp"

namespace planexe::server {
namespace {

constexpr std::string_view kManifest = "manifest.json";

bool is_wanted(const store::ContentRow& file, bool raw) {
  return file.filename != kManifest && (raw || !plan::is_raw_artefact(file.filename));
}

}  // namespace

Result<std::string> make_bundle(const BundleSource& source) {
  std::vector<const store::ContentRow*> wanted;
  for (const auto& file : source.files)
    if (is_wanted(file, source.raw)) wanted.push_back(&file);
  std::ranges::sort(wanted, {}, [](const auto* file) { return std::string_view(file->filename); });

  std::string archive;
  PLANEXE_TRY_ASSIGN(auto writer, ZipWriter::to_sink([&archive](std::string_view bytes) -> Result<void> {
                       if (archive.size() + bytes.size() > planexe::limits::kZipTotalBytesMax)
                         return fail(ErrorCode::LimitExceeded, "The files of this plan are too large for one archive.");
                       archive += bytes;
                       return {};
                     }));
  json::array entries;
  for (const auto* listed : wanted) {
    PLANEXE_TRY_ASSIGN(const auto file, source.load(listed->filename));
    if (!file) continue;
    PLANEXE_TRY(writer.add(file->filename, file->content));
    entries.push_back(json::object{{"filename", file->filename},
                                   {"sha256", sha256_hex(file->content)},
                                   {"size_bytes", file->content.size()},
                                   {"task_key", view::text_or_null(listed->task_key)},
                                   {"version", std::max(1, file->version)},
                                   {"stale", file->stale}});
  }
  if (entries.empty()) return fail(ErrorCode::ContentNotFound, "The plan has no files yet.");
  const json::object manifest{
      {"plan", source.plan}, {"files", std::move(entries)}, {"generated_at", format_iso(source.now)}};
  PLANEXE_TRY(writer.add(kManifest, to_json_pretty(manifest)));
  PLANEXE_TRY(writer.finish());
  return archive;
}

}  // namespace planexe::server
