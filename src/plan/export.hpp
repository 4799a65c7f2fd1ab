#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "base/zip.hpp"

namespace planexe::plan {

/// A current file of a plan, without its bytes.
struct BundleFile {
  std::string filename;
  std::string task_key;   ///< "" for a file that no task writes
  std::int64_t bytes = 0;  ///< size as far as it is known
};

/// A file as it was loaded: it may be newer than the list of files.
struct BundleContent {
  std::string bytes;
  int version = 1;
  bool stale = false;
};

/// Gives a file; nothing when it is gone meanwhile, which leaves it out. An error ends the bundle.
using BundleLoader = std::function<Result<std::optional<BundleContent>>(const std::string& filename)>;

struct BundleOptions {
  bool raw = true;  ///< false leaves out *_raw.json
  TimePoint generated_at{};
};

/// The archive of a plan, written file by file: all files sorted by name, then manifest.json: {plan, files: [{filename,
/// sha256, size_bytes, task_key, version, stale}], generated_at}. One file is in memory at a time. Equal contents give
/// equal bytes except for the time in the manifest. A file that is called manifest.json itself is left out.
class Bundle {
 public:
  /// CONTENT_NOT_FOUND when there is no file; LIMIT_EXCEEDED when read_zip would refuse the archive as too large.
  static Result<Bundle> make(json::object plan, std::vector<BundleFile> files, BundleLoader load, const BundleOptions& options = {});

  /// Writes the next file, or behind the last one the manifest and the archive's end. False: that was the end. After an
  /// error, which is that of loader or writer, the archive cannot be completed. CONTENT_NOT_FOUND when all files are gone.
  Result<bool> write_next(ZipWriter& writer);

 private:
  Bundle(json::object plan, std::vector<BundleFile> files, BundleLoader load, TimePoint generated_at);
  Result<void> write_end(ZipWriter& writer);

  json::object plan_;
  std::vector<BundleFile> files_;
  BundleLoader load_;
  TimePoint generated_at_;
  std::size_t next_ = 0;
  json::array written_;
};

/// The whole archive at once. Errors: those of Bundle.
Result<void> write_bundle(ZipWriter& writer, Bundle bundle);

}  // namespace planexe::plan
