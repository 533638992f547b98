#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Consumers : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Consumers);

TEST_P(Consumers, AConsumerHoldsWhatItTakesUnderItsOwnId) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  const auto id = queue.Enqueue("x");
  const auto message = consumer.Dequeue(seconds(7));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->worker_id(), consumer.worker_id());
  EXPECT_EQ(message->lease_end(), clock().Now() + seconds(7));
  EXPECT_NE(message->worker_id(), store.worker_id());
  EXPECT_EQ(store.FindMessage(id)->worker_id, consumer.worker_id());
}

TEST_P(Consumers, OneConsumerCannotSettleWhatAnotherHolds) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto holder = queue.NewConsumer();
  auto other = queue.NewConsumer();
  const auto ids = queue.EnqueueBatch(Payloads(1));
  ASSERT_TRUE(holder.Dequeue());
  EXPECT_FALSE(other.Ack(ids[0]));
  EXPECT_FALSE(other.Release(ids[0]));
  EXPECT_FALSE(other.ExtendLease(ids[0], minutes(1)));
  EXPECT_FALSE(other.Delete(ids[0]));
  EXPECT_FALSE(store.Ack(ids[0]));
  EXPECT_TRUE(holder.ExtendLease(ids[0], minutes(1)));
  EXPECT_EQ(store.FindMessage(ids[0])->visible_at, clock().Now() + minutes(1));
  EXPECT_TRUE(holder.Ack(ids[0]));
  EXPECT_FALSE(holder.Ack(ids[0]));
}

TEST_P(Consumers, AMessageIsReleasedUntilATime) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  const auto ids = queue.EnqueueBatch(Payloads(2));
  const auto taken = consumer.DequeueBatch(2);
  ASSERT_EQ(taken.size(), 2U);
  const auto later = taken[0].dequeued_at() + minutes(10);
  EXPECT_TRUE(consumer.ReleaseUntil(ids[0], later));
  EXPECT_EQ(store.FindMessage(ids[0])->visible_at, later);
  EXPECT_TRUE(consumer.ReleaseUntil(ids[1], taken[1].dequeued_at() - minutes(10)));
  EXPECT_GE(store.FindMessage(ids[1])->visible_at, taken[1].dequeued_at());
  EXPECT_EQ(consumer.Dequeue()->id(), ids[1]);
  EXPECT_FALSE(consumer.ReleaseUntil(ids[0], later));
  EXPECT_THAT(MessageOf<ValidationError>([&] { consumer.ReleaseUntil(ids[1], TimePoint::max()); }),
              HasSubstr("visible_at"));
}

TEST_P(Consumers, AMessageIsReleasedWithoutCountingTheRead) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  const auto id = queue.Enqueue("x");
  for (int i = 0; i < 7; ++i) {  // More often than max_read_ct.
    const auto message = consumer.Dequeue();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->read_count(), 1);
    EXPECT_TRUE(consumer.ReleaseUnread(id, minutes(1)));
    EXPECT_FALSE(consumer.ReleaseUnread(id));
    EXPECT_FALSE(consumer.Dequeue());
    Advance(minutes(1));
  }
}

TEST_P(Consumers, ADequeueAtATimeTakesWhatIsVisibleThen) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  const auto now = clock().Now();
  const auto at_once = queue.Enqueue("1");
  const auto delayed = queue.Enqueue("2", {.delay = minutes(60)});
  EXPECT_THAT(consumer.DequeueBatchAt(9, now - seconds(1)), IsEmpty());
  EXPECT_THAT(consumer.DequeueBatchAt(9, TimePoint::min()), IsEmpty());
  const auto first = consumer.DequeueBatchAt(9, now + minutes(60) - seconds(10), seconds(7));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].id(), at_once);
  const auto second = consumer.DequeueBatchAt(1, now + minutes(60), seconds(7));
  ASSERT_EQ(second.size(), 1U);
  // The lease of the first has ended by then, and it became visible before the other.
  EXPECT_EQ(second[0].id(), at_once);
  EXPECT_EQ(second[0].read_count(), 2);
  EXPECT_EQ(second[0].dequeued_at(), now + minutes(60));
  EXPECT_EQ(second[0].lease_end(), now + minutes(60) + seconds(7));
  const auto third = consumer.DequeueBatchAt(1, now + minutes(60), seconds(7));
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0].id(), delayed);
  EXPECT_FALSE(consumer.Dequeue());
  EXPECT_THAT(consumer.Ack(std::vector<std::int64_t>{at_once, delayed}), ElementsAre(true, true));
}

