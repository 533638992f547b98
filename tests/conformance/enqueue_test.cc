#include <algorithm>
#include <chrono>
#include <climits>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Enqueue : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Enqueue);

// Takes everything that is visible, in its order, and gives the texts of the payloads.
std::vector<std::string> Drain(Queue& queue) { return TextsOf(queue.DequeueBatch(1000)); }

Json Number(int value) { return Json::Parse(std::to_string(value)); }

TEST_P(Enqueue, AnEnqueuedMessageIsDequeuedWithEverythingThatIsKnownOfIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto enqueued_at = clock().Now();
  const auto id = queue.Enqueue("payload");
  Advance(seconds(3));
  const auto message = queue.Dequeue(minutes(2));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_EQ(message->payload().AsString(), "payload");
  EXPECT_EQ(message->read_count(), 1);
  EXPECT_EQ(message->priority(), 5);
  EXPECT_EQ(message->queue_name(), "jobs");
  EXPECT_EQ(message->enqueued_at(), enqueued_at);
  EXPECT_EQ(message->visible_at(), enqueued_at);
  EXPECT_EQ(message->dequeued_at(), clock().Now());
  EXPECT_EQ(message->lease_end(), clock().Now() + minutes(2));
  EXPECT_EQ(message->producer_worker_id(), store.worker_id());
  EXPECT_EQ(message->worker_id(), store.worker_id());
}

TEST_P(Enqueue, AnEnqueuedMessageOutlivesItsStore) {
  if (!IsShared()) GTEST_SKIP() << "the database goes with its store";
  const auto id = Open().Queue("jobs").Enqueue("payload");
  auto store = Open();
  const auto message = store.Queue("jobs").Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_EQ(message->payload().AsString(), "payload");
}

TEST_P(Enqueue, ABatchGivesAnIdForEachPayloadInTheirOrder) {
  auto store = Open();
  for (const int n : {1, 2, 63, 64, 65, 128, 129, 1000}) {
    auto queue = store.Queue("batch of " + std::to_string(n));
    const auto ids = queue.EnqueueBatch(NumberedPayloads(n));
    ASSERT_THAT(ids, SizeIs(n));
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
    const auto messages = queue.DequeueBatch(n + 1);
    EXPECT_EQ(IdsOf(messages), ids);
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(messages.at(static_cast<std::size_t>(i)).payload().text(), std::to_string(i));
    }
  }
}

TEST_P(Enqueue, AnEmptyBatchGivesNoIds) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(queue.EnqueueBatch({}), IsEmpty());
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_THAT(AllMessages(store), IsEmpty());
}

TEST_P(Enqueue, TheLargestBatchIsTakenAndOneMoreIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Json> payloads(Queue::kMaxBatchSize + 1);
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.EnqueueBatch(payloads); }),
              AllOf(HasSubstr("batch size"), HasSubstr("100,001")));
  EXPECT_FALSE(queue.Dequeue());
  payloads.pop_back();
  const auto ids = queue.EnqueueBatch(payloads);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(IdsOf(queue.DequeueBatch(Queue::kMaxBatchSize)), ids);
  EXPECT_FALSE(queue.Dequeue());
}

TEST_P(Enqueue, ABatchOfLargePayloadsStaysWholeAndInOrder) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Json> payloads;
  payloads.reserve(20);
  for (std::size_t i = 0; i < 20; ++i) payloads.emplace_back(std::string(10'000 * (i % 8), 'x'));
  const auto ids = queue.EnqueueBatch(payloads);
  const auto messages = queue.DequeueBatch(100);
  ASSERT_EQ(IdsOf(messages), ids);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_EQ(messages[i].payload(), payloads[i]) << i;
  }
}

