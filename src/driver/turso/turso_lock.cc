#include "driver/turso/turso_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <vector>

#include "driver/driver.h"
#include "driver/file/record_locks.h"
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

void TursoLock::PrepareForFork() { util::ForkSafe<Registry>(); }

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
    return;
  }
  if (errno == EAGAIN || errno == EACCES) {
    throw Failure(Fault::kBusy, "SQLite has it open, and works on it meanwhile");
  }
  throw Failure(Fault::kStorage, "locking it: " + std::generic_category().message(errno));
}

}  // namespace pgqrs::driver
