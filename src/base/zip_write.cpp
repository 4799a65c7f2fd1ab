#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <utility>

#include "base/zip.hpp"

namespace planexe {

struct ZipWriter::State {
  archive* handle = archive_write_new();
  Sink sink;
  std::optional<Error> sink_error;
  std::optional<TimePoint> modified;
  bool finished = false;

  State() { PLANEXE_ASSERT(handle != nullptr); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    // Without finish() nothing more is to be written: closing would add a directory to an incomplete archive.
    if (!finished) archive_write_fail(handle);
    archive_write_free(handle);
  }

  [[nodiscard]] std::unexpected<Error> failure() const {
    if (sink_error) return std::unexpected(*sink_error);
    const char* reason = archive_error_string(handle);
    return fail(ErrorCode::IoError,
                std::string("Cannot write the ZIP archive: ") + (reason ? reason : "unknown") + ".");
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

Result<ZipWriter> ZipWriter::open(std::unique_ptr<State> state) {
  archive* handle = state->handle;
  archive_write_set_format_zip(handle);
  // The names are UTF-8 whatever the locale of the process is.
  archive_write_set_options(handle, "zip:hdrcharset=UTF-8,zip:compression=deflate");
  archive_write_set_bytes_in_last_block(handle, 1);
  return ZipWriter(std::move(state));
}

Result<ZipWriter> ZipWriter::to_file(const std::filesystem::path& path, Options options) {
  auto state = std::make_unique<State>();
  state->modified = options.modified;
  archive* handle = state->handle;
  PLANEXE_TRY_ASSIGN(ZipWriter writer, open(std::move(state)));
  if (archive_write_open_filename(handle, path.c_str()) != ARCHIVE_OK) {
    return fail(ErrorCode::IoError, "Cannot write the ZIP archive " + path.string() + ".",
                archive_error_string(handle) ? archive_error_string(handle) : "");
  }
  return writer;
}

Result<ZipWriter> ZipWriter::to_sink(Sink sink, Options options) {
  auto state = std::make_unique<State>();
  state->modified = options.modified;
  state->sink = std::move(sink);
  State* client = state.get();
  PLANEXE_TRY_ASSIGN(ZipWriter writer, open(std::move(state)));
  const auto write = [](archive* handle, void* data, const void* bytes, std::size_t size) -> la_ssize_t {
    auto& self = *static_cast<State*>(data);
    if (auto taken = self.sink({static_cast<const char*>(bytes), size}); !taken) {
      self.sink_error = std::move(taken).error();
      archive_set_error(handle, EIO, "the receiver stopped");
      return -1;
    }
    return static_cast<la_ssize_t>(size);
  };
  if (archive_write_open(client->handle, client, nullptr, write, nullptr) != ARCHIVE_OK) return client->failure();
  return writer;
}

Result<void> ZipWriter::add(std::string_view name, std::string_view bytes) {
  PLANEXE_ASSERT(state_ != nullptr && !state_->finished);
  if (!safe_entry_name(name)) {
    return fail(ErrorCode::InvalidArgument, "A ZIP archive cannot have an entry \"" + std::string(name) + "\".");
  }
  const EntryPointer entry = make_entry(name, bytes.size(), state_->modified);
  if (archive_write_header(state_->handle, entry.get()) != ARCHIVE_OK) return state_->failure();
  const la_ssize_t written = archive_write_data(state_->handle, bytes.data(), bytes.size());
  if (written != static_cast<la_ssize_t>(bytes.size())) return state_->failure();
  if (archive_write_finish_entry(state_->handle) != ARCHIVE_OK) return state_->failure();
  return {};
}

Result<void> ZipWriter::finish() {
  PLANEXE_ASSERT(state_ != nullptr && !state_->finished);
  if (archive_write_close(state_->handle) != ARCHIVE_OK) return state_->failure();
  state_->finished = true;
  return {};
}

}  // namespace planexe
