#include "driver/turso/turso_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <system_error>
#include <vector>

#include "driver/driver.h"
#include "driver/file/record_locks.h"
#include "driver/sqlite/own_locks.h"
#include "util/fork_safe.h"

namespace pgqrs::driver {

// The descriptors with the locks. A forked child closes them: it shares the locks, and would keep
// them beyond its parent's end.
class TursoLock::Registry {
 public:
  std::mutex& mutex() { return mutex_; }

  int Open(const std::string& path) {
    const std::lock_guard lock(mutex_);
    files_.reserve(files_.size() + 1);
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file >= 0) files_.push_back(file);
    return file;
  }

  void Close(int file) {
    const std::lock_guard lock(mutex_);
    if (std::erase(files_, file) > 0) close(file);
  }

  void AfterFork() {
    std::ranges::for_each(files_, close);
    files_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<int> files_;
};

namespace {

void ExpectDescriptors(const Inode& inode, std::size_t count) {
  const auto found = DescriptorsOf(inode);
  if (!found || found->size() <= count) return;
  throw Failure(Fault::kBusy, "this process has it open otherwise, with a SQLite of its own or so");
}

}  // namespace

void TursoLock::PrepareForFork() {
  CloseKeptFiles();  // Registers its lock, too.
  util::ForkSafe<Registry>();
}

void TursoLock::ExpectUnopened(const std::string& path) {
  CloseKeptFiles();
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return;
  ExpectDescriptors({.device = status.st_dev, .number = status.st_ino}, 0);
}

TursoLock::TursoLock(const std::string& path) : file_(util::ForkSafe<Registry>().Open(path)) {
  if (file_ < 0) {
    throw Failure(Fault::kStorage,
                  "opening it to lock it: " + std::generic_category().message(errno));
  }
}

TursoLock::~TursoLock() { util::ForkSafe<Registry>().Close(file_); }

void TursoLock::TakeOver() {
  struct flock lock = {};
  lock.l_type = F_UNLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kPendingByte;
  lock.l_len = kLockBytes;
  // The rest stays locked by the engine, so no other Turso comes in meanwhile.
  if (fcntl(file_, F_SETLK, &lock) == 0 && LockBytes(file_, F_WRLCK, kPendingByte, kLockBytes)) {
    // From here on SQLite cannot begin to use it, and nobody has begun in between where there is
    // no descriptor but the engine's and this one.
    if (const auto inode = InodeOf(file_)) ExpectDescriptors(*inode, 2);
    return;
  }
  if (errno == EAGAIN || errno == EACCES) {
    throw Failure(Fault::kBusy, "SQLite has it open, and works on it meanwhile");
  }
  throw Failure(Fault::kStorage, "locking it: " + std::generic_category().message(errno));
}

}  // namespace pgqrs::driver
