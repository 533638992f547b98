// Takes turns at writing one file, fairly, between processes, and between stores of one.
#ifndef PGQRS_DRIVER_FILE_WRITE_TURN_H_
#define PGQRS_DRIVER_FILE_WRITE_TURN_H_

#include <pgqrs/time.h>

#include <string>

namespace pgqrs::driver {

// SQLite's own write lock is taken by whoever asks at the right instant, so a process that writes
// without a pause starves the others, which only ask now and then. This is a turnstile in front of
// it: locks on two bytes of a file beside the database (`<database>-turn`). Who wants to write
// waits at byte 0 for its turn, keeps it while it waits for byte 1, and lets go of byte 0 once it
// has byte 1. A writer that has finished and wants to go on therefore finds the next one ahead of
// it.
//
// It only decides the order. SQLite's lock still protects the data, so where the file cannot be
// made, or a process is stuck, writing goes on without turns: one that was suspended while it held
// a byte is waited for once, and from then on hardly at all until the byte is free again. The
// kernel drops the locks of a process that dies, unless a child that it forked lives on: the child
// shares them, and counts as a stuck process then. The file may be removed at any time.
class WriteTurn {
 public:
  explicit WriteTurn(const std::string& database_path);
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;
  ~WriteTurn();

  // Waits for the turn, but no longer than `patience`, and never for long.
  void Take(Duration patience);
  void Give() noexcept;

 private:
  int file_ = -1;
  bool taken_ = false;
  bool is_stuck_ = false;  // The last turn did not come.
};

}  // namespace pgqrs::driver

#endif  // PGQRS_DRIVER_FILE_WRITE_TURN_H_
