#include "driver/file/record_locks.h"

#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <system_error>

namespace pgqrs::driver {
namespace {

// Linux and macOS name them differently.
#ifdef F_OFD_SETLK
constexpr int kSetLock = F_OFD_SETLK;
#else
constexpr int kSetLock = F_SETLK;
#endif

}  // namespace

std::optional<Inode> InodeOf(int file) {
  struct stat status = {};
  if (fstat(file, &status) != 0) return std::nullopt;
  return Inode{.device = status.st_dev, .number = status.st_ino};
}

bool LockBytes(int file, decltype(flock::l_type) type, off_t start, off_t length) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return fcntl(file, kSetLock, &lock) == 0;
}

std::optional<std::vector<int>> DescriptorsOf(const Inode& inode) {
  std::error_code error;
  std::vector<int> found;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    int file = -1;
    std::from_chars(name.data(), name.data() + name.size(), file);
    if (InodeOf(file) == inode) found.push_back(file);
  }
  if (error) return std::nullopt;
  return found;
}

}  // namespace pgqrs::driver
