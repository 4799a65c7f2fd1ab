#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "store/rows.hpp"

namespace planexe::server {

struct BundleSource {
  json::object plan;                     ///< PlanResponse, for the manifest
  std::vector<store::ContentRow> files;  ///< as listed_files gives them
  /// The file with its bytes; nothing when it is gone meanwhile.
  std::function<Result<std::optional<store::ContentRow>>(const std::string& filename)> load;
  bool raw = true;  ///< false leaves out *_raw.json
  TimePoint now{};
};

/// The bytes of a ZIP archive with all files, sorted by name, and manifest.json at its end. One file is in memory
/// beside the archive. The same contents give the same bytes but for the manifest. CONTENT_NOT_FOUND without any file;
/// LIMIT_EXCEEDED when the archive would be larger than limits::kZipTotalBytesMax.
Result<std::string> make_bundle(const BundleSource& source);

}  // namespace planexe::server
