#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

// In real time, and without anything that makes a consumer look again but a wake-up. A wake-up that
// is missed shows as a wait of minutes with nothing at its end.
class DequeueWait : public ConformanceTest {
 protected:
  DequeueWait() {
    UseSystemClock();
    config().fallback_poll_interval = hours(1);
    config().heartbeat_interval = hours(1);
  }

  static constexpr Duration kLong = minutes(1);
  static constexpr Duration kShort = milliseconds(30);
};
PGQRS_ON_EVERY_BACKEND(DequeueWait);

TEST_P(DequeueWait, GivesAtOnceWhatIsThere) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(3));
  EXPECT_EQ(queue.DequeueWait(kLong)->payload().text(), "0");
  EXPECT_THAT(TextsOf(queue.DequeueBatchWait(10, kLong)), ElementsAre("1", "2"));
}

TEST_P(DequeueWait, GivesNothingAtTheEndOfItsTime) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(queue.DequeueWait(kShort));
  EXPECT_GE(std::chrono::steady_clock::now() - start, kShort);
  EXPECT_THAT(queue.DequeueBatchWait(10, kShort), IsEmpty());
  EXPECT_FALSE(queue.DequeueWait(Duration::zero()));
  EXPECT_EQ(store.EngineMetrics().waiting_consumers, 0U);
}

TEST_P(DequeueWait, IsWokenByAnEnqueueFromAnotherThread) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::thread producer([&store, queue]() mutable {
    AwaitWaitingConsumers(store, 1);
    queue.Enqueue("wake up");
  });
  const auto message = queue.DequeueWait(kLong);
  producer.join();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().AsString(), "wake up");
}

TEST_P(DequeueWait, IsWokenByAnEnqueueOfAnotherStore) {
  if (!IsShared()) GTEST_SKIP() << "no other store can open this database";
  auto store = Open();
  auto other = Open();
  auto queue = store.Queue("jobs");
  auto other_queue = other.Queue("jobs");
  for (int i = 0; i < 5; ++i) {
    auto waiting = queue.DequeueWaitAsync(kLong);
    AwaitWaitingConsumers(store, 1);
    other_queue.Enqueue("wake up");
    auto message = waiting.Get();
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->Ack());
  }
}

TEST_P(DequeueWait, IsNotWokenByAnotherQueue) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  auto waiting = queue.DequeueWaitAsync(kLong);
  AwaitWaitingConsumers(store, 1);
  other.Enqueue("not for this one");
  AwaitWaitingConsumers(store, 1);
  EXPECT_FALSE(waiting.IsReady());
  queue.Enqueue("for this one");
  EXPECT_EQ(waiting.Get()->payload().AsString(), "for this one");
}

TEST_P(DequeueWait, IsWokenWhenADelayedMessageBecomesVisible) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("later", {.delay = kShort});
  const auto message = queue.DequeueWait(kLong);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->visible_at(), message->enqueued_at() + kShort);
  EXPECT_GE(message->dequeued_at(), message->visible_at());
}

TEST_P(DequeueWait, IsWokenByADelayedMessageWhenAnotherConsumerGotTheFirst) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto one = queue.NewConsumer();
  auto other = queue.NewConsumer();
  queue.Enqueue("now");
  queue.Enqueue("soon", {.delay = milliseconds(100)});
  auto first = one.DequeueWaitAsync(kLong);
  auto second = other.DequeueWaitAsync(kLong);
  ASSERT_TRUE(first.Get());
  ASSERT_TRUE(second.Get());
}

TEST_P(DequeueWait, IsWokenByADelayedMessageThatComesWhileItWaits) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("much later", {.delay = hours(1)});
  auto waiting = queue.DequeueWaitAsync(kLong);
  AwaitWaitingConsumers(store, 1);
  queue.Enqueue("later", {.delay = kShort});
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().AsString(), "later");
  EXPECT_GE(message->dequeued_at(), message->visible_at());
}

TEST_P(DequeueWait, IsWokenByADelayedMessageOfAnotherStore) {
  if (!IsShared()) GTEST_SKIP() << "no other store can open this database";
  auto store = Open();
  auto other = Open();
  auto queue = store.Queue("jobs");
  auto waiting = queue.DequeueWaitAsync(kLong);
  AwaitWaitingConsumers(store, 1);
  other.Queue("jobs").Enqueue("later", {.delay = kShort});
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_GE(message->dequeued_at(), message->visible_at());
}

TEST_P(DequeueWait, IsWokenByALeaseThatEnds) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("held");
  auto holder = queue.NewConsumer();
  const auto first = holder.Dequeue(kShort);
  ASSERT_TRUE(first);
  const auto second = queue.DequeueWait(kLong);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->id(), first->id());
  EXPECT_EQ(second->read_count(), 2);
  EXPECT_GE(second->dequeued_at(), first->lease_end());
}

