#include "queue/scan_hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace pgqrs::queue {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;

constexpr std::int64_t kQueue = 7;
constexpr int kPriority = 5;
constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

class ScanHintsTest : public ::testing::Test {
 protected:
  // The first scan of a queue is full; those that follow at the same time are not.
  ScanHintsTest() { EXPECT_TRUE(Begin().is_full); }

  ScanHints::Scan Begin() { return hints_.Begin(kQueue, now_); }
  std::int64_t Hint(int priority = kPriority) {
    return Begin().first_visible[static_cast<std::size_t>(priority)];
  }
  void Take(const ScanHints::Scan& scan, std::int64_t first, std::int64_t end,
            int priority = kPriority) {
    for (auto visible_at = first; visible_at < end; ++visible_at) {
      hints_.Took(kQueue, scan, priority, visible_at, 1);
    }
  }
  // One scan that takes slices of visible times from `first` to before `end`.
  void Take(std::int64_t first, std::int64_t end, int priority = kPriority) {
    Take(Begin(), first, end, priority);
  }

  ScanHints hints_;
  ScanHints::SteadyTime now_{hours(1)};
};

TEST_F(ScanHintsTest, AScanBeginsSomeHundredSlicesBack) {
  Take(0, 255);
  EXPECT_EQ(Hint(), kBeginning);
  Take(255, 256);
  EXPECT_EQ(Hint(), 0);
  Take(256, 1000);
  EXPECT_EQ(Hint(), 1000 - 256);
}

TEST_F(ScanHintsTest, EachPriorityHasItsOwn) {
  Take(0, 1000, 3);
  EXPECT_EQ(Hint(3), 744);
  EXPECT_EQ(Hint(4), kBeginning);
}

TEST_F(ScanHintsTest, NowAndThenAScanIsFull) {
  Take(0, 1000);
  EXPECT_FALSE(Begin().is_full);
  now_ += seconds(1);
  const auto full = Begin();
  EXPECT_TRUE(full.is_full);
  EXPECT_THAT(full.first_visible, Each(kBeginning));
  EXPECT_FALSE(Begin().is_full);
  EXPECT_EQ(Hint(), 744);
}

TEST_F(ScanHintsTest, FullScansTakeNoMoreThanTheirShareOfTheTime) {
  now_ += seconds(1);
  const auto scan = Begin();
  const auto end = now_ + milliseconds(100);
  hints_.Ended(kQueue, scan, false, now_, end);
  now_ = end + milliseconds(4999);
  EXPECT_FALSE(Begin().is_full);
  now_ += milliseconds(1);
  EXPECT_TRUE(Begin().is_full);
}

TEST_F(ScanHintsTest, WordOfSomethingEarlierTakesTheHintBack) {
  Take(0, 1000);
  hints_.Heard(kQueue, 500);
  EXPECT_EQ(Hint(), 500);
}

TEST_F(ScanHintsTest, WordOfSomethingLaterLeavesIt) {
  Take(0, 1000);
  hints_.Heard(kQueue, 744);
  EXPECT_EQ(Hint(), 744);
  hints_.Heard(kQueue, 5000);
  EXPECT_EQ(Hint(), 744);
}

TEST_F(ScanHintsTest, WordOfAnotherQueueLeavesIt) {
  Take(0, 1000);
  hints_.Heard(kQueue + 1, 5);
  EXPECT_EQ(Hint(), 744);
}

TEST_F(ScanHintsTest, AScanThatWentPastWhatWasHeardHasFoundIt) {
  Take(0, 1000);
  hints_.Heard(kQueue, 500);
  Take(500, 501);
  EXPECT_EQ(Hint(), 500) << "there may be more of the same time";
  Take(501, 502);
  EXPECT_EQ(Hint(), 746);
}

TEST_F(ScanHintsTest, AScanThatSawEverythingHasFoundWhatWasHeard) {
  Take(0, 1000);
  hints_.Heard(kQueue, 500);
  const auto scan = Begin();
  hints_.Ended(kQueue, scan, false, now_, now_);
  EXPECT_EQ(Hint(), 500);
  hints_.Ended(kQueue, scan, true, now_, now_);
  EXPECT_EQ(Hint(), 744);
}

TEST_F(ScanHintsTest, APriorityThatNoScanReachedStaysWithWhatWasHeard) {
  Take(0, 1000, 3);
  Take(0, 1000, 7);
  hints_.Heard(kQueue, 500);
  Take(1000, 1001, 3);
  EXPECT_EQ(Hint(3), 745);
  EXPECT_EQ(Hint(7), 500);
}

TEST_F(ScanHintsTest, AScanThatBeganBeforeTheWordMayHaveMissedIt) {
  Take(0, 1000);
  const auto before = Begin();
  hints_.Heard(kQueue, 900);
  Take(before, 1000, 2000);
  hints_.Ended(kQueue, before, true, now_, now_);
  EXPECT_EQ(Hint(), 900);
  Take(2000, 2001);
  EXPECT_EQ(Hint(), 1745);
}

TEST_F(ScanHintsTest, OfAllThatWasHeardTheEarliestCounts) {
  Take(0, 1000);
  hints_.Heard(kQueue, 600);
  hints_.Heard(kQueue, 500);
  const auto scan = Begin();
  hints_.Heard(kQueue, 650);
  EXPECT_EQ(Hint(), 500);
  Take(scan, 1000, 1001);
  EXPECT_EQ(Hint(), 650);
}

TEST_F(ScanHintsTest, AQueueWithNewsAllTheTimeMovesOn) {
  for (std::int64_t time = 0; time < 10'000; time += 10) {
    const auto slow = Begin();
    for (int i = 0; i < 10; ++i) hints_.Heard(kQueue, time + i);
    Take(slow, time, time + 10);
    Take(time, time + 10);
  }
  EXPECT_GT(Hint(), 10'000 - 512);
}

}  // namespace
}  // namespace pgqrs::queue
