#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "base/zip.hpp"

namespace planexe::plan {

/// A current file of a plan, without its bytes.
struct BundleFile {
  std::string filename;
  std::string task_key;
  int version = 1;
  bool stale = false;
};

struct BundleOptions {
  bool raw = true;  ///< false leaves out *_raw.json
};

/// Gives the bytes of a file. An error ends the bundle.
using BundleLoader = std::function<Result<std::string>(std::string_view filename)>;

/// Writes all files, in artefact order, and then manifest.json: {plan, files: [{filename, sha256, size_bytes, task_key,
/// version, stale}], generated_at}. One file is in memory at a time. Equal contents give equal bytes except for the
/// time in the manifest. Calls finish() of the writer. Errors: CONTENT_NOT_FOUND when there is no file, and those of
/// loader and writer.
Result<void> write_bundle(ZipWriter& writer, const json::object& plan, std::vector<BundleFile> files,
                          const BundleLoader& load, TimePoint generated_at, const BundleOptions& options = {});

}  // namespace planexe::plan