TEST_P(DequeueWait, IsWokenByALeaseOfAnotherStoreThatEnds) {
  if (!IsShared()) GTEST_SKIP() << "no other store can open this database";
  auto store = Open();
  auto other = Open();
  auto queue = store.Queue("jobs");
  auto other_queue = other.Queue("jobs");
  queue.Enqueue("held");
  const auto first = other_queue.Dequeue(kShort);
  ASSERT_TRUE(first);
  const auto second = queue.DequeueWait(kLong);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->id(), first->id());
  EXPECT_GE(second->dequeued_at(), first->lease_end());
}

// What makes a held message visible while a consumer waits for it.
using Giver = void (*)(PgqrsStore& store, Message& held);

class DequeueWaitOn : public DequeueWait {
 protected:
  void ExpectWokenBy(Giver give_back) {
    auto store = Open();
    auto queue = store.Queue("jobs");
    const auto id = queue.Enqueue("held");
    auto held = queue.Dequeue(hours(1));
    ASSERT_TRUE(held);
    auto waiting = queue.DequeueWaitAsync(kLong);
    AwaitWaitingConsumers(store, 1);
    give_back(store, *held);
    const auto message = waiting.Get();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), id);
  }
};
PGQRS_ON_EVERY_BACKEND(DequeueWaitOn);

TEST_P(DequeueWaitOn, ReleaseIsWoken) {
  ExpectWokenBy([](PgqrsStore&, Message& held) { EXPECT_TRUE(held.Release()); });
}

TEST_P(DequeueWaitOn, ReleaseWithADelayIsWokenThen) {
  ExpectWokenBy([](PgqrsStore&, Message& held) { EXPECT_TRUE(held.Release(milliseconds(30))); });
}

TEST_P(DequeueWaitOn, AnExtensionThatShortensTheLeaseIsWokenAtItsNewEnd) {
  ExpectWokenBy(
      [](PgqrsStore&, Message& held) { EXPECT_TRUE(held.ExtendLease(milliseconds(30))); });
}

TEST_P(DequeueWaitOn, ReplayOfADeadLetterIsWoken) {
  ExpectWokenBy([](PgqrsStore& store, Message& held) {
    EXPECT_TRUE(held.DeadLetter("try later"));
    EXPECT_EQ(store.OpenQueue("jobs").ReplayDeadLetters(), 1);
  });
}

TEST_P(DequeueWaitOn, TheReleaseOfAWorkersMessagesIsWoken) {
  ExpectWokenBy([](PgqrsStore& store, Message& held) {
    EXPECT_EQ(store.Admin().ReleaseWorkerMessages(held.worker_id()), 1);
  });
}

TEST_P(DequeueWait, IsWokenByAConsumerThatIsClosed) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto holder = queue.NewConsumer();
  queue.Enqueue("held");
  ASSERT_TRUE(holder.Dequeue(hours(1)));
  auto waiting = queue.DequeueWaitAsync(kLong);
  AwaitWaitingConsumers(store, 1);
  holder.Close();
  EXPECT_TRUE(waiting.Get());
}

TEST_P(DequeueWait, IsWokenByAStoreThatIsClosed) {
  if (!IsShared()) GTEST_SKIP() << "no other store can open this database";
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("held");
  std::optional<PgqrsStore> other = Open();
  ASSERT_TRUE(other->Queue("jobs").Dequeue(hours(1)));
  auto waiting = queue.DequeueWaitAsync(kLong);
  AwaitWaitingConsumers(store, 1);
  other.reset();
  EXPECT_TRUE(waiting.Get());
}

TEST_P(DequeueWait, GivesEachOfManyWaitingConsumersOneMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<std::optional<Message>>> waiting;
  waiting.reserve(20);
  for (int i = 0; i < 20; ++i) waiting.push_back(queue.DequeueWaitAsync(kLong));
  AwaitWaitingConsumers(store, 20);
  queue.EnqueueBatch(NumberedPayloads(15));
  AwaitWaitingConsumers(store, 5);
  for (int i = 0; i < 5; ++i) queue.Enqueue("one more");
  std::set<std::int64_t> ids;
  for (auto& wait : waiting) ids.insert(wait.Get()->id());
  EXPECT_THAT(ids, SizeIs(20));
}

TEST_P(DequeueWait, OfABatchGivesTheFirstMessagesWithoutWaitingForMore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto waiting = queue.DequeueBatchWaitAsync(10, kLong);
  AwaitWaitingConsumers(store, 1);
  queue.EnqueueBatch(NumberedPayloads(2));
  EXPECT_THAT(TextsOf(waiting.Get()), ElementsAre("0", "1"));
}

TEST_P(DequeueWait, OfAConsumerEndsWithNothingWhenTheConsumerIsClosed) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  auto waiting = consumer.DequeueBatchWaitAsync(10, kLong);
  AwaitWaitingConsumers(store, 1);
  consumer.Close();
  EXPECT_THAT(waiting.Get(), IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
