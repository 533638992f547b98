// Requests that wait together travel together, in their order.
#include <map>
#include <set>
#include <thread>

#include "engine/engine_test.h"
#include "queue/slice.h"

namespace pgqrs::testing {
namespace {

class Batching : public EngineTest {
 protected:
  // One group for the request that holds the lane, one for those that gathered.
  static constexpr std::uint64_t kHeldAndOne = 2;
};

TEST_F(Batching, RequestsThatWaitTogetherBecomeOneTransaction) {
  auto queue = Open();
  const auto groups_before = Metrics().groups;
  HeldLane held(faults(), queue);
  auto enqueues = Repeat(50, [&](int) { return queue.EnqueueAsync("message"); });
  auto dequeue = queue.DequeueBatchAsync(50);
  held.Release();
  for (auto& enqueue : enqueues) EXPECT_GT(enqueue.Get(), 0);
  // What a group enqueues its dequeues can have.
  EXPECT_EQ(dequeue.Get().size(), 50U);
  EXPECT_EQ(Metrics().groups, groups_before + kHeldAndOne);
}

TEST_F(Batching, ConcurrentEnqueuesShareABatch) {
  auto queue = Open();
  std::vector<Future<std::int64_t>> enqueues;
  {
    const HeldLane held(faults(), queue);
    enqueues = Repeat(100, [&](int) { return queue.EnqueueAsync("message"); });
  }
  std::map<std::int64_t, int> batches;
  for (auto& enqueue : enqueues) ++batches[queue::BatchOf(enqueue.Get())];
  std::vector<int> sizes;
  sizes.reserve(batches.size());
  for (const auto& [id, size] : batches) sizes.push_back(size);
  EXPECT_THAT(sizes, ElementsAre(64, 36));
}

TEST_F(Batching, EnqueuesThatDifferDoNotShareABatch) {
  auto queue = Open();
  HeldLane held(faults(), queue);
  auto plain = queue.EnqueueAsync("plain");
  auto urgent = queue.EnqueueAsync("urgent", {.priority = 0});
  auto late = queue.EnqueueAsync("late", {.delay = kForever});
  held.Release();
  EXPECT_EQ((std::set{queue::BatchOf(plain.Get()), queue::BatchOf(urgent.Get()),
                      queue::BatchOf(late.Get())})
                .size(),
            3U);
}

TEST_F(Batching, AnAckAndTheNextDequeueTravelTogether) {
  auto queue = Open();
  queue.EnqueueBatch(std::vector<Json>{"first", "second"});
  auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  const auto groups_before = Metrics().groups;
  HeldLane held(faults(), queue);
  auto ack = message->AckAsync();
  auto next = queue.DequeueAsync();
  held.Release();
  EXPECT_TRUE(ack.Get());
  EXPECT_EQ(next.Get()->payload().AsString(), "second");
  EXPECT_EQ(Metrics().groups, groups_before + kHeldAndOne);
}

TEST_F(Batching, DequeuesOfOneGroupGetDifferentMessagesInTheirOrder) {
  auto queue = Open();
  const auto ids = queue.EnqueueBatch(std::vector<Json>(10, Json("message")));
  std::vector<Future<std::optional<Message>>> dequeues;
  {
    const HeldLane held(faults(), queue);
    dequeues = Repeat(12, [&](int) { return queue.DequeueAsync(); });
  }
  std::vector<std::int64_t> got;
  for (auto& dequeue : dequeues) {
    if (const auto message = dequeue.Get()) got.push_back(message->id());
  }
  EXPECT_EQ(got, ids);
}

TEST_F(Batching, AGroupHasABoundedNumberOfMessages) {
  auto queue = Open();
  const auto groups_before = Metrics().groups;
  const std::vector<Json> payloads(5000, Json());
  HeldLane held(faults(), queue);
  auto first = queue.EnqueueBatchAsync(payloads);
  auto second = queue.EnqueueBatchAsync(payloads);
  held.Release();
  EXPECT_EQ(first.Get().size(), payloads.size());
  EXPECT_EQ(second.Get().size(), payloads.size());
  EXPECT_EQ(Metrics().groups, groups_before + kHeldAndOne + 1);
}

TEST_F(Batching, UnderLoadThereAreFewerGroupsThanRequests) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  auto queue = Open();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([queue]() mutable {
      auto enqueues = Repeat(kEach, [&](int) { return queue.EnqueueAsync("message"); });
      for (auto& enqueue : enqueues) enqueue.Get();
    });
  }
  for (auto& thread : threads) thread.join();
  const auto metrics = Metrics();
  EXPECT_EQ(metrics.requests, std::uint64_t{kThreads} * kEach);
  EXPECT_LT(metrics.groups, metrics.requests);
  EXPECT_EQ(metrics.group_size.sum, metrics.requests);
  EXPECT_EQ(metrics.group_size.count, metrics.groups);
  EXPECT_EQ(metrics.request_latency.count, metrics.requests);
  EXPECT_EQ(metrics.failed_requests, 0U);
  EXPECT_EQ(metrics.pending_requests, 0U);
}

TEST_F(Batching, EnqueuesInFlightBecomeVisibleInTheOrderTheyWereMade) {
  auto queue = Open();
  auto enqueues = Repeat(500, [&](int i) { return queue.EnqueueAsync(std::to_string(i)); });
  std::int64_t last = 0;
  for (auto& enqueue : enqueues) {
    const auto id = enqueue.Get();
    EXPECT_GT(id, last);
    last = id;
  }
  int next = 0;
  for (const auto& message : queue.DequeueBatch(1000)) {
    EXPECT_EQ(message.payload().AsString(), std::to_string(next++));
  }
  EXPECT_EQ(next, 500);
}

TEST_F(Batching, ACallerThatWaitsForEachSeesItsRequestsInOrder) {
  constexpr int kThreads = 3;
  constexpr int kEach = 100;
  auto queue = Open();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([queue, i]() mutable {
      for (int k = 0; k < kEach; ++k) queue.Enqueue(std::to_string(i * kEach + k));
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<int> next(kThreads, 0);
  for (const auto& message : queue.DequeueBatch(kThreads * kEach)) {
    const int number = std::stoi(message.payload().AsString());
    EXPECT_EQ(number % kEach, next[static_cast<std::size_t>(number / kEach)]++);
  }
  EXPECT_THAT(next, Each(kEach));
}

}  // namespace
}  // namespace pgqrs::testing
