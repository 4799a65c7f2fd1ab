#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/time.hpp"

namespace planexe {

/// One file of an archive or folder. `name` is relative, with '/' between its parts.
struct ZipEntry {
  std::string name;
  std::string bytes;
};

/// What may be unpacked. Beyond: LIMIT_EXCEEDED before more memory is used.
struct ZipLimits {
  std::size_t entries_max = limits::kZipEntriesMax;
  std::uint64_t entry_bytes_max = limits::kZipEntryBytesMax;
  std::uint64_t total_bytes_max = limits::kZipTotalBytesMax;
};

/// Writes a ZIP archive (deflate) piece by piece. The same entries in the same order give the same bytes. After an
/// error only destruction is allowed. One thread at a time.
class ZipWriter {
 public:
  /// Takes the next bytes of the archive; an error ends the writing and is given back by the call in work.
  using Sink = std::function<Result<void>(std::string_view)>;

  struct Options {
    /// The same time for all entries; without one the archive has ZIP's oldest date, 1980-01-01. The DOS fields of the
    /// format hold local time, so bytes with a time are the same only in the same zone.
    std::optional<TimePoint> modified;
  };

  static Result<ZipWriter> to_file(const std::filesystem::path& path, Options options);
  static Result<ZipWriter> to_file(const std::filesystem::path& path) { return to_file(path, Options{}); }
  static Result<ZipWriter> to_sink(Sink sink, Options options);
  static Result<ZipWriter> to_sink(Sink sink) { return to_sink(std::move(sink), Options{}); }

  ZipWriter(ZipWriter&&) noexcept;
  ZipWriter& operator=(ZipWriter&&) noexcept;
  ~ZipWriter();

  /// Errors: INVALID_ARGUMENT for a name that read_zip would refuse, IO_ERROR, the sink's own.
  Result<void> add(std::string_view name, std::string_view bytes);

  /// Writes the directory at the end; without this call the archive is incomplete.
  Result<void> finish();

 private:
  struct State;
  explicit ZipWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// All regular files of an archive, sorted by name. Names that are absolute, lead upward, repeat or are no UTF-8, and
/// entries that are links, devices or encrypted, make the whole archive INVALID_REQUEST. Sizes are counted while
/// unpacking, not believed. Errors also: IO_ERROR, LIMIT_EXCEEDED.
Result<std::vector<ZipEntry>> read_zip(const std::filesystem::path& path, const ZipLimits& limits = {});
Result<std::vector<ZipEntry>> read_zip_bytes(std::string_view bytes, const ZipLimits& limits = {});

/// The same from a folder and its subfolders. Symbolic links are refused, since they lead out of it.
Result<std::vector<ZipEntry>> read_folder(const std::filesystem::path& folder, const ZipLimits& limits = {});

/// True for a relative name that stays inside the folder it is unpacked to.
bool safe_entry_name(std::string_view name);

}  // namespace planexe
