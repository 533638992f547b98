#include "engine/waiters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "unit/requests.h"

namespace pgqrs::testing {
namespace {

using engine::Waiters;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WaitersTest : public ::testing::Test {
 protected:
  using Time = std::chrono::steady_clock::time_point;

  void Park(int number, std::int64_t queue_id, std::shared_ptr<queue::Worker> worker = nullptr,
            Time wait_until = Time::max()) {
    auto request = NewDequeue(number);
    auto ref = std::make_shared<queue::QueueRef>();
    ref->id = queue_id;
    request->queue = std::move(ref);
    request->worker = std::move(worker);
    request->wait_until = wait_until;
    waiters_.Park(std::move(request));
  }

  Waiters waiters_;
};

TEST_F(WaitersTest, TakeQueueGivesThoseOfTheQueueInTheirOrder) {
  Park(1, 7);
  Park(2, 8);
  Park(3, 7);
  EXPECT_THAT(NumbersOf(waiters_.TakeQueue(7)), ElementsAre(1, 3));
  EXPECT_THAT(waiters_.TakeQueue(7), IsEmpty());
  EXPECT_EQ(waiters_.size(), 1U);
}

TEST_F(WaitersTest, TakeExpiredGivesThoseThatWaitNoLonger) {
  const auto now = Time() + std::chrono::hours(1);
  Park(1, 7, nullptr, now + std::chrono::seconds(2));
  Park(2, 7, nullptr, now);
  Park(3, 7);
  EXPECT_EQ(waiters_.FirstDeadline(), now);
  EXPECT_THAT(NumbersOf(waiters_.TakeExpired(now)), ElementsAre(2));
  EXPECT_EQ(waiters_.FirstDeadline(), now + std::chrono::seconds(2));
  EXPECT_THAT(NumbersOf(waiters_.TakeExpired(now + std::chrono::hours(1))), ElementsAre(1));
  EXPECT_EQ(waiters_.FirstDeadline(), std::nullopt) << "the last one waits for ever";
}

TEST_F(WaitersTest, TakeWorkerGivesThoseOfTheWorker) {
  const auto worker = std::make_shared<queue::Worker>();
  Park(1, 7, worker);
  Park(2, 7, std::make_shared<queue::Worker>());
  Park(3, 8, worker);
  EXPECT_THAT(NumbersOf(waiters_.TakeWorker(worker.get())), ElementsAre(1, 3));
  EXPECT_EQ(waiters_.size(), 1U);
}

TEST_F(WaitersTest, AChangeIsMissedByWhatHasLookedBefore) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(waiters_.HasChangedSince(7, before));
  waiters_.NoteChange(7);
  EXPECT_TRUE(waiters_.HasChangedSince(7, before));
  EXPECT_FALSE(waiters_.HasChangedSince(8, before));
  EXPECT_FALSE(waiters_.HasChangedSince(7, Time::max()));
  waiters_.NoteChange();
  EXPECT_TRUE(waiters_.HasChangedSince(8, before));
  EXPECT_FALSE(waiters_.HasChangedSince(8, Time::max()));
}

TEST_F(WaitersTest, TakeAllGivesEverything) {
  Park(1, 7);
  Park(2, 8);
  EXPECT_THAT(NumbersOf(waiters_.TakeAll()), ElementsAre(1, 2));
  EXPECT_EQ(waiters_.size(), 0U);
}

}  // namespace
}  // namespace pgqrs::testing
