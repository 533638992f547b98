#ifndef PGQRS_DRIVER_TURSO_TURSO_LOCK_H_
#define PGQRS_DRIVER_TURSO_TURSO_LOCK_H_

#include <string>

namespace pgqrs::driver {

// Keeps SQLite, and Turso in other processes, out of a file that this process has open with Turso.
//
// The engine locks the whole file by POSIX: that does not count within the process, where a copy of
// SQLite may be, and is gone as soon as the process closes any descriptor of the file. So the bytes
// by which SQLite locks, which are some of those that the engine asks for too, are locked by the
// description of a file instead.
class TursoLock {
 public:
  // Registers the locks that are taken here with fork, as OpenFile does.
  static void PrepareForFork();

  // Throws Failure, busy, where this process has the file open already: the engine's lock would
  // take away the locks of whoever has it open, and so would closing it. To be called before the
  // engine opens it.
  static void ExpectUnopened(const std::string& path);

  // Opens the file. To be closed after the engine has closed it, whose lock it drops.
  explicit TursoLock(const std::string& path);
  TursoLock(const TursoLock&) = delete;
  TursoLock& operator=(const TursoLock&) = delete;
  ~TursoLock();

  // Takes the bytes over from the engine, which has just opened the file. Throws Failure: busy
  // where somebody else came in between.
  void TakeOver();

 private:
  class Registry;

  int file_;
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_TURSO_TURSO_LOCK_H_
