// What the tests of QueueWorker share.
#ifndef PGQRS_TESTS_CONFORMANCE_QUEUE_WORKER_FIXTURE_H_
#define PGQRS_TESTS_CONFORMANCE_QUEUE_WORKER_FIXTURE_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {

// Waits until the condition holds; false where it does not come about in a time that no machine
// should need.
template <typename F>
bool Eventually(F condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Holds handlers up until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [this] { return is_open_; });
    --waiting_;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
  int waiting_ = 0;
};

// Opens a gate at the end of a test, however it ends: a handler that waits would hold up the
// worker's destructor.
class OpenAtEnd {
 public:
  explicit OpenAtEnd(Gate& gate) : gate_(gate) {}
  OpenAtEnd(const OpenAtEnd&) = delete;
  OpenAtEnd& operator=(const OpenAtEnd&) = delete;
  ~OpenAtEnd() { gate_.Open(); }

 private:
  Gate& gate_;
};

class QueueWorkerTest : public ConformanceTest {
 protected:
  QueueWorkerTest() {
    // A worker that waits does not see by itself that a manual clock was moved.
    config().fallback_poll_interval = std::chrono::milliseconds(5);
  }

  static std::vector<std::int64_t> Enqueue(Queue& queue, int n) {
    return queue.EnqueueBatch(Payloads(n));
  }

  // The state of a message; it must exist.
  static MessageState StateOf(PgqrsStore& store, std::int64_t id) {
    return store.FindMessage(id).value().state;
  }
};

}  // namespace pgqrs::testing

#endif  // PGQRS_TESTS_CONFORMANCE_QUEUE_WORKER_FIXTURE_H_
