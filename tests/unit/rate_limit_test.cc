#include "api/rate_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pgqrs/error.h>

#include <optional>

#include "support/throws.h"

namespace pgqrs::testing {
namespace {

using internal::RateLimit;
using ::testing::HasSubstr;

// So slow that the bucket does not refill during a test.
constexpr double kSlow = 1e-6;

TEST(RateLimit, WithoutALimitEverythingPasses) {
  RateLimit limit(std::nullopt, std::nullopt);
  for (int i = 0; i < 1000; ++i) EXPECT_NO_THROW(limit.Take(100'000));
}

TEST(RateLimit, ABurstPassesAndTheNextIsRefused) {
  RateLimit limit(kSlow, 3);
  for (int i = 0; i < 3; ++i) EXPECT_NO_THROW(limit.Take(1));
  EXPECT_THAT(MessageOf<RateLimitedError>([&] { limit.Take(1); }),
              HasSubstr("max_enqueue_per_second"));
}

TEST(RateLimit, ARefusedBatchTakesNothing) {
  RateLimit limit(kSlow, 3);
  limit.Take(1);
  EXPECT_THROW(limit.Take(3), RateLimitedError);
  EXPECT_NO_THROW(limit.Take(2));
}

TEST(RateLimit, ABatchLargerThanTheBucketPassesOnceTheBucketIsFull) {
  RateLimit limit(kSlow, 3);
  EXPECT_NO_THROW(limit.Take(10));
  EXPECT_THROW(limit.Take(1), RateLimitedError);
}

TEST(RateLimit, NothingAlwaysPasses) {
  RateLimit limit(kSlow, 3);
  limit.Take(10);
  EXPECT_NO_THROW(limit.Take(0));
}

TEST(RateLimit, TheBurstIsOneSecondsWorthWhereNoneIsGivenAndAtLeastOne) {
  RateLimit slow(kSlow, std::nullopt);
  EXPECT_NO_THROW(slow.Take(1));
  EXPECT_THROW(slow.Take(1), RateLimitedError);

  RateLimit fast(1e15, std::nullopt);
  EXPECT_NO_THROW(fast.Take(1'000'000));
}

TEST(RateLimit, TheBucketRefillsWithTime) {
  RateLimit limit(1e12, 1);  // A token each picosecond.
  int passed = 0;
  while (passed < 100) {
    try {
      limit.Take(1);
      ++passed;
    } catch (const RateLimitedError&) {  // The clock has not moved on yet.
      continue;
    }
  }
  EXPECT_EQ(passed, 100);
}

}  // namespace
}  // namespace pgqrs::testing
