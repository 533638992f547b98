#ifndef PGQRS_DRIVER_FILE_OPEN_FILE_H_
#define PGQRS_DRIVER_FILE_OPEN_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace pgqrs::driver {

// A note that this process has a database file open, for as long as the object lives.
//
// SQLite, and Turso too, keeps in memory which locks a process has on a file. A forked child
// inherits that memory, but not the locks: were it to open a file that was open at the fork, it
// would write beside its parent, and messages would be lost. (SQLite, "How To Corrupt An SQLite
// Database File", 2.6.) So such a file is refused.
class OpenFile {
 public:
  enum class Engine : std::uint8_t { kSqlite, kTurso };

  // Throws PgqrsConnectionError where the file was open when this process was forked, and where it
  // is open in this process in a way that this engine must not be beside: by the other engine,
  // whose locks do not count within a process, or, for Turso, by another name of the file. To be
  // called before the engine opens it.
  static void CheckMayOpen(const std::string& path, Engine engine);

  // Registers its lock with fork. To be called by the constructor of whatever is ForkSafe itself
  // and calls OpenFile while it holds its own lock: a fork takes the locks that were registered
  // last first, and so both in the same order.
  static void PrepareForFork();

  OpenFile() = default;
  // Notes a file that has just been opened.
  OpenFile(const std::string& path, Engine engine);
  OpenFile(OpenFile&& other) noexcept
      : path_(std::move(other.path_)), key_(std::exchange(other.key_, std::nullopt)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(key_, other.key_);
    return *this;
  }
  ~OpenFile();

  // Whether there is another file at its path by now, or none.
  bool HasMoved() const;

  // The file, whatever its names, and the process that opened it.
  struct Key {
    dev_t device;
    ino_t inode;
    std::uint64_t fork_generation;
    Engine engine;
  };

 private:
  std::string path_;
  std::optional<Key> key_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_OPEN_FILE_H_
