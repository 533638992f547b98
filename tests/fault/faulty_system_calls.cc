#ifdef PGQRS_WITH_TURSO

#include "fault/faulty_system_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace pgqrs::testing {
namespace {

std::atomic<FaultySystemCalls*> active = nullptr;

// The kernel's way to answer: a result, or an error below 0.
template <typename... Args>
std::int64_t Kernel(std::int64_t number, Args... args) {
  const std::int64_t result = syscall(number, args...);
  return result < 0 ? -errno : result;
}

// libc's way.
std::int64_t Answer(std::int64_t result) {
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

std::string_view NameIn(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Of the files beside the database those that hold data; not, for one, those for locks.
bool IsOfDatabase(std::string_view name) { return name == "queue.db" || name == "queue.db-wal"; }

// The name of an open file of a database; empty for any other.
std::string NameOf(int file) {
  std::array<char, 4096> path{};
  const auto link = "/proc/self/fd/" + std::to_string(file);
  const auto length = readlink(link.c_str(), path.data(), path.size());
  const auto name =
      NameIn({path.data(), static_cast<std::size_t>(std::max<std::int64_t>(0, length))});
  return IsOfDatabase(name) ? std::string(name) : std::string();
}

bool IsFolder(int file) {
  struct stat status = {};
  return fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

std::string Joined(std::span<const iovec> parts) {
  std::string data;
  for (const auto& part : parts) data.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return data;
}

}  // namespace

FaultySystemCalls::FaultySystemCalls() { active = this; }

FaultySystemCalls::~FaultySystemCalls() { active = nullptr; }

// What becomes of the engine's calls. Those on other files, and those that are made while there is
// no such disk, are `real` alone.
struct FaultySystemCalls::Calls {
  template <typename F>
  static std::int64_t Open(const char* path, F real) {
    auto* disk = active.load();
    const std::string name(NameIn(path));
    if (disk == nullptr || !IsOfDatabase(name)) return real();
    const bool is_new = access(path, F_OK) != 0;
    return disk->Do(IoCall::kOpen, kError, [&] {
      if (is_new) disk->Add({.kind = IoRecord::Kind::kCreate, .file = name, .data = {}});
      return real();
    });
  }

  template <typename F>
  static std::int64_t Read(int file, F real) {
    auto* disk = active.load();
    if (disk == nullptr || NameOf(file).empty()) return real();
    return disk->Do(IoCall::kRead, kError, real);
  }

  template <typename F>
  static std::int64_t Write(int file, std::span<const iovec> parts, std::int64_t offset, F real) {
    auto* disk = active.load();
    const auto name = disk == nullptr ? "" : NameOf(file);
    if (name.empty()) return real();
    const auto data = Joined(parts);
    struct stat status = {};
    fstat(file, &status);
    const auto size = static_cast<std::int64_t>(data.size());
    const auto room = disk->TakeSpace(size, offset + size, status.st_size);
    const auto write = [&](std::int64_t length) {
      disk->Add({.kind = IoRecord::Kind::kWrite,
                 .file = name,
                 .offset = offset,
                 .data = data.substr(0, static_cast<std::size_t>(length))});
      return Kernel(SYS_pwrite64, file, data.data(), length, offset);
    };
    // As the kernel, which writes what it can and refuses the rest when it is asked again.
    const auto write_all = [&] { return room == 0 && size > 0 ? -ENOSPC : write(room); };
    return disk->Do(IoCall::kWrite, kError, write_all, [&] { write(room / 2); });
  }

  template <typename F>
  static std::int64_t Truncate(int file, std::int64_t size, F real) {
    auto* disk = active.load();
    const auto name = disk == nullptr ? "" : NameOf(file);
    if (name.empty()) return real();
    return disk->Do(IoCall::kTruncate, kError, [&] {
      disk->Add({.kind = IoRecord::Kind::kTruncate, .file = name, .offset = size, .data = {}});
      return real();
    });
  }

  template <typename F>
  static std::int64_t Sync(int file, F real) {
    auto* disk = active.load();
    if (disk != nullptr && IsFolder(file)) {
      disk->Add({.kind = IoRecord::Kind::kSync, .file = {}, .data = {}});
      return 0;
    }
    const auto name = disk == nullptr ? "" : NameOf(file);
    if (name.empty()) return real();
    return disk->Do(IoCall::kSync, kError, [&] {
      disk->Add({.kind = IoRecord::Kind::kSync, .file = name, .data = {}});
      return std::int64_t{0};
    });
  }

  template <typename F>
  static std::int64_t Delete(const char* path, F real) {
    auto* disk = active.load();
    const std::string name(NameIn(path));
    if (disk != nullptr && IsOfDatabase(name)) {
      disk->Add({.kind = IoRecord::Kind::kDelete, .file = name, .data = {}});
    }
    return real();
  }

  static constexpr std::int64_t kError = -EIO;
};

}  // namespace pgqrs::testing

using pgqrs::testing::Answer;
using pgqrs::testing::Kernel;
using Calls = pgqrs::testing::FaultySystemCalls::Calls;

// What the engine's sources (io/unix.rs) and Rust's library under them call.
extern "C" {

int open64(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return static_cast<int>(Answer(Calls::Open(
      path, [&] { return Kernel(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode); })));
}

ssize_t pread(int file, void* data, std::size_t size, off_t offset) {
  return Answer(Calls::Read(file, [&] { return Kernel(SYS_pread64, file, data, size, offset); }));
}

ssize_t pwrite(int file, const void* data, std::size_t size, off_t offset) {
  const iovec part = {.iov_base = const_cast<void*>(data), .iov_len = size};
  return Answer(Calls::Write(file, {&part, 1}, offset,
                             [&] { return Kernel(SYS_pwrite64, file, data, size, offset); }));
}

ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
  return Answer(Calls::Write(file, {parts, static_cast<std::size_t>(count)}, offset, [&] {
    // The upper half of the offset is of no meaning where offsets fit into the lower one.
    return Kernel(SYS_pwritev, file, parts, count, offset, 0L);
  }));
}

int fsync(int file) {
  return static_cast<int>(Answer(Calls::Sync(file, [&] { return Kernel(SYS_fsync, file); })));
}

int ftruncate64(int file, off64_t size) noexcept {
  return static_cast<int>(
      Answer(Calls::Truncate(file, size, [&] { return Kernel(SYS_ftruncate, file, size); })));
}

int unlink(const char* path) noexcept {
  return static_cast<int>(
      Answer(Calls::Delete(path, [&] { return Kernel(SYS_unlinkat, AT_FDCWD, path, 0); })));
}

}  // extern "C"

#endif  // PGQRS_WITH_TURSO
