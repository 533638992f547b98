#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::DoubleNear;

class Metrics : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Metrics);

std::int64_t SumOf(const QueueMetrics& metrics) {
  return metrics.waiting + metrics.delayed + metrics.leased + metrics.archived + metrics.dead;
}

std::vector<std::int64_t> StatesOf(const QueueMetrics& metrics) {
  return {metrics.waiting, metrics.delayed, metrics.leased, metrics.archived, metrics.dead};
}

TEST_P(Metrics, EachStateIsCountedAndTheyAddUp) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(0, 0, 0, 0, 0));
  queue.EnqueueBatch(Payloads(70));
  queue.EnqueueBatch(Payloads(5), {.delay = seconds(60)});
  auto taken = queue.DequeueBatch(20);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(taken[static_cast<std::size_t>(i)].Ack());
  for (int i = 4; i < 7; ++i) ASSERT_TRUE(taken[static_cast<std::size_t>(i)].DeadLetter("no"));
  ASSERT_TRUE(taken[7].Delete());
  ASSERT_TRUE(taken[8].Release(seconds(10)));
  // 75 enqueued, one deleted; one of the leased is delayed now.
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(50, 6, 11, 4, 3));
  EXPECT_EQ(SumOf(queue.Metrics()), 74);
  EXPECT_EQ(store.PurgeQueue("jobs"), 56);
  EXPECT_EQ(queue.PurgeDeadLetters(), 3);
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(0, 0, 11, 4, 0));
}

TEST_P(Metrics, ALeaseThatRanOutCountsAsWaiting) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(Payloads(3));
  ASSERT_EQ(queue.DequeueBatch(2, seconds(10)).size(), 2U);
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(1, 0, 2, 0, 0));
  Advance(seconds(10));
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(3, 0, 0, 0, 0));
}

TEST_P(Metrics, AnArrivedDelayCountsAsWaiting) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x", {.delay = seconds(10)});
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(0, 1, 0, 0, 0));
  Advance(seconds(10));
  EXPECT_THAT(StatesOf(queue.Metrics()), ElementsAre(1, 0, 0, 0, 0));
}

TEST_P(Metrics, AgesAreThoseOfTheOldestWaitingAndTheNewestMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto metrics = queue.Metrics();
  EXPECT_EQ(metrics.queue_name, "jobs");
  EXPECT_EQ(metrics.oldest_waiting, std::nullopt);
  EXPECT_EQ(metrics.newest_message, std::nullopt);
  EXPECT_EQ(metrics.oldest_age, Duration::zero());

  queue.Enqueue("first");
  Advance(seconds(5));
  const auto second_at = clock().Now();
  queue.Enqueue("second");
  Advance(seconds(5));
  const auto third_at = clock().Now();
  queue.Enqueue("third");
  ASSERT_TRUE(queue.Dequeue()->Ack());
  Advance(seconds(1));
  metrics = queue.Metrics();
  EXPECT_EQ(metrics.oldest_waiting, second_at);
  EXPECT_EQ(metrics.oldest_age, seconds(6));
  EXPECT_EQ(metrics.newest_message, third_at);

  for (auto& message : queue.DequeueBatch(2)) ASSERT_TRUE(message.Ack());
  metrics = queue.Metrics();
  EXPECT_EQ(metrics.oldest_waiting, std::nullopt);
  EXPECT_EQ(metrics.newest_message, third_at) << "the archive counts";
}

TEST_P(Metrics, RatesAreThoseOfTheLastMinute) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  queue.EnqueueBatch(Payloads(1000));
  Advance(seconds(61));
  queue.EnqueueBatch(Payloads(120));
  other.EnqueueBatch(Payloads(50));
  auto taken = queue.DequeueBatch(60);
  for (std::size_t i = 0; i < 30; ++i) ASSERT_TRUE(taken[i].Ack());
  ASSERT_TRUE(taken[30].DeadLetter("not finished"));
  const auto metrics = queue.Metrics();
  EXPECT_THAT(metrics.enqueued_per_second, DoubleNear(2.0, 0.001));
  EXPECT_THAT(metrics.finished_per_second, DoubleNear(0.5, 0.001));
  Advance(seconds(61));
  EXPECT_EQ(queue.Metrics().enqueued_per_second, 0);
}

TEST_P(Metrics, TheMetricsOfAllQueuesComeByName) {
  auto store = Open();
  EXPECT_THAT(store.Admin().Metrics(), IsEmpty());
  store.Queue("b").Enqueue("x");
  store.Queue("a").EnqueueBatch(Payloads(2));
  const auto all = store.Admin().Metrics();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].queue_name, "a");
  EXPECT_EQ(all[0].waiting, 2);
  EXPECT_EQ(all[1].queue_name, "b");
  EXPECT_EQ(all[1].waiting, 1);
}

// A message that changes its state just then must be counted once, and be found.
TEST_P(Metrics, TheStatesAddUpAlsoWhileMessagesChangeThem) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    for (int i = 0; i < 60; ++i) {
      queue.Dequeue()->DeadLetter("back and forth");
      queue.ReplayDeadLetter(id);
    }
    stop = true;
  });
  while (!stop) {
    EXPECT_EQ(SumOf(queue.Metrics()), 1);
    EXPECT_TRUE(store.FindMessage(id));
    EXPECT_EQ(store.Admin().Messages().size(), 1U);
  }
  mover.join();
}

TEST_P(Metrics, TheEngineCountsItsRequests) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto before = store.EngineMetrics();
  for (int i = 0; i < 10; ++i) queue.Enqueue("x");
  store.DeleteQueue("jobs", true);
  EXPECT_THROW(queue.Enqueue("x"), QueueNotFoundError);
  const auto after = store.EngineMetrics();
  EXPECT_GE(after.requests, before.requests + 12);
  EXPECT_EQ(after.failed_requests, before.failed_requests + 1);
  EXPECT_GE(after.groups, before.groups + 10);
  EXPECT_EQ(after.pending_requests, 0U);
  EXPECT_EQ(after.waiting_consumers, 0U);
  EXPECT_EQ(after.group_size.count, after.groups);
  EXPECT_EQ(after.request_latency.count, after.requests);
}

TEST_P(Metrics, AConsumerThatWaitsIsCounted) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto waiting = queue.DequeueWaitAsync(std::chrono::minutes(5));
  while (store.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  queue.Enqueue("x");
  EXPECT_TRUE(waiting.Get());
  EXPECT_EQ(store.EngineMetrics().waiting_consumers, 0U);
}

TEST(HistogramTest, APercentileIsTheUpperEndOfItsBucket) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), 0U);
  histogram.buckets[0] = 50;  // 0 and 1.
  histogram.buckets[4] = 49;  // 16 to 31.
  histogram.buckets[10] = 1;  // 1024 to 2047.
  histogram.count = 100;
  EXPECT_EQ(histogram.Percentile(0), 2U);
  EXPECT_EQ(histogram.Percentile(0.5), 2U);
  EXPECT_EQ(histogram.Percentile(0.51), 32U);
  EXPECT_EQ(histogram.Percentile(0.99), 32U);
  EXPECT_EQ(histogram.Percentile(1), 2048U);
}

}  // namespace
}  // namespace pgqrs::testing
