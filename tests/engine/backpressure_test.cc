// Callers wait while too much is waiting; nothing is lost, and memory is bounded.
#include <atomic>
#include <set>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

class BackPressure : public EngineTest {
 protected:
  // Counts how many of `n` async enqueues are taken in while the lane is held, and then that all of
  // them are stored.
  int TakenWhileHeld(Queue queue, int n, const std::string& payload) {
    std::atomic<int> taken = 0;
    std::vector<Future<std::int64_t>> enqueues;
    HeldLane held(faults(), queue);
    std::thread caller([&] {
      enqueues.reserve(n);
      for (int i = 0; i < n; ++i) {
        enqueues.push_back(queue.EnqueueAsync(payload));
        ++taken;
      }
    });
    // The request that waits outside is pending too, and so is the one that holds the lane.
    int before = -1;
    while (Metrics().pending_requests < static_cast<std::uint64_t>(taken) + 2 || before != taken) {
      before = taken;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const int taken_while_held = taken;
    held.Release();
    caller.join();
    std::set<std::int64_t> ids;
    for (auto& enqueue : enqueues) ids.insert(enqueue.Get());
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(n));
    EXPECT_EQ(queue.DequeueBatch(1000).size(), static_cast<std::size_t>(n));
    return taken_while_held;
  }
};

TEST_F(BackPressure, AsyncCallersWaitWhileTooManyRequestsWait) {
  config().max_pending_requests = 5;
  EXPECT_EQ(TakenWhileHeld(Open(), 30, "message"), 5);
}

TEST_F(BackPressure, AsyncCallersWaitWhileTooManyBytesWait) {
  config().max_pending_bytes = 10'000;
  const int taken = TakenWhileHeld(Open(), 50, std::string(1000, 'x'));
  EXPECT_GE(taken, 5);
  EXPECT_LE(taken, 10);
}

TEST_F(BackPressure, ARequestLargerThanTheLimitGoesThrough) {
  config().max_pending_bytes = 10;
  auto queue = Open();
  EXPECT_GT(queue.Enqueue(std::string(100'000, 'x')), 0);
  EXPECT_EQ(queue.EnqueueBatch(std::vector<Json>(3, Json(std::string(1000, 'y')))).size(), 3U);
}

TEST_F(BackPressure, NothingIsLostWithTheTightestLimits) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  config().max_pending_requests = 1;
  config().max_pending_bytes = 1;
  auto queue = Open();
  std::vector<std::thread> threads;
  std::atomic<int> acked = 0;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, queue]() mutable {
      auto enqueues = Repeat(kEach, [&](int) { return queue.EnqueueAsync("message"); });
      for (auto& enqueue : enqueues) enqueue.Get();
      for (int k = 0; k < kEach; ++k) {
        if (queue.DequeueWait(kForever)->Ack()) ++acked;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(acked, kThreads * kEach);
  EXPECT_EQ(Metrics().pending_requests, 0U);
}

TEST_F(BackPressure, ACallbackMayWaitForRoom) {
  config().max_pending_requests = 1;
  auto queue = Open();
  std::vector<Future<std::int64_t>> answers;
  answers.reserve(50);
  for (int i = 0; i < 50; ++i) {
    answers.push_back(queue.EnqueueAsync("first").Then([queue](Future<std::int64_t> done) mutable {
      done.Get();
      return queue.Enqueue("second");
    }));
  }
  for (auto& answer : answers) EXPECT_GT(answer.Get(), 0);
  EXPECT_EQ(queue.Metrics().waiting, 100);
}

TEST_F(BackPressure, CallersOfReadsWaitWhileTooManyReadsWait) {
  config().max_connections = 3;  // Of these one reads.
  config().max_pending_requests = 5;
  auto queue = Open();
  std::promise<void> go_on;
  std::promise<void> is_held;
  core().engine().Read([&](driver::Connection*, const std::exception_ptr&) {
    is_held.set_value();
    go_on.get_future().wait();
  });
  is_held.get_future().wait();
  constexpr int kReads = 30;
  std::atomic<int> taken = 0;
  std::vector<Future<QueueMetrics>> reads;
  std::thread caller([&] {
    reads.reserve(kReads);
    for (int i = 0; i < kReads; ++i) {
      reads.push_back(queue.MetricsAsync());
      ++taken;
    }
  });
  while (taken < 5) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // It would take more now.
  EXPECT_EQ(taken, 5);
  EXPECT_GT(queue.Enqueue("message"), 0) << "writes are not held up";
  go_on.set_value();
  caller.join();
  for (auto& read : reads) EXPECT_NO_THROW(read.Get());
}

TEST_F(BackPressure, ParkedDequeuesTakeNoRoom) {
  config().max_pending_requests = 2;
  auto queue = Open();
  auto waiters = Repeat(20, [&](int) { return queue.DequeueWaitAsync(kForever); });
  while (Metrics().waiting_consumers < 20) std::this_thread::yield();
  EXPECT_EQ(Metrics().pending_requests, 0U);
  for (int i = 0; i < 20; ++i) queue.Enqueue("message");
  for (auto& waiter : waiters) EXPECT_TRUE(waiter.Get());
}

}  // namespace
}  // namespace pgqrs::testing
