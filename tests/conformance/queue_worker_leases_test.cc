#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>

#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {
namespace {

class QueueWorkerLeases : public QueueWorkerTest {};
PGQRS_ON_EVERY_BACKEND(QueueWorkerLeases);

TEST_P(QueueWorkerLeases, LeasesAreExtendedWhileHandlersRunAndWhileMessagesWaitInLine) {
  // Real time: long enough for a machine that is busy with something else for a while.
  constexpr auto kLease = milliseconds(400);
  UseSystemClock();
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Enqueue(queue, 2);
  Gate gate;
  QueueWorker worker(queue, [&](Message&) { gate.Pass(); },
                     {.concurrency = 1, .prefetch = 1, .lease = kLease});
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return queue.Metrics().leased == 2; }));
  for (const auto id : ids) {
    const auto first_end = store.FindMessage(id)->dequeued_at.value() + kLease;
    EXPECT_TRUE(Eventually([&] {
      return store.FindMessage(id)->visible_at > first_end + kLease / 4 &&
             std::chrono::system_clock::now() > first_end;
    }));
  }
  EXPECT_FALSE(queue.Dequeue()) << "nobody else gets them";
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 2; }));
  for (const auto id : ids) EXPECT_EQ(store.FindMessage(id)->read_count, 1);
}

TEST_P(QueueWorkerLeases, AHandlerThatOutlivedItsLeaseCannotAck) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  Gate gate;
  std::atomic<int> answer{-1};
  QueueWorker worker(queue,
                     [&](Message& message) {
                       gate.Pass();
                       answer = message.ExtendLease(seconds(10)) ? 1 : 0;
                     },
                     {.prefetch = 0});
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  Advance(hours(1));
  auto taken = queue.Dequeue();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->id(), id);
  EXPECT_EQ(taken->read_count(), 2);
  gate.Open();
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(answer, 0) << "the handler is told";
  EXPECT_EQ(worker.counts().acked, 0U);
  EXPECT_EQ(StateOf(store, id), MessageState::kLeased);
  EXPECT_TRUE(taken->Ack());
}

// A worker that was suspended may get its own message again while the first handler still runs.
TEST_P(QueueWorkerLeases, AMessageThatTheWorkerGotTwiceIsAckedByTheHandlerThatHoldsIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  Gate first;
  Gate second;
  QueueWorker worker(queue,
                     [&](Message& message) {
                       if (message.read_count() > 1) {
                         second.Pass();
                         return;
                       }
                       first.Pass();
                       throw std::runtime_error("too late");
                     },
                     {.concurrency = 2, .prefetch = 0});
  const OpenAtEnd open_first(first);
  const OpenAtEnd open_second(second);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return first.waiting() == 1; }));
  Advance(hours(1));
  ASSERT_TRUE(Eventually([&] { return second.waiting() == 1; }));
  first.Open();
  ASSERT_TRUE(Eventually([&] { return worker.counts().failed == 1; }));
  second.Open();
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(worker.counts().acked, 1U);
  EXPECT_EQ(StateOf(store, id), MessageState::kArchived);
}

}  // namespace
}  // namespace pgqrs::testing
