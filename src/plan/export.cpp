#include "plan/export.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/hash.hpp"
#include "plan/artefact.hpp"

namespace planexe::plan {

Result<void> write_bundle(ZipWriter& writer, const json::object& plan, std::vector<BundleFile> files,
                          const BundleLoader& load, TimePoint generated_at, const BundleOptions& options) {
  std::erase_if(files, [&](const BundleFile& file) { return !options.raw && is_raw_artefact(file.filename); });
  if (files.empty()) return fail(ErrorCode::ContentNotFound, "The plan has no files yet.");
  std::ranges::sort(files, {}, [](const BundleFile& file) {
    return std::pair(artefact_order(file.filename), std::string_view(file.filename));
  });
  json::array list;
  for (const BundleFile& file : files) {
    PLANEXE_TRY_ASSIGN(const std::string bytes, load(file.filename));
    PLANEXE_TRY(writer.add(file.filename, bytes));
    list.push_back(json::object{{"filename", file.filename},
                                {"sha256", sha256_hex(bytes)},
                                {"size_bytes", bytes.size()},
                                {"task_key", file.task_key},
                                {"version", file.version},
                                {"stale", file.stale}});
  }
  const json::object manifest{{"plan", plan}, {"files", std::move(list)}, {"generated_at", format_iso(generated_at)}};
  PLANEXE_TRY(writer.add("manifest.json", to_json_pretty(manifest)));
  return writer.finish();
}

}  // namespace planexe::plan
