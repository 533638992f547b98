#include <algorithm>
#include <chrono>
#include <climits>
#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Dequeue : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Dequeue);

TEST_P(Dequeue, AnEmptyQueueGivesNothing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_THAT(queue.DequeueBatch(10), IsEmpty());
  EXPECT_FALSE(queue.NewConsumer().Dequeue());
}

TEST_P(Dequeue, GivesOnlyMessagesOfItsOwnQueue) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  other.Enqueue("of the other");
  EXPECT_FALSE(queue.Dequeue());
  queue.Enqueue("of this");
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("\"of this\""));
  EXPECT_THAT(TextsOf(other.DequeueBatch(10)), ElementsAre("\"of the other\""));
}

TEST_P(Dequeue, BatchGivesAtMostWhatWasAskedForAndEverythingWhereFewerAreThere) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto left = queue.EnqueueBatch(NumberedPayloads(200));
  for (const std::size_t n : {1U, 1U, 63U, 64U, 65U, 100U}) {
    const auto take = static_cast<std::ptrdiff_t>(std::min(n, left.size()));
    const std::vector<std::int64_t> expected(left.begin(), left.begin() + take);
    EXPECT_EQ(IdsOf(queue.DequeueBatch(static_cast<int>(n))), expected);
    left.erase(left.begin(), left.begin() + take);
  }
  EXPECT_THAT(left, IsEmpty());
  EXPECT_THAT(queue.DequeueBatch(1), IsEmpty());
}

TEST_P(Dequeue, BatchReachesOverPrioritiesAndBatchesInTheirOrder) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (int priority = 9; priority >= 0; --priority) {
    std::vector<Json> payloads;
    payloads.reserve(7);
    for (int i = 0; i < 7; ++i) payloads.emplace_back(std::string(1, static_cast<char>('a' + i)));
    queue.EnqueueBatch(payloads, {.priority = priority});
  }
  std::vector<int> priorities;
  std::vector<std::string> texts;
  for (auto messages = queue.DequeueBatch(9); !messages.empty(); messages = queue.DequeueBatch(9)) {
    for (const auto& message : messages) {
      priorities.push_back(message.priority());
      texts.push_back(message.payload().AsString());
    }
  }
  ASSERT_THAT(priorities, SizeIs(70));
  for (std::size_t i = 0; i < 70; ++i) {
    EXPECT_EQ(priorities[i], static_cast<int>(i / 7));
    EXPECT_EQ(texts[i], std::string(1, static_cast<char>('a' + i % 7)));
  }
}

TEST_P(Dequeue, ACountOutsideTheRangeIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  queue.Enqueue("stays");
  for (const int count : {0, -1, Queue::kMaxBatchSize + 1, INT_MIN, INT_MAX}) {
    const auto refusal = HasSubstr("count: must be from 1 to 100,000, and is ");
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueBatch(count); }), refusal);
    EXPECT_THAT(
        MessageOf<ValidationError>([&] { queue.DequeueBatchWait(count, Duration::zero()); }),
        refusal);
    EXPECT_THAT(MessageOf<ValidationError>([&] { consumer.DequeueBatch(count); }), refusal);
  }
  EXPECT_THAT(queue.DequeueBatch(Queue::kMaxBatchSize), SizeIs(1));
}

TEST_P(Dequeue, ALeaseOutsideTheRangeIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  queue.EnqueueBatch(NumberedPayloads(2));
  for (const Duration lease : {Duration::zero(), Duration(-1), Duration(999),
                               kMaxDuration + microseconds(1), Duration::max()}) {
    const auto refusal = HasSubstr("lease");
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.Dequeue(lease); }), refusal);
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueBatch(1, lease); }), refusal);
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueWait(seconds(1), lease); }), refusal);
    EXPECT_THAT(MessageOf<ValidationError>([&] { consumer.Dequeue(lease); }), refusal);
  }
  EXPECT_EQ(queue.Dequeue(milliseconds(1))->lease_end(), clock().Now() + milliseconds(1));
  EXPECT_EQ(queue.Dequeue(kMaxDuration)->lease_end(), clock().Now() + kMaxDuration);
}

TEST_P(Dequeue, ATimeoutOutsideTheRangeIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const Duration timeout : {Duration(-1), kMaxDuration + microseconds(1), Duration::max()}) {
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueWait(timeout); }),
                HasSubstr("timeout"));
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.DequeueBatchWait(1, timeout); }),
                HasSubstr("timeout"));
  }
}

TEST_P(Dequeue, WithoutALeaseOfItsOwnHasTheDefaultOne) {
  config().default_lease = seconds(7);
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(3));
  EXPECT_EQ(queue.Dequeue()->lease_end(), clock().Now() + seconds(7));
  EXPECT_EQ(queue.DequeueBatch(1)[0].lease_end(), clock().Now() + seconds(7));
  EXPECT_EQ(queue.NewConsumer().Dequeue()->lease_end(), clock().Now() + seconds(7));
}

// A look that stops in the midst of a batch must not give its later messages first.
TEST_P(Dequeue, KeepsTheOrderBehindManyMessagesThatGoToTheDeadLetters) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (int i = 0; i < 64; ++i) queue.Enqueue("exhausted");
  for (auto& message : queue.DequeueBatch(64)) EXPECT_TRUE(message.Release());
  auto exhausted = queue.DequeueBatch(64);
  const auto ids = queue.EnqueueBatch(NumberedPayloads(4));
  auto messages = queue.DequeueBatch(4);
  ASSERT_EQ(IdsOf(messages), ids);
  for (auto& message : exhausted) EXPECT_TRUE(message.Release());
  Advance(microseconds(1));
  // The messages of the batch now differ in their last error, not in their visible time.
  EXPECT_TRUE(messages[1].Release(Duration::zero(), "failed"));
  for (const std::size_t i : {3U, 2U, 0U}) EXPECT_TRUE(messages[i].Release());
  for (const auto id : ids) EXPECT_EQ(queue.Dequeue()->id(), id);
  EXPECT_THAT(queue.ListDeadLetters(), SizeIs(64));
}

}  // namespace
}  // namespace pgqrs::testing
