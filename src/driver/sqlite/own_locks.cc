#include "driver/sqlite/own_locks.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "driver/file/record_locks.h"
#include "util/fork_safe.h"

namespace pgqrs::driver {
namespace {

constexpr std::string_view kSharedMemory = "-shm";

struct Descriptor {
  int number;
  int flags;  // Of its opening, but for what says to make a file.
  bool is_used;
};

// What this copy has open of a file.
struct File {
  std::string path;
  std::vector<Descriptor> descriptors;
  // What has the locks, from the first one on. SQLite does not know it: what it maps into memory
  // would keep the description, and so the locks, in a forked child.
  int locks = -1;

  bool is_used() const { return std::ranges::any_of(descriptors, &Descriptor::is_used); }
  bool is_shared_memory() const { return path.ends_with(kSharedMemory); }
  // To be locked before all is closed.
  int last() const { return locks >= 0 ? locks : descriptors.front().number; }
  std::size_t count() const { return descriptors.size() + (locks >= 0 ? 1 : 0); }
};

// Whether nobody has a lock on the file, and nobody will until all is closed that `file` has open.
bool LockAll(const File& file) {
  if (LockBytes(file.last(), F_WRLCK, 0, 0)) return true;
  if (errno != EBADF) return false;
  // It was opened for reading only; a file that this copy may not write is closed at once.
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  return fcntl(file.last(), F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

// Whether others in this process have the file open.
bool IsOpenBeside(const Inode& inode, const File& file) {
  const auto all = DescriptorsOf(inode);
  // All of ours are among them.
  return !all || all->size() > file.count();
}

// Opens the file of a descriptor once more, also where it has no name any more.
int OpenAgain(const Descriptor& descriptor, const Inode& inode, const std::string& path) {
  for (const auto& name : {"/proc/self/fd/" + std::to_string(descriptor.number), path}) {
    const int file = open(name.c_str(), (descriptor.flags & O_ACCMODE) | O_CLOEXEC);
    if (file >= 0 && InodeOf(file) == inode) return file;
    if (file >= 0) close(file);
  }
  errno = EBADF;
  return -1;
}

// Those of the standard streams are taken before SQLite can get one of them: it would not use it,
// but close it at once.
void FillStandardStreams() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) < 0) open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
}

// The files that this copy has open, or cannot close yet.
class Files {
 public:
  std::mutex& mutex() { return mutex_; }

  int Open(const char* path, int flags, mode_t mode);
  int Close(int number);
  void CloseKept();
  // What has the locks of the file that the descriptor is of. Below 0, with the error in errno,
  // where that cannot be had.
  int LocksOf(int number);

  // The child shares the descriptions, and would keep the locks beyond its parent's end. An
  // inherited file can be locked no more.
  void AfterFork();

 private:
  using Entry = std::map<Inode, File>::value_type;

  int Reuse(const char* path, int flags);
  void Add(const Inode& inode, const char* path, Descriptor descriptor);
  void CloseUnused();
  void CloseFile(Entry& entry);
  void CloseAllOf(File& file);

