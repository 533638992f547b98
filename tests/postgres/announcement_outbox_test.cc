#include "driver/postgres/announcement_outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace pgqrs::testing {
namespace {

using driver::AnnouncementOutbox;
using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr auto kRest = AnnouncementOutbox::kRest;
constexpr auto kLongRest = AnnouncementOutbox::kLongRest;

class Outbox : public ::testing::Test {
 protected:
  using Taken = std::vector<std::pair<std::int64_t, std::int64_t>>;

  // Of a message that becomes visible `ahead` from now on.
  void Add(std::int64_t queue_id, Duration ahead) {
    outbox_.Add({.queue_id = queue_id, .visible_at = At(ahead)}, ahead, now_);
  }
  std::int64_t At(Duration ahead) const {
    return std::chrono::duration_cast<Duration>(now_.time_since_epoch() + ahead).count();
  }
  Taken Take(std::size_t limit = 100) { return AsPairs(outbox_.Take(now_, limit)); }
  static Taken AsPairs(const std::vector<driver::Announcement>& announcements) {
    Taken taken;
    for (const auto& one : announcements) taken.emplace_back(one.queue_id, one.visible_at);
    return taken;
  }
  void Pass(Duration time) { now_ += time; }

  AnnouncementOutbox outbox_;
  AnnouncementOutbox::Time now_{hours(1000)};
};

TEST_F(Outbox, SendsTheFirstOfEachQueueAtOnce) {
  Add(1, Duration::zero());
  Add(2, hours(1));
  EXPECT_THAT(Take(), ElementsAre(Pair(1, At(Duration::zero())), Pair(2, At(hours(1)))));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_FALSE(outbox_.NextDue());
}

TEST_F(Outbox, TakesWhatComesSoonAfterTogetherByItsEarliestTime) {
  Add(1, Duration::zero());
  Take();
  const auto sent_at = now_;
  Pass(milliseconds(1));
  const auto earliest = At(-milliseconds(1));
  Add(1, Duration::zero());
  Add(1, -milliseconds(1));
  Add(1, milliseconds(1));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(outbox_.NextDue(), sent_at + kRest);
  Pass(kRest);
  EXPECT_THAT(Take(), ElementsAre(Pair(1, earliest)));
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(Outbox, AnEarlierTimeThanTheOneAnnouncedIsNotPutOffForLong) {
  Add(1, hours(2));
  Take();
  Add(1, hours(1));
  EXPECT_EQ(outbox_.NextDue(), now_ + kRest);
}

TEST_F(Outbox, ALaterTimeThanTheOneAnnouncedIsPutOffButNotLost) {
  Add(1, hours(1));
  Take();
  const auto sent_at = now_;
  Pass(kRest);
  const auto later = At(hours(2));
  Add(1, hours(2));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(outbox_.NextDue(), sent_at + kLongRest);
  Pass(kLongRest);
  EXPECT_THAT(Take(), ElementsAre(Pair(1, later)));
}

TEST_F(Outbox, ALaterTimeIsNeverPutOffBeyondTheOneAnnounced) {
  for (const auto ahead : {Duration::zero(), Duration(milliseconds(7)), Duration(kLongRest),
                           Duration(kLongRest + milliseconds(20)), Duration(hours(1))}) {
    outbox_ = {};
    Add(1, ahead);
    Take();
    const auto announced = now_ + ahead;
    Add(1, ahead + milliseconds(1));
    EXPECT_LE(*outbox_.NextDue(), std::max(announced, now_ + kRest)) << ahead.count();
  }
}

TEST_F(Outbox, KeepsWhatIsMoreThanTheLimit) {
  for (int i = 1; i <= 5; ++i) Add(i, Duration::zero());
  EXPECT_EQ(Take(3).size(), 3U);
  EXPECT_EQ(Take(3).size(), 2U);
}

TEST_F(Outbox, GivesWhatIsNotDueToOneThatEnds) {
  Add(1, Duration::zero());
  Take();
  Add(1, Duration::zero());
  EXPECT_EQ(outbox_.TakeAny(now_, 100).size(), 1U);
  EXPECT_FALSE(outbox_.NextDue());
}

TEST_F(Outbox, ForgetsWhatWasSentLongAgo) {
  Add(1, hours(1));
  Take();
  Pass(2 * kLongRest);
  Take();
  Add(1, hours(2));
  EXPECT_EQ(Take().size(), 1U);
}

}  // namespace
}  // namespace pgqrs::testing
