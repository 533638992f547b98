#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

// The rates are so low that nothing is added while a test runs.
class RateLimits : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(RateLimits);

TEST_P(RateLimits, ABurstPassesAndWhatComesAfterItIsRefused) {
  config().max_enqueue_per_second = 0.0001;
  config().max_enqueue_burst = 5;
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (int i = 0; i < 5; ++i) queue.Enqueue("x");
  EXPECT_THAT(MessageOf<RateLimitedError>([&] { queue.Enqueue("x"); }),
              HasSubstr("max_enqueue_per_second"));
  EXPECT_EQ(queue.Metrics().waiting, 5) << "what is refused is not stored";
  EXPECT_TRUE(queue.Dequeue()) << "only enqueues are limited";
}

TEST_P(RateLimits, TheLimitIsOverAllQueuesOfTheStore) {
  config().max_enqueue_per_second = 0.0001;
  config().max_enqueue_burst = 2;
  auto store = Open();
  auto jobs = store.Queue("jobs");
  auto mails = store.Queue("mails");
  jobs.Enqueue("x");
  mails.Enqueue("x");
  EXPECT_THROW(jobs.Enqueue("x"), RateLimitedError);
  EXPECT_THROW(mails.EnqueueAsync("x"), RateLimitedError);
}

TEST_P(RateLimits, ABatchCountsEachOfItsMessagesAndPassesWholeOrNotAtAll) {
  config().max_enqueue_per_second = 0.0001;
  config().max_enqueue_burst = 10;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> six(6, "x");
  EXPECT_EQ(queue.EnqueueBatch(six).size(), 6U);
  EXPECT_THROW(queue.EnqueueBatch(six), RateLimitedError);
  const std::vector<Json> four(4, "x");
  EXPECT_EQ(queue.EnqueueBatch(four).size(), 4U);
}

TEST_P(RateLimits, ABatchLargerThanTheBurstPassesOnceAndLeavesADebt) {
  config().max_enqueue_per_second = 0.0001;
  config().max_enqueue_burst = 3;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> many(50, "x");
  EXPECT_EQ(queue.EnqueueBatch(many).size(), 50U);
  EXPECT_THROW(queue.Enqueue("x"), RateLimitedError);
  EXPECT_EQ(queue.EnqueueBatch({}).size(), 0U) << "nothing costs nothing";
}

TEST_P(RateLimits, ARefusedPayloadCostsNothing) {
  config().max_enqueue_per_second = 0.0001;
  config().max_enqueue_burst = 1;
  config().max_payload_size = 10;
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THROW(queue.Enqueue("much longer than that"), ValidationError);
  EXPECT_THROW(queue.Enqueue("x", {.priority = 10}), ValidationError);
  EXPECT_GT(queue.Enqueue("x"), 0);
}

TEST_P(RateLimits, TheBucketFillsWithTime) {
  config().max_enqueue_per_second = 1000;
  config().max_enqueue_burst = 1;
  auto store = Open();
  auto queue = store.Queue("jobs");
  int passed = 0;
  while (passed < 3) {
    try {
      queue.Enqueue("x");
      ++passed;
    } catch (const RateLimitedError&) {
      continue;
    }
  }
  EXPECT_EQ(queue.Metrics().waiting, 3);
}

TEST_P(RateLimits, WithoutARateABurstLimitsNothing) {
  config().max_enqueue_burst = 1;
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (int i = 0; i < 5; ++i) EXPECT_GT(queue.Enqueue("x"), 0);
}

}  // namespace
}  // namespace pgqrs::testing
