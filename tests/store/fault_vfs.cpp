#include "store/fault_vfs.hpp"

#include <cstring>
#include <new>

namespace planexe::store::test {
namespace {

/// Torn writes keep whole sectors.
constexpr std::size_t kSector = 512;

struct File {
  sqlite3_file base;
  FaultVfs* owner;
  std::string* name;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& methods() { return *real()->pMethods; }
};

File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
FaultVfs& owner_of(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }
sqlite3_vfs* real_vfs() { return sqlite3_vfs_find("unix"); }

int close_file(sqlite3_file* file) {
  File& self = of(file);
  const int code = self.methods().xClose(self.real());
  delete self.name;
  return code;
}

int read_file(sqlite3_file* file, void* buffer, int size, sqlite3_int64 offset) {
  if (const int code = of(file).owner->check(Call::read)) return code;
  return of(file).methods().xRead(of(file).real(), buffer, size, offset);
}

int write_file(sqlite3_file* file, const void* buffer, int size, sqlite3_int64 offset) {
  File& self = of(file);
  if (const int code = self.owner->check(Call::write)) {
    // A full disk often takes the first part.
    self.methods().xWrite(self.real(), buffer, size / 2, offset);
    return code;
  }
  self.owner->note({FaultVfs::Change::Kind::write, *self.name, offset,
                    std::string(static_cast<const char*>(buffer), static_cast<std::size_t>(size))});
  return self.methods().xWrite(self.real(), buffer, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  File& self = of(file);
  if (const int code = self.owner->check(Call::truncate)) return code;
  self.owner->note({FaultVfs::Change::Kind::truncate, *self.name, size, {}});
  return self.methods().xTruncate(self.real(), size);
}

int sync_file(sqlite3_file* file, int) {
  File& self = of(file);
  if (const int code = self.owner->check(Call::sync)) return code;
  self.owner->note({FaultVfs::Change::Kind::sync, *self.name, 0, {}});
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = of(file).owner->check(Call::size)) return code;
  return of(file).methods().xFileSize(of(file).real(), size);
}

int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  if (const int code = of(file).owner->check(Call::shm)) return code;
  return of(file).methods().xShmMap(of(file).real(), page, size, extend, memory);
}

int lock_file(sqlite3_file* file, int level) { return of(file).methods().xLock(of(file).real(), level); }
int unlock_file(sqlite3_file* file, int level) { return of(file).methods().xUnlock(of(file).real(), level); }
int check_lock(sqlite3_file* file, int* result) {
  return of(file).methods().xCheckReservedLock(of(file).real(), result);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return of(file).methods().xFileControl(of(file).real(), operation, argument);
}
int sector_size(sqlite3_file* file) { return of(file).methods().xSectorSize(of(file).real()); }
int characteristics(sqlite3_file* file) { return of(file).methods().xDeviceCharacteristics(of(file).real()); }
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return of(file).methods().xShmLock(of(file).real(), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { of(file).methods().xShmBarrier(of(file).real()); }
int shm_unmap(sqlite3_file* file, int remove) { return of(file).methods().xShmUnmap(of(file).real(), remove); }

const sqlite3_io_methods kMethods = {2,           close_file,  read_file,       write_file,  truncate_file,
                                     sync_file,   file_size,   lock_file,       unlock_file, check_lock,
                                     control,     sector_size, characteristics, shm_map,     shm_lock,
                                     shm_barrier, shm_unmap,   nullptr,         nullptr};

int open_file(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  FaultVfs& owner = owner_of(vfs);
  File& self = of(file);
  self.base.pMethods = nullptr;
  if (const int code = owner.check(Call::open)) return code;
  self.real()->pMethods = nullptr;
  const int code = real_vfs()->xOpen(real_vfs(), name, self.real(), flags, out_flags);
  if (code != SQLITE_OK) return code;
  self.owner = &owner;
  self.name = new std::string(name == nullptr ? "" : std::filesystem::path(name).filename().string());
  self.base.pMethods = &kMethods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync) {
  owner_of(vfs).note({FaultVfs::Change::Kind::remove, std::filesystem::path(name).filename().string(), 0, {}});
  return real_vfs()->xDelete(real_vfs(), name, sync);
}

void apply_change(std::string& bytes, const FaultVfs::Change& change) {
  if (change.kind == FaultVfs::Change::Kind::truncate) {
    bytes.resize(static_cast<std::size_t>(change.offset));
    return;
  }
  const auto end = static_cast<std::size_t>(change.offset) + change.bytes.size();
  if (bytes.size() < end) bytes.resize(end);
  std::memcpy(bytes.data() + change.offset, change.bytes.data(), change.bytes.size());
}

/// A change that was not flushed: nothing, all, or some sectors of it.
void apply_maybe(std::string& bytes, const FaultVfs::Change& change, Random& random) {
  switch (random.below(3)) {
    case 0: return;
    case 1: return apply_change(bytes, change);
    default: break;
  }
  if (change.kind == FaultVfs::Change::Kind::truncate) return;
  for (std::size_t start = 0; start < change.bytes.size(); start += kSector) {
    if (random.below(2) == 0) continue;
    auto part = change;
    part.offset += static_cast<std::int64_t>(start);
    part.bytes = change.bytes.substr(start, kSector);
    apply_change(bytes, part);
  }
}

}  // namespace

FaultVfs::FaultVfs() : vfs_(std::make_unique<sqlite3_vfs>(*real_vfs())) {
  vfs_->szOsFile = static_cast<int>(sizeof(File)) + real_vfs()->szOsFile;
  vfs_->zName = "planexe-fault";
  vfs_->pAppData = this;
  vfs_->pNext = nullptr;
  vfs_->xOpen = open_file;
  vfs_->xDelete = delete_file;
  sqlite3_vfs_register(vfs_.get(), 1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(vfs_.get());
  sqlite3_vfs_register(real_vfs(), 1);
}

void FaultVfs::fail(Call call, int n, int code, Duration duration) {
  const std::lock_guard lock(mutex_);
  plan_ = {call, code, n, duration, true, false};
}

void FaultVfs::heal() {
  const std::lock_guard lock(mutex_);
  plan_.armed = false;
}

bool FaultVfs::failed() const {
  const std::lock_guard lock(mutex_);
  return plan_.hit;
}

int FaultVfs::check(Call call) {
  const std::lock_guard lock(mutex_);
  if (!plan_.armed || plan_.call != call) return SQLITE_OK;
  if (plan_.remaining > 1) {
    --plan_.remaining;
    return SQLITE_OK;
  }
  plan_.hit = true;
  if (plan_.duration == Duration::once) plan_.armed = false;
  return plan_.code;
}

void FaultVfs::start_notes() {
  const std::lock_guard lock(mutex_);
  noting_ = true;
}

void FaultVfs::stop_notes() {
  const std::lock_guard lock(mutex_);
  noting_ = false;
}

void FaultVfs::note(Change change) {
  const std::lock_guard lock(mutex_);
  if (noting_) changes_.push_back(std::move(change));
}

void FaultVfs::promise(int number) { note({Change::Kind::promise, {}, number, {}}); }

std::size_t FaultVfs::notes() const {
  const std::lock_guard lock(mutex_);
  return changes_.size();
}

FaultVfs::Image FaultVfs::image_after(std::size_t notes, Random& random) const {
  const std::lock_guard lock(mutex_);
  Image image;
  std::map<std::string, std::vector<const Change*>> unflushed;
  for (std::size_t i = 0; i < notes; ++i) {
    const Change& change = changes_[i];
    switch (change.kind) {
      case Change::Kind::promise: image.promised = static_cast<int>(change.offset); break;
      case Change::Kind::sync:
        for (const auto* pending : unflushed[change.file]) apply_change(image.files[change.file], *pending);
        unflushed[change.file].clear();
        break;
      case Change::Kind::remove:
        image.files.erase(change.file);
        unflushed.erase(change.file);
        break;
      default: unflushed[change.file].push_back(&change);
    }
  }
  for (const auto& [file, changes] : unflushed) {
    for (const auto* change : changes) apply_maybe(image.files[file], *change, random);
  }
  return image;
}

}  // namespace planexe::store::test
