#include <pgqrs/error.h>
#include <pgqrs/future.h>

#include <string>
#include <thread>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace pgqrs::internal {
namespace {

// Sleeping and waking, without the spinning of the standard library in between.

using Status = std::atomic<std::uint32_t>;

#ifdef __linux__

static_assert(sizeof(Status) == sizeof(std::uint32_t) && Status::is_always_lock_free);

void Sleep(Status& status, std::uint32_t value) {
  syscall(SYS_futex, &status, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void Wake(Status& status) {
  constexpr int kAll = 1 << 30;
  syscall(SYS_futex, &status, FUTEX_WAKE_PRIVATE, kAll, nullptr, nullptr, 0);
}

#else

void Sleep(Status& status, std::uint32_t value) { status.wait(value, std::memory_order_acquire); }
void Wake(Status& status) { status.notify_all(); }

#endif

}  // namespace

void ThrowFutureTaken(const char* call) {
  throw Error(std::string(call) +
              " was called on a Future after its result had been taken (by Get, Then, Offer or "
              "co_await) or the Future had been moved from");
}

// Where many threads wait, one group answers most of them. A thread that first lets the others run
// a few times mostly finds its answer there, which saves it the sleep and the lane the waking;
// where nobody else wants to run, it costs some microseconds.
void FutureStateBase::Wait() {
  constexpr int kYields = 32;
  for (int i = 0; i < kYields && !IsReady(); ++i) std::this_thread::yield();
  auto status = kPending;
  status_.compare_exchange_strong(status, kHasWaiter, std::memory_order_acq_rel);
  while (status_.load(std::memory_order_acquire) == kHasWaiter) Sleep(status_, kHasWaiter);
}

void FutureStateBase::WakeWaiter() { Wake(status_); }

}  // namespace pgqrs::internal