  std::mutex mutex_;
  std::map<Inode, File> files_;
  std::unordered_map<int, Entry*> used_;  // By the descriptor.
};

int Files::Open(const char* path, int flags, mode_t mode) {
  // A descriptor is known before a fork can make a copy of it.
  const std::lock_guard lock(mutex_);
  CloseUnused();
  if (const int reused = Reuse(path, flags); reused >= 0) return reused;
  FillStandardStreams();
  const int number = open(path, flags, mode);
  struct stat status = {};
  if (number <= STDERR_FILENO || fstat(number, &status) != 0 || !S_ISREG(status.st_mode)) {
    return number;
  }
  Add({.device = status.st_dev, .number = status.st_ino}, path,
      {.number = number, .flags = flags & ~O_CREAT, .is_used = true});
  return number;
}

int Files::Reuse(const char* path, int flags) {
  struct stat status = {};
  if ((flags & O_EXCL) != 0 || lstat(path, &status) != 0) return -1;
  const auto found = files_.find({.device = status.st_dev, .number = status.st_ino});
  if (found == files_.end()) return -1;
  auto& file = found->second;
  const auto unused = std::ranges::find_if(file.descriptors, [&](const Descriptor& descriptor) {
    return !descriptor.is_used && descriptor.flags == (flags & ~O_CREAT);
  });
  if (unused == file.descriptors.end()) return -1;
  used_.emplace(unused->number, &*found);
  unused->is_used = true;
  return unused->number;
}

void Files::Add(const Inode& inode, const char* path, Descriptor descriptor) {
  auto& entry = *files_.try_emplace(inode).first;
  entry.second.path = path;
  entry.second.descriptors.push_back(descriptor);
  used_.emplace(descriptor.number, &entry);
}

int Files::Close(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = used_.find(number);
  if (found == used_.end()) return close(number);
  auto& file = found->second->second;
  used_.erase(found);
  std::ranges::find(file.descriptors, number, &Descriptor::number)->is_used = false;
  if (!file.is_used()) LockBytes(file.last(), F_UNLCK, 0, 0);
  CloseUnused();
  return 0;
}

int Files::LocksOf(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = used_.find(number);
  if (found == used_.end()) {  // It was open before a fork, and its locks are the parent's.
    errno = EBADF;
    return -1;
  }
  auto& [inode, file] = *found->second;
  if (file.locks < 0) {
    const auto& descriptors = file.descriptors;
    file.locks =
        OpenAgain(*std::ranges::find(descriptors, number, &Descriptor::number), inode, file.path);
  }
  return file.locks;
}

void Files::CloseKept() {
  const std::lock_guard lock(mutex_);
  CloseUnused();
}

void Files::CloseUnused() {
  for (auto& entry : files_) {
    if (!entry.second.is_used()) CloseFile(entry);
  }
  std::erase_if(files_, [](const Entry& entry) { return entry.second.descriptors.empty(); });
}

// Closes a file that is no longer used, unless that could drop locks of the other copy.
void Files::CloseFile(Entry& entry) {
  auto& [inode, file] = entry;
  if (file.descriptors.empty()) return;  // Closed with its database.
  if (LockAll(file)) {
    CloseAllOf(file);
    return;
  }
  // Somebody has locks, and it may be the other copy. The shared memory is used only by those who
  // use the database already, and is closed with that.
  if (file.is_shared_memory()) return;
  const auto memory = std::ranges::find_if(files_, [&](const Entry& other) {
    return other.second.path == file.path + std::string(kSharedMemory);
  });
  const bool has_memory = memory != files_.end() && !memory->second.is_used();
  const auto is_open_beside = [&] {
    return IsOpenBeside(inode, file) || (has_memory && IsOpenBeside(memory->first, memory->second));
  };
  // Whoever begins to use a database locks the pending byte first, so with that in our hands nobody
  // does from here on.
  if (is_open_beside() || !LockBytes(file.last(), F_WRLCK, kPendingByte, 1)) return;
  if (is_open_beside()) {
    LockBytes(file.last(), F_UNLCK, 0, 0);
    return;
  }
  if (has_memory) CloseAllOf(memory->second);
  CloseAllOf(file);
}

// What is locked comes last.
void Files::CloseAllOf(File& file) {
  while (!file.descriptors.empty()) {
    close(file.descriptors.back().number);
    file.descriptors.pop_back();
  }
  if (file.locks >= 0) close(file.locks);
  file.locks = -1;
}

void Files::AfterFork() {
  for (const auto& [inode, file] : files_) {
    if (file.locks >= 0) close(file.locks);
    for (const auto& [number, flags, is_used] : file.descriptors) {
      if (!is_used) close(number);
    }
  }
  files_.clear();
  used_.clear();
}

// What SQLite calls. It could pass no exception on.

int Open(const char* path, int flags, int mode) noexcept {
  return util::ForkSafe<Files>().Open(path, flags, static_cast<mode_t>(mode));
}

int Close(int number) noexcept { return util::ForkSafe<Files>().Close(number); }

int Control(int number, int command, ...) noexcept {
  va_list arguments;
  va_start(arguments, command);
  auto* const argument = va_arg(arguments, void*);
  va_end(arguments);
  static constexpr std::array kCommands = {std::pair(F_SETLK, F_OFD_SETLK),
                                           std::pair(F_SETLKW, F_OFD_SETLKW),
                                           std::pair(F_GETLK, F_OFD_GETLK)};
  const auto* const found =
      std::ranges::find(kCommands, command, &decltype(kCommands)::value_type::first);
  if (found == kCommands.end()) return fcntl(number, command, argument);
  const int locks = util::ForkSafe<Files>().LocksOf(number);
  if (locks < 0) return -1;
  static_cast<struct flock*>(argument)->l_pid = 0;  // So the kernel wants it.
  return fcntl(locks, found->second, argument);
}

template <typename F>
void Override(sqlite3_vfs& vfs, const char* name, F function) {
  vfs.xSetSystemCall(&vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(function));
}

}  // namespace

void UseOwnLocks() {
  static const bool is_done = [] {
    // All of SQLite's ways to use files on Unix share these calls.
    auto* const vfs = sqlite3_vfs_find("unix");
    util::ForkSafe<Files>();
    Override(*vfs, "open", Open);
    Override(*vfs, "close", Close);
    Override(*vfs, "fcntl", Control);
    return true;
  }();
  static_cast<void>(is_done);
}

void CloseKeptFiles() { util::ForkSafe<Files>().CloseKept(); }

}  // namespace pgqrs::driver