TEST_P(Consumers, ADequeueAtATimeTakesWhatAnotherHoldsUntilThen) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto holder = queue.NewConsumer();
  auto other = queue.NewConsumer();
  const auto ids = queue.EnqueueBatch(Payloads(1));
  const auto held = holder.Dequeue(seconds(5));
  ASSERT_TRUE(held);
  EXPECT_THAT(other.DequeueBatchAt(1, held->lease_end() - seconds(1)), IsEmpty());
  ASSERT_EQ(other.DequeueBatchAt(1, held->lease_end()).size(), 1U);
  EXPECT_FALSE(holder.Ack(ids[0]));
  EXPECT_TRUE(other.Ack(ids[0]));
}

TEST_P(Consumers, WhatWasTakenAtALaterTimeHidesNothingThatIsVisibleBefore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  for (int i = 0; i < 300; ++i) queue.Enqueue("later", {.delay = minutes(60)});
  ASSERT_FALSE(consumer.Dequeue());
  EXPECT_EQ(consumer.DequeueBatchAt(300, clock().Now() + minutes(60)).size(), 300U);
  const auto id = queue.Enqueue("now");
  const auto message = consumer.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
}

TEST_P(Consumers, ADequeueAtATimeRefusesWhatNoDatabaseCanStore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  constexpr auto kYear10000 = TimePoint(std::chrono::sys_days(std::chrono::year(10000) / 1 / 1));
  EXPECT_THAT(MessageOf<ValidationError>([&] { consumer.DequeueBatchAt(1, TimePoint::max()); }),
              HasSubstr("at: "));
  EXPECT_THAT(MessageOf<ValidationError>(
                  [&] { consumer.DequeueBatchAt(1, kYear10000 - seconds(1), minutes(1)); }),
              HasSubstr("at + lease: "));
}

TEST_P(Consumers, AnswersComeInTheOrderOfTheIds) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  const auto ids = queue.EnqueueBatch(Payloads(4));
  ASSERT_EQ(consumer.DequeueBatch(3).size(), 3U);
  const std::vector<std::int64_t> asked = {ids[3], ids[0], 0, ids[2], ids[0], -5, ids[2] + 6400};
  EXPECT_THAT(consumer.Ack(asked), ElementsAre(false, true, false, true, false, false, false));
  const std::vector<std::int64_t> rest = {ids[0], ids[1]};
  EXPECT_THAT(consumer.Release(rest, seconds(5)), ElementsAre(false, true));
  EXPECT_EQ(store.FindMessage(ids[1])->visible_at, clock().Now() + seconds(5));
  Advance(seconds(5));
  ASSERT_EQ(consumer.DequeueBatch(9).size(), 2U);
  EXPECT_THAT(consumer.Delete(std::vector{ids[1], ids[1], ids[3]}), ElementsAre(true, false, true));
  EXPECT_THAT(consumer.Ack(std::vector<std::int64_t>{}), IsEmpty());
}

TEST_P(Consumers, AWaitingConsumerIsWokenByAnEnqueue) {
  UseSystemClock();
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  auto waiting = consumer.DequeueBatchWaitAsync(10, minutes(5));
  const auto id = queue.Enqueue("x");
  const auto messages = waiting.Get();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].id(), id);
  EXPECT_EQ(messages[0].worker_id(), consumer.worker_id());
  EXPECT_THAT(consumer.DequeueBatchWait(1, Duration::zero()), IsEmpty());
}

