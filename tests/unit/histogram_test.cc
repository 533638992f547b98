#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "engine/stats.h"

namespace pgqrs::testing {
namespace {

using engine::Stats;

TEST(Histogram, BucketsDouble) {
  Histogram histogram;
  for (const std::uint64_t value : {0, 1, 2, 3, 4, 7, 8}) Stats::Add(histogram, value);
  EXPECT_EQ(histogram.buckets[0], 2U);
  EXPECT_EQ(histogram.buckets[1], 2U);
  EXPECT_EQ(histogram.buckets[2], 2U);
  EXPECT_EQ(histogram.buckets[3], 1U);
  EXPECT_EQ(histogram.count, 7U);
  EXPECT_EQ(histogram.sum, 25U);
}

TEST(Histogram, TheLastBucketTakesWhateverIsLarger) {
  Histogram histogram;
  Stats::Add(histogram, std::uint64_t{1} << 39);
  Stats::Add(histogram, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(histogram.buckets.back(), 2U);
  EXPECT_EQ(histogram.Percentile(1), std::uint64_t{1} << 40);
}

TEST(Percentile, IsZeroWithoutValues) { EXPECT_EQ(Histogram().Percentile(0.5), 0U); }

TEST(Percentile, IsTheUpperEndOfTheBucketWhereTheFractionIsReached) {
  Histogram histogram;
  for (int i = 0; i < 90; ++i) Stats::Add(histogram, 3);
  for (int i = 0; i < 9; ++i) Stats::Add(histogram, 100);
  Stats::Add(histogram, 5000);
  EXPECT_EQ(histogram.Percentile(0.5), 4U);
  EXPECT_EQ(histogram.Percentile(0.9), 4U);
  EXPECT_EQ(histogram.Percentile(0.91), 128U);
  EXPECT_EQ(histogram.Percentile(0.99), 128U);
  EXPECT_EQ(histogram.Percentile(1), 8192U);
}

TEST(Percentile, FractionsOutsideOf0To1AreTheNearestOfThem) {
  Histogram histogram;
  Stats::Add(histogram, 16);
  Stats::Add(histogram, 1000);
  EXPECT_EQ(histogram.Percentile(0), 32U);
  EXPECT_EQ(histogram.Percentile(-1), 32U);
  EXPECT_EQ(histogram.Percentile(2), 1024U);
}

TEST(Stats, SnapshotsStandApartFromWhatComesLater) {
  Stats stats;
  stats.Update([](EngineMetrics& metrics) { metrics.groups = 1; });
  const auto before = stats.Snapshot();
  stats.Update([](EngineMetrics& metrics) { ++metrics.groups; });
  EXPECT_EQ(before.groups, 1U);
  EXPECT_EQ(stats.Snapshot().groups, 2U);
}

}  // namespace
}  // namespace pgqrs::testing
