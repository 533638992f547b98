#include "support/faulty_vfs.h"

#include <filesystem>
#include <new>
#include <stdexcept>
#include <utility>

namespace pgqrs::testing {

// Our part of an open file; the real VFS's part follows it in the same memory.
struct FaultyVfs::File {
  sqlite3_file base;
  FaultyVfs* owner;
  std::string* name;

  static File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

// The functions that SQLite calls.
struct FaultyVfs::Methods {
  static FaultyVfs& Owner(sqlite3_vfs* vfs) { return *static_cast<FaultyVfs*>(vfs->pAppData); }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* raw, int flags, int* out) {
    auto& owner = Owner(vfs);
    auto& file = File::Of(raw);
    file.base.pMethods = nullptr;
    file.real()->pMethods = nullptr;
    file.owner = &owner;
    const int code = owner.Do(IoCall::kOpen, SQLITE_CANTOPEN, [&] {
      return owner.real_->xOpen(owner.real_, name, file.real(), flags, out);
    });
    if (code != SQLITE_OK) {
      if (file.real()->pMethods != nullptr) file.real()->pMethods->xClose(file.real());
      return code;
    }
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): SQLite keeps it; Close deletes it.
    file.name =
        new std::string(name == nullptr ? "" : std::filesystem::path(name).filename().string());
    file.base.pMethods = &owner.methods_;
    return SQLITE_OK;
  }

  static int Close(sqlite3_file* raw) {
    auto& file = File::Of(raw);
    delete std::exchange(file.name, nullptr);
    return file.real()->pMethods->xClose(file.real());
  }

  static int Read(sqlite3_file* raw, void* data, int n, sqlite3_int64 offset) {
    auto& file = File::Of(raw);
    return file.owner->Do(IoCall::kRead, SQLITE_IOERR_READ, [&] {
      return file.real()->pMethods->xRead(file.real(), data, n, offset);
    });
  }

  static int Write(sqlite3_file* raw, const void* data, int n, sqlite3_int64 offset) {
    auto& file = File::Of(raw);
    auto& owner = *file.owner;
    sqlite3_int64 size = 0;
    file.real()->pMethods->xFileSize(file.real(), &size);
    const auto room = static_cast<int>(owner.TakeSpace(n, offset + n, size));
    const auto write = [&](int length) {
      if (length == 0) return SQLITE_OK;
      owner.Add(
          {.kind = IoRecord::Kind::kWrite,
           .file = *file.name,
           .offset = offset,
           .data = std::string(static_cast<const char*>(data), static_cast<std::size_t>(length))});
      return file.real()->pMethods->xWrite(file.real(), data, length, offset);
    };
    // As the real one, which writes what it can before it gives up.
    const auto write_all = [&] {
      const int code = write(room);
      return code == SQLITE_OK && room < n ? SQLITE_FULL : code;
    };
    return owner.Do(IoCall::kWrite, SQLITE_IOERR_WRITE, write_all, [&] { write(room / 2); });
  }

  static int Truncate(sqlite3_file* raw, sqlite3_int64 size) {
    auto& file = File::Of(raw);
    auto& owner = *file.owner;
    return owner.Do(IoCall::kTruncate, SQLITE_IOERR_TRUNCATE, [&] {
      owner.Add(
          {.kind = IoRecord::Kind::kTruncate, .file = *file.name, .offset = size, .data = {}});
      return file.real()->pMethods->xTruncate(file.real(), size);
    });
  }

  static int Sync(sqlite3_file* raw, int) {
    auto& file = File::Of(raw);
    auto& owner = *file.owner;
    return owner.Do(IoCall::kSync, SQLITE_IOERR_FSYNC, [&] {
      owner.Add({.kind = IoRecord::Kind::kSync, .file = *file.name, .data = {}});
      return SQLITE_OK;
    });
  }

  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    auto& owner = Owner(vfs);
    owner.Add({.kind = IoRecord::Kind::kDelete,
               .file = std::filesystem::path(name).filename().string(),
               .data = {}});
    return owner.real_->xDelete(owner.real_, name, sync_folder);
  }

  // The rest of a file's methods is passed on.
  template <auto kMethod, typename... Args>
  static auto PassOn(sqlite3_file* raw, Args... args) {
    auto* real = File::Of(raw).real();
    return (real->pMethods->*kMethod)(real, args...);
  }
};

FaultyVfs::FaultyVfs() : real_(sqlite3_vfs_find(nullptr)) {
  using M = sqlite3_io_methods;
  methods_.iVersion = 2;  // Without memory mapped reads, which nothing could make fail.
  methods_.xClose = &Methods::Close;
  methods_.xRead = &Methods::Read;
  methods_.xWrite = &Methods::Write;
  methods_.xTruncate = &Methods::Truncate;
  methods_.xSync = &Methods::Sync;
  methods_.xFileSize = &Methods::PassOn<&M::xFileSize, sqlite3_int64*>;
  methods_.xLock = &Methods::PassOn<&M::xLock, int>;
  methods_.xUnlock = &Methods::PassOn<&M::xUnlock, int>;
  methods_.xCheckReservedLock = &Methods::PassOn<&M::xCheckReservedLock, int*>;
  methods_.xFileControl = &Methods::PassOn<&M::xFileControl, int, void*>;
  methods_.xSectorSize = &Methods::PassOn<&M::xSectorSize>;
  methods_.xDeviceCharacteristics = &Methods::PassOn<&M::xDeviceCharacteristics>;
  methods_.xShmMap = &Methods::PassOn<&M::xShmMap, int, int, int, void volatile**>;
  methods_.xShmLock = &Methods::PassOn<&M::xShmLock, int, int, int>;
  methods_.xShmBarrier = &Methods::PassOn<&M::xShmBarrier>;
  methods_.xShmUnmap = &Methods::PassOn<&M::xShmUnmap, int>;

  // What is about no file, such as the time, goes to the real VFS, which looks at its own name and
  // pAppData only where files are opened.
  vfs_ = *real_;
  vfs_.pNext = nullptr;
  vfs_.zName = "faulty";
  vfs_.pAppData = this;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.xOpen = &Methods::Open;
  vfs_.xDelete = &Methods::Delete;
  if (sqlite3_vfs_register(&vfs_, 1) != SQLITE_OK) throw std::runtime_error("no VFS registered");
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
}

}  // namespace pgqrs::testing
