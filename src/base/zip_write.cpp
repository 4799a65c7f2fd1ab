#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/zip.hpp"

namespace planexe {

struct ZipWriter::State {
  archive* handle = archive_write_new();
  Sink sink;
  /// Once set, nothing more goes to the sink. libarchive is not told: after a failed write it would leak its
  /// compressor (3.6), so it goes on into the void and the error is given back by the call in work.
  std::optional<Error> sink_error;
  std::optional<TimePoint> modified;
  bool finished = false;

  State() { PLANEXE_ASSERT(handle != nullptr); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Freeing closes, and closing an incomplete archive would give it a directory as if it were whole.
    if (!finished && !sink_error) sink_error.emplace(ErrorCode::Cancelled, "The ZIP archive was not finished.");
    archive_write_free(handle);
  }

  /// What a call of libarchive means, the sink's answer included.
  [[nodiscard]] Result<void> outcome(bool good) const {
    if (sink_error) return std::unexpected(*sink_error);
    if (good) return {};
    const char* reason = archive_error_string(handle);
    return fail(ErrorCode::IoError,
                std::string("Cannot write the ZIP archive: ") + (reason ? reason : "unknown") + ".");
  }

  static la_ssize_t take(archive*, void* data, const void* bytes, std::size_t size) {
    auto& self = *static_cast<State*>(data);
    if (!self.sink_error) {
      if (auto taken = self.sink({static_cast<const char*>(bytes), size}); !taken) {
        self.sink_error = std::move(taken).error();
      }
    }
    return static_cast<la_ssize_t>(size);
  }
};

namespace {

using EntryPointer = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

EntryPointer make_entry(std::string_view name, std::size_t size, std::optional<TimePoint> modified) {
  EntryPointer entry(archive_entry_new(), &archive_entry_free);
  PLANEXE_ASSERT(entry != nullptr);
  archive_entry_set_pathname_utf8(entry.get(), std::string(name).c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
  if (modified) archive_entry_set_mtime(entry.get(), modified->time_since_epoch().count() / 1000, 0);
  return entry;
}

}  // namespace

ZipWriter::ZipWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipWriter::ZipWriter(ZipWriter&&) noexcept = default;
ZipWriter& ZipWriter::operator=(ZipWriter&&) noexcept = default;
ZipWriter::~ZipWriter() = default;

Result<ZipWriter> ZipWriter::to_sink(Sink sink, Options options) {
  auto state = std::make_unique<State>();
  state->modified = options.modified;
  state->sink = std::move(sink);
  archive* handle = state->handle;
  archive_write_set_format_zip(handle);
  // The names are UTF-8 whatever the locale of the process is.
  archive_write_set_options(handle, "zip:hdrcharset=UTF-8,zip:compression=deflate");
  archive_write_set_bytes_in_last_block(handle, 1);
  const int opened = archive_write_open(handle, state.get(), nullptr, &State::take, nullptr);
  PLANEXE_TRY(state->outcome(opened == ARCHIVE_OK));
  return ZipWriter(std::move(state));
}

Result<ZipWriter> ZipWriter::to_file(const std::filesystem::path& path, Options options) {
  const auto failure = [path](int number) {
    return fail(ErrorCode::IoError,
                "Cannot write the ZIP archive " + path.string() + ": " + std::generic_category().message(number) + ".");
  };
  std::FILE* opened = std::fopen(path.c_str(), "wbe");
  if (opened == nullptr) return failure(errno);
  const std::shared_ptr<std::FILE> file(opened, &std::fclose);
  // The blocks of libarchive are large enough; an own buffer would report a full disk too late.
  std::setvbuf(opened, nullptr, _IONBF, 0);
  return to_sink(
      [file, failure](std::string_view bytes) -> Result<void> {
        if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) return failure(errno);
        return {};
      },
      options);
}

Result<void> ZipWriter::add(std::string_view name, std::string_view bytes) {
  PLANEXE_ASSERT(state_ != nullptr && !state_->finished);
  if (!safe_entry_name(name)) {
    return fail(ErrorCode::InvalidArgument, "A ZIP archive cannot have an entry \"" + std::string(name) + "\".");
  }
  const EntryPointer entry = make_entry(name, bytes.size(), state_->modified);
  PLANEXE_TRY(state_->outcome(archive_write_header(state_->handle, entry.get()) == ARCHIVE_OK));
  const la_ssize_t written = archive_write_data(state_->handle, bytes.data(), bytes.size());
  PLANEXE_TRY(state_->outcome(written == static_cast<la_ssize_t>(bytes.size())));
  return state_->outcome(archive_write_finish_entry(state_->handle) == ARCHIVE_OK);
}

Result<void> ZipWriter::finish() {
  PLANEXE_ASSERT(state_ != nullptr && !state_->finished);
  PLANEXE_TRY(state_->outcome(archive_write_close(state_->handle) == ARCHIVE_OK));
  state_->finished = true;
  return {};
}

}  // namespace planexe