TEST_P(Enqueue, ABadPayloadOfABatchIsNamedByItsPositionAndNothingIsStored) {
  config().max_payload_size = 100;
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto payloads = NumberedPayloads(100);
  payloads[70] = Json(std::string(200, 'x'));
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.EnqueueBatch(payloads); }),
              AllOf(HasSubstr("payload 70"), HasSubstr("max_payload_size")));
  EXPECT_THAT(AllMessages(store), IsEmpty());
  payloads[70] = Number(70);
  EXPECT_THAT(queue.EnqueueBatch(payloads), SizeIs(100));
}

TEST_P(Enqueue, IdsOfACallerThatWaitsForEachIncrease) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(queue.Enqueue(Number(i), {.priority = i % 10}));
    ids.push_back(other.Enqueue(Number(i), {.delay = seconds(i % 3)}));
    for (const auto id : queue.EnqueueBatch(NumberedPayloads(70))) ids.push_back(id);
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

TEST_P(Enqueue, IdsAreNotGivenAgainAfterAPurge) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto purged = queue.EnqueueBatch(NumberedPayloads(3));
  EXPECT_EQ(store.PurgeQueue("jobs"), 3);
  EXPECT_GT(queue.Enqueue("next"), purged.back());
}

TEST_P(Enqueue, IdsAreNotGivenAgainByTheNextStore) {
  if (!IsShared()) GTEST_SKIP() << "the database goes with its store";
  std::int64_t purged = 0;
  {
    auto store = Open();
    purged = store.Queue("jobs").Enqueue("purged");
    store.PurgeQueue("jobs");
  }
  EXPECT_GT(Open().Queue("jobs").Enqueue("next"), purged);
}

TEST_P(Enqueue, IdsOfConcurrentProducersAreUnique) {
  auto store = Open();
  std::vector<PgqrsStore> stores = {store};
  if (IsShared()) stores.push_back(Open());
  std::mutex mutex;
  std::set<std::int64_t> ids;
  std::vector<std::thread> producers;
  constexpr int kEach = 40;
  producers.reserve(6);
  for (std::size_t p = 0; p < 6; ++p) {
    producers.emplace_back([&, queue = stores[p % stores.size()].Queue("jobs")]() mutable {
      for (int i = 0; i < kEach; ++i) {
        const auto id = queue.Enqueue(Number(i));
        const std::lock_guard lock(mutex);
        ids.insert(id);
      }
    });
  }
  for (auto& producer : producers) producer.join();
  EXPECT_THAT(ids, SizeIs(6 * kEach));
  EXPECT_THAT(store.Queue("jobs").DequeueBatch(1000), SizeIs(6 * kEach));
}

TEST_P(Enqueue, ADelayHoldsTheMessageBackToTheMicrosecond) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto visible_at = clock().Now() + seconds(5);
  queue.Enqueue("later", {.delay = seconds(5)});
  Advance(seconds(5) - microseconds(1));
  EXPECT_FALSE(queue.Dequeue());
  Advance(microseconds(1));
  const auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->visible_at(), visible_at);
  EXPECT_EQ(message->enqueued_at(), visible_at - seconds(5));
}

TEST_P(Enqueue, AVisibleTimeHoldsTheMessageBackToTheMicrosecond) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto visible_at = clock().Now() + seconds(5);
  queue.EnqueueBatch(NumberedPayloads(2), {.visible_at = visible_at});
  Advance(seconds(5) - microseconds(1));
  EXPECT_FALSE(queue.Dequeue());
  Advance(microseconds(1));
  EXPECT_THAT(Drain(queue), ElementsAre("0", "1"));
}

TEST_P(Enqueue, AVisibleTimeInThePastMeansAtOnceAndDoesNotOvertake) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue(Number(1));
  queue.Enqueue(Number(2), {.visible_at = clock().Now() - minutes(1)});
  queue.Enqueue(Number(3), {.visible_at = TimePoint::min()});
  queue.Enqueue(Number(4), {.delay = Duration::zero()});
  EXPECT_THAT(Drain(queue), ElementsAre("1", "2", "3", "4"));
}

