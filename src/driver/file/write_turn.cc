#include "driver/file/write_turn.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "driver/file/record_locks.h"

namespace pgqrs::driver {
namespace {

constexpr off_t kQueue = 0;
constexpr off_t kTurn = 1;

// Many times what a transaction takes.
constexpr Duration kPatience = std::chrono::seconds(1);
constexpr Duration kPatienceWhileStuck = std::chrono::milliseconds(1);

// How long to sleep before the lock of a byte is asked for again. There is one process at most that
// waits for the turn, and what it loses there nobody writes in; all others wait behind it, and have
// the time of a whole transaction to come forward.
constexpr auto kTurnPause = std::chrono::microseconds(30);
constexpr auto kQueuePause = std::chrono::microseconds(150);

// Asks again and again, since the kernel's blocking form knows no time-out.
bool WaitForLock(int file, off_t byte, std::chrono::microseconds pause,
                 std::chrono::steady_clock::time_point deadline) {
  while (!LockBytes(file, F_WRLCK, byte, 1)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

}  // namespace

WriteTurn::WriteTurn(const std::string& database_path)
    : file_(open((database_path + "-turn").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {}

WriteTurn::~WriteTurn() {
  if (file_ >= 0) close(file_);
}

void WriteTurn::Take(Duration patience) {
  if (file_ < 0) return;
  const auto longest = is_stuck_ ? kPatienceWhileStuck : kPatience;
  const auto deadline = std::chrono::steady_clock::now() + std::min(patience, longest);
  if (WaitForLock(file_, kQueue, kQueuePause, deadline)) {
    taken_ = WaitForLock(file_, kTurn, kTurnPause, deadline);
    LockBytes(file_, F_UNLCK, kQueue, 1);
  }
  is_stuck_ = !taken_;
}

void WriteTurn::Give() noexcept {
  if (!taken_) return;
  LockBytes(file_, F_UNLCK, kTurn, 1);
  taken_ = false;
}

}  // namespace pgqrs::driver
