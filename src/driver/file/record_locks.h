// Locks on ranges of bytes of a file, and what stands in their way.
#ifndef PGQRS_DRIVER_FILE_RECORD_LOCKS_H_
#define PGQRS_DRIVER_FILE_RECORD_LOCKS_H_

#include <fcntl.h>
#include <sys/types.h>

#include <compare>
#include <optional>
#include <vector>

namespace pgqrs::driver {

// The bytes by which SQLite locks the file of a database: the first of them, which whoever begins
// to use it locks for an instant, one for the writer, and those that all who use it share. (SQLite,
// os.h.)
inline constexpr off_t kPendingByte = 0x40000000;
inline constexpr off_t kLockBytes = 2 + 510;

// A file, whatever its names.
struct Inode {
  dev_t device;
  ino_t number;

  friend auto operator<=>(const Inode&, const Inode&) = default;
};

std::optional<Inode> InodeOf(int file);

// Locks or unlocks for the open file description, and answers at once. Such a lock, unlike those of
// POSIX, keeps out whoever locks the file by another description, in this process too, and is not
// dropped when the process closes some other descriptor of the file. A forked child shares it. A
// `length` of 0 reaches to the end.
bool LockBytes(int file, decltype(flock::l_type) type, off_t start, off_t length);

// All descriptors of this process that are of the file; nothing where the system does not tell.
std::optional<std::vector<int>> DescriptorsOf(const Inode& inode);

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_RECORD_LOCKS_H_