TEST_P(Enqueue, TheFarthestTimesAreTakenAndLaterOnesRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("in ten years", {.delay = kMaxDuration});
  queue.Enqueue("in 9998",
                {.visible_at = TimePoint(std::chrono::sys_days(std::chrono::year(9998) / 1 / 1))});
  EXPECT_FALSE(queue.Dequeue());
  const auto refusal = [&](const EnqueueOptions& options) {
    return MessageOf<ValidationError>([&] { queue.Enqueue("never", options); });
  };
  EXPECT_THAT(refusal({.delay = kMaxDuration + microseconds(1)}), HasSubstr("delay"));
  EXPECT_THAT(refusal({.delay = Duration::max()}), HasSubstr("delay"));
  EXPECT_THAT(refusal({.delay = microseconds(-1)}), HasSubstr("delay"));
  EXPECT_THAT(refusal({.visible_at = TimePoint::max()}), HasSubstr("visible_at"));
  EXPECT_THAT(refusal({.delay = seconds(1), .visible_at = clock().Now()}),
              AllOf(HasSubstr("delay"), HasSubstr("visible_at")));
  EXPECT_THAT(AllMessages(store), SizeIs(2));
}

TEST_P(Enqueue, PrioritiesAreFromZeroToNineAndZeroComesFirst) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const int priority : {7, 9, 0, 5, 3}) {
    queue.Enqueue(Number(priority), {.priority = priority});
  }
  queue.Enqueue("the default is 5");
  EXPECT_THAT(Drain(queue), ElementsAre("0", "3", "5", "\"the default is 5\"", "7", "9"));
}

TEST_P(Enqueue, APriorityOutsideTheRangeIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const int priority : {-1, 10, INT_MIN, INT_MAX}) {
    const auto refusal = HasSubstr("priority: must be from 0 to 9, and is ");
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.Enqueue("never", {.priority = priority}); }),
                refusal);
    EXPECT_THAT(MessageOf<ValidationError>(
                    [&] { queue.EnqueueBatch(NumberedPayloads(2), {.priority = priority}); }),
                refusal);
  }
  EXPECT_THAT(AllMessages(store), IsEmpty());
}

TEST_P(Enqueue, EqualPrioritiesComeFirstInFirstOutWhateverBatchesTheyCameIn) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(queue.Enqueue("one"));
    for (const auto id : queue.EnqueueBatch(NumberedPayloads(i * 9))) ids.push_back(id);
    if (i % 3 == 0) Advance(microseconds(1));
  }
  std::vector<std::int64_t> delivered;
  for (int n = 1; delivered.size() < ids.size(); n = n % 17 + 3) {
    for (const auto id : IdsOf(queue.DequeueBatch(n))) delivered.push_back(id);
  }
  EXPECT_EQ(delivered, ids);
}

TEST_P(Enqueue, EqualPrioritiesComeInTheOrderOfTheirVisibleTimes) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue(Number(3), {.delay = seconds(3)});
  queue.Enqueue(Number(1), {.delay = seconds(1)});
  queue.Enqueue(Number(0), {.priority = 0});
  queue.Enqueue(Number(2), {.delay = seconds(2)});
  Advance(seconds(2));
  queue.Enqueue(Number(22));
  Advance(seconds(2));
  EXPECT_THAT(Drain(queue), ElementsAre("0", "1", "2", "22", "3"));
}

TEST_P(Enqueue, EnqueuesInFlightTogetherKeepTheOrderInWhichTheyWereMade) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<std::int64_t>> enqueues;
  enqueues.reserve(500);
  for (int i = 0; i < 500; ++i) enqueues.push_back(queue.EnqueueAsync(Number(i)));
  std::vector<std::int64_t> ids;
  ids.reserve(enqueues.size());
  for (auto& enqueue : enqueues) ids.push_back(enqueue.Get());
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(IdsOf(queue.DequeueBatch(1000)), ids);
}

}  // namespace
}  // namespace pgqrs::testing