TEST_P(Consumers, CloseGivesBackWhatIsHeldAtOnceAndStopsTheWorker) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  queue.EnqueueBatch(Payloads(100));
  auto held = consumer.DequeueBatch(70, minutes(60));
  ASSERT_TRUE(held[0].Ack());
  consumer.Close();
  consumer.Close();
  EXPECT_EQ(queue.Metrics().waiting, 99);
  EXPECT_EQ(store.FindMessage(held[1].id())->read_count, 1) << "it was read";
  EXPECT_FALSE(held[1].Ack());
  EXPECT_EQ(store.Admin().Worker(consumer.worker_id()).status, WorkerStatus::kStopped);
}

TEST_P(Consumers, CloseEndsTheWaitOfAnotherThread) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  auto waiting = consumer.DequeueBatchWaitAsync(1, minutes(5));
  while (store.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  consumer.Close();
  EXPECT_THAT(waiting.Get(), IsEmpty());
}

TEST_P(Consumers, TheDestructorGivesBackToo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  std::int64_t worker_id = 0;
  {
    auto consumer = queue.NewConsumer();
    worker_id = consumer.worker_id();
    ASSERT_TRUE(consumer.Dequeue());
  }
  EXPECT_EQ(queue.Metrics().waiting, 1);
  EXPECT_EQ(store.Admin().Worker(worker_id).status, WorkerStatus::kStopped);
}

TEST_P(Consumers, CallsOnAClosedConsumerThrow) {
  auto store = Open();
  auto consumer = store.Queue("jobs").NewConsumer();
  consumer.Close();
  const std::vector<std::int64_t> ids = {64};
  EXPECT_THAT(MessageOf<Error>([&] { consumer.Dequeue(); }), HasSubstr("consumer is closed"));
  EXPECT_THROW(consumer.DequeueBatch(1), Error);
  EXPECT_THROW(consumer.DequeueBatchWait(1, seconds(1)), Error);
  EXPECT_THROW(consumer.Ack(ids), Error);
  EXPECT_THROW(consumer.Release(ids), Error);
  EXPECT_THROW(consumer.ExtendLease(64, seconds(1)), Error);
  EXPECT_THROW(consumer.Delete(ids), Error);
  EXPECT_THROW(consumer.Status(), Error);
  EXPECT_THROW(consumer.SetStatus(WorkerStatus::kPolling), Error);
}

TEST_P(Consumers, AMovedConsumerKeepsItsWorker) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto first = queue.NewConsumer();
  const auto worker_id = first.worker_id();
  const auto id = queue.Enqueue("x");
  ASSERT_TRUE(first.Dequeue());
  Consumer second = std::move(first);
  EXPECT_EQ(second.worker_id(), worker_id);
  EXPECT_TRUE(second.Ack(id));
  EXPECT_EQ(second.Status(), WorkerStatus::kReady);
}

TEST_P(Consumers, AssigningToAConsumerClosesTheOneBefore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  auto consumer = queue.NewConsumer();
  const auto before = consumer.worker_id();
  ASSERT_TRUE(consumer.Dequeue());
  consumer = queue.NewConsumer();
  EXPECT_EQ(store.Admin().Worker(before).status, WorkerStatus::kStopped);
  EXPECT_EQ(queue.Metrics().waiting, 1);
}

TEST_P(Consumers, AConsumerMayOutliveItsStore) {
  std::optional<Consumer> consumer;
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    queue.Enqueue("x");
    consumer.emplace(queue.NewConsumer());
    ASSERT_TRUE(consumer->Dequeue());
  }
  EXPECT_THAT(MessageOf<Error>([&] { consumer->Dequeue(); }), HasSubstr("closed"));
  consumer.reset();
  if (!IsShared()) return;
  auto again = Open();
  EXPECT_EQ(again.Queue("jobs").Metrics().waiting, 1) << "the store gave it back";
  for (const auto& worker : again.Admin().Workers()) {
    EXPECT_EQ(worker.status, WorkerStatus::kStopped);
  }
}

}  // namespace
}  // namespace pgqrs::testing
