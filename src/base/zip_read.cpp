#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "base/file.hpp"
#include "base/text.hpp"
#include "base/zip.hpp"

namespace planexe {

namespace fs = std::filesystem;

namespace {

/// libarchive gives names in the character set of the thread's locale; "C" would turn them into question marks.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    PLANEXE_ASSERT(locale_ != nullptr);
    previous_ = ::uselocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    ::uselocale(previous_);
    ::freelocale(locale_);
  }

 private:
  locale_t locale_;
  locale_t previous_;
};

using ArchivePointer = std::unique_ptr<archive, decltype(&archive_read_free)>;

std::unexpected<Error> too_much(const std::string& what) {
  return fail(ErrorCode::LimitExceeded, "Too much to unpack: " + what + ".");
}

/// Counts what has been unpacked so far and keeps it within the limits.
class Collector {
 public:
  explicit Collector(const ZipLimits& limits) : limits_(limits) {}

  Result<void> begin(std::string name) {
    if (entries_.size() >= limits_.entries_max) {
      return too_much("more than " + std::to_string(limits_.entries_max) + " files");
    }
    if (!safe_entry_name(name)) {
      return fail(ErrorCode::InvalidRequest, "The archive has a file name that is not allowed.",
                  strip_control(cut_code_points(name, 100)));
    }
    if (!names_.insert(name).second) {
      return fail(ErrorCode::InvalidRequest, "The archive has the same file twice.", name);
    }
    entries_.push_back({std::move(name), {}});
    return {};
  }

  Result<void> append(std::string_view bytes) {
    ZipEntry& entry = entries_.back();
    total_ += bytes.size();
    if (entry.bytes.size() + bytes.size() > limits_.entry_bytes_max) {
      return too_much("the file " + entry.name + " has more than " + std::to_string(limits_.entry_bytes_max) +
                      " bytes");
    }
    if (total_ > limits_.total_bytes_max) {
      return too_much("more than " + std::to_string(limits_.total_bytes_max) + " bytes in all");
    }
    entry.bytes += bytes;
    return {};
  }

  /// How many bytes the next file may have.
  [[nodiscard]] std::uint64_t room() const {
    return std::min(limits_.entry_bytes_max, limits_.total_bytes_max - total_);
  }

  std::vector<ZipEntry> take() && {
    std::ranges::sort(entries_, {}, &ZipEntry::name);
    return std::move(entries_);
  }

 private:
  ZipLimits limits_;
  std::vector<ZipEntry> entries_;
  std::set<std::string, std::less<>> names_;
  std::uint64_t total_ = 0;
};

std::unexpected<Error> broken(archive* handle) {
  const char* reason = archive_error_string(handle);
  return fail(ErrorCode::InvalidRequest, "The ZIP archive cannot be read.",
              reason == nullptr ? std::string() : strip_control(reason));
}

Result<void> read_data(archive* handle, Collector& collector) {
  char buffer[64 * 1024];
  while (true) {
    const la_ssize_t got = archive_read_data(handle, buffer, sizeof(buffer));
    if (got < 0) return broken(handle);
    if (got == 0) return {};
    PLANEXE_TRY(collector.append({buffer, static_cast<std::size_t>(got)}));
  }
}

/// Folders are skipped: names of files imply them.
Result<void> read_entry(archive* handle, archive_entry* entry, Collector& collector) {
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFDIR) return {};
  const bool linked = archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
  if (type != AE_IFREG || linked || archive_entry_is_encrypted(entry) != 0) {
    return fail(ErrorCode::InvalidRequest, "The archive has an entry that is a link, a device or encrypted.");
  }
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  PLANEXE_TRY(collector.begin(name == nullptr ? std::string() : std::string(name)));
  return read_data(handle, collector);
}

Result<std::vector<ZipEntry>> read_all(archive* handle, const ZipLimits& limits) {
  Collector collector(limits);
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(handle, &entry);
    if (status == ARCHIVE_EOF) return std::move(collector).take();
    // A warning is about a name that is no UTF-8; the entry is refused for its name.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return broken(handle);
    PLANEXE_TRY(read_entry(handle, entry, collector));
  }
}

ArchivePointer new_reader() {
  ArchivePointer handle(archive_read_new(), &archive_read_free);
  PLANEXE_ASSERT(handle != nullptr);
  archive_read_support_format_zip(handle.get());
  archive_read_set_options(handle.get(), "zip:hdrcharset=UTF-8");
  return handle;
}

std::unexpected<Error> unreadable(const fs::path& path, const std::error_code& ec) {
  return fail(ErrorCode::IoError, "Cannot read " + path.string() + ": " + ec.message() + ".");
}

Result<void> collect_file(const fs::path& folder, const fs::directory_entry& item, Collector& collector) {
  std::error_code ec;
  const auto status = item.symlink_status(ec);
  if (ec) return unreadable(item.path(), ec);
  if (fs::is_directory(status)) return {};
  if (!fs::is_regular_file(status)) {
    return fail(ErrorCode::InvalidRequest, "The folder has an entry that is no regular file: " + item.path().string());
  }
  PLANEXE_TRY(collector.begin(item.path().lexically_relative(folder).generic_string()));
  PLANEXE_TRY_ASSIGN(const auto bytes, read_file(item.path(), collector.room()));
  return collector.append(bytes);
}

}  // namespace

bool safe_entry_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kZipNameBytesMax || !valid_utf8(name)) return false;
  if (name.find_first_of(std::string_view("\\:\0", 3)) != std::string_view::npos) return false;
  if (strip_control(name) != name || name.find('\n') != std::string_view::npos) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Result<std::vector<ZipEntry>> read_zip(const fs::path& path, const ZipLimits& limits) {
  // Compressed data larger than what it may unpack to is refused without a look inside.
  PLANEXE_TRY_ASSIGN(const auto bytes, read_file(path, limits.total_bytes_max));
  return read_zip_bytes(bytes, limits);
}

Result<std::vector<ZipEntry>> read_zip_bytes(std::string_view bytes, const ZipLimits& limits) {
  const Utf8Locale locale;
  const ArchivePointer handle = new_reader();
  if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) return broken(handle.get());
  return read_all(handle.get(), limits);
}

Result<std::vector<ZipEntry>> read_folder(const fs::path& folder, const ZipLimits& limits) {
  std::error_code ec;
  Collector collector(limits);
  fs::recursive_directory_iterator walk(folder, ec);
  if (ec) return unreadable(folder, ec);
  for (; walk != fs::recursive_directory_iterator{}; walk.increment(ec)) {
    if (ec) return unreadable(folder, ec);
    PLANEXE_TRY(collect_file(folder, *walk, collector));
  }
  return std::move(collector).take();
}

}  // namespace planexe
