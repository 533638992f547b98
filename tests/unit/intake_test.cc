#include "engine/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "unit/requests.h"

namespace pgqrs::testing {
namespace {

using engine::Intake;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kMany = 1'000'000'000;

bool Push(Intake& intake, engine::RequestPtr request) {
  auto requests = Several(std::move(request));
  return intake.Push(requests);
}

std::vector<int> PopNumbers(Intake& intake) { return NumbersOf(intake.Next().group); }

TEST(Intake, AGroupIsEverythingThatWaitsInItsOrder) {
  Intake intake(kMany, kMany);
  Push(intake, NewEnqueue(1));
  Push(intake, NewDequeue(2));
  auto two = Several(NewEnqueue(3), NewEnqueue(4));
  intake.Push(two);
  EXPECT_EQ(intake.size(), 4U);
  EXPECT_THAT(PopNumbers(intake), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(intake.size(), 0U);
}

TEST(Intake, AJobIsAGroupOfItsOwnAndKeepsItsPlace) {
  Intake intake(kMany, kMany);
  Push(intake, NewEnqueue(1));
  Push(intake, NewJob(2));
  Push(intake, NewJob(3));
  Push(intake, NewEnqueue(4));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(1));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(2));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(3));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(4));
}

TEST(Intake, AGroupIsBoundedInMessages) {
  Intake intake(kMany, kMany);
  Push(intake, NewDequeue(1, 8000));
  Push(intake, NewDequeue(2, 192));
  Push(intake, NewDequeue(3, 1));
  Push(intake, NewDequeue(4, 100'000));  // Larger than any group: goes alone.
  Push(intake, NewDequeue(5, 1));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(1, 2));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(3));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(4));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(5));
}

TEST(Intake, AGroupIsBoundedInBytes) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  Intake intake(kMany, kMany);
  Push(intake, NewEnqueue(1, 3 * kMiB));
  Push(intake, NewEnqueue(2, kMiB));
  Push(intake, NewEnqueue(3, 9 * kMiB));
  Push(intake, NewEnqueue(4, 1));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(1, 2));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(3));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(4));
}

TEST(Intake, PopGroupWaitsForARequest) {
  Intake intake(kMany, kMany);
  std::vector<int> popped;
  std::thread lane([&] { popped = PopNumbers(intake); });
  Push(intake, NewEnqueue(1));
  lane.join();
  EXPECT_THAT(popped, ElementsAre(1));
}

// Fills the intake, pushes one more on another thread, and empties the intake again.
void ExpectTheNextCallerWaits(Intake& intake, int waiting) {
  std::atomic<bool> is_in = false;
  std::thread caller([&] {
    EXPECT_TRUE(Push(intake, NewEnqueue(99)));
    is_in = true;
  });
  // It cannot be in before something was taken out, however long this lasts.
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  EXPECT_FALSE(is_in);
  EXPECT_EQ(intake.size(), static_cast<std::size_t>(waiting));
  EXPECT_EQ(intake.Next().group.size(), static_cast<std::size_t>(waiting));
  EXPECT_THAT(PopNumbers(intake), ElementsAre(99));
  caller.join();
}

TEST(Intake, CallersWaitWhileTooManyRequestsWait) {
  Intake intake(2, kMany);
  Push(intake, NewEnqueue(1));
  Push(intake, NewEnqueue(2));
  ExpectTheNextCallerWaits(intake, 2);
}

TEST(Intake, CallersWaitWhileTooManyBytesWait) {
  Intake intake(kMany, 100);
  Push(intake, NewEnqueue(1, 1000));  // Enters, since there is room when it comes.
  ExpectTheNextCallerWaits(intake, 1);
}

TEST(Intake, TheEnginesOwnThreadsNeverWait) {
  Intake intake(1, kMany);
  Push(intake, NewEnqueue(1));
  auto more = Several(NewEnqueue(2));
  EXPECT_TRUE(intake.PushNow(more));
  EXPECT_EQ(intake.size(), 2U);
}

TEST(Intake, OnceClosedItGivesWhatItHasAndTakesNothing) {
  Intake intake(kMany, kMany);
  Push(intake, NewEnqueue(1));
  intake.Close();
  auto late = Several(NewEnqueue(2));
  EXPECT_FALSE(intake.Push(late));
  EXPECT_FALSE(intake.PushNow(late));
  EXPECT_THAT(NumbersOf(late), ElementsAre(2)) << "the caller keeps what was refused";
  EXPECT_THAT(PopNumbers(intake), ElementsAre(1));
  const auto end = intake.Next();
  EXPECT_TRUE(end.closed);
  EXPECT_THAT(end.group, IsEmpty());
}

TEST(Intake, CloseWakesTheLaneAndCallersThatWait) {
  Intake empty(kMany, kMany);
  std::thread lane([&] { EXPECT_TRUE(empty.Next().closed); });
  empty.Close();
  lane.join();

  Intake full(1, kMany);
  Push(full, NewEnqueue(1));
  std::thread caller([&] { EXPECT_FALSE(Push(full, NewEnqueue(2))); });
  full.Close();
  caller.join();
  EXPECT_EQ(full.size(), 1U);
}

TEST(Intake, APokeWakesTheLaneWithoutAGroup) {
  Intake intake(kMany, kMany);
  std::thread lane([&] {
    const auto work = intake.Next();
    EXPECT_TRUE(work.poked);
    EXPECT_FALSE(work.closed);
    EXPECT_THAT(work.group, IsEmpty());
  });
  intake.Poke();
  lane.join();
}

// A lane whose thread takes the numbers of everything that comes, until the end.
class LaneThread {
 public:
  explicit LaneThread(Intake& intake) : intake_(intake) {}
  LaneThread(const LaneThread&) = delete;
  LaneThread& operator=(const LaneThread&) = delete;
  ~LaneThread() { thread_.join(); }

  // Borrows the lane once its thread has come to rest.
  void Borrow() {
    while (!intake_.Borrow()) std::this_thread::yield();
    is_lent_ = true;
  }
  void GiveBack() {
    is_lent_ = false;
    intake_.GiveBack();
  }

  const std::vector<int>& Close() {
    intake_.Close();
    while (!done_) std::this_thread::yield();
    return taken_;
  }

 private:
  void Run() {
    for (auto work = intake_.Next(); !work.closed; work = intake_.Next()) {
      EXPECT_FALSE(is_lent_);
      for (const int number : NumbersOf(work.group)) taken_.push_back(number);
    }
    EXPECT_FALSE(is_lent_);
    done_ = true;
  }

  Intake& intake_;
  std::atomic<bool> is_lent_{false};
  std::vector<int> taken_;
  std::atomic<bool> done_{false};
  std::thread thread_{[this] { Run(); }};
};

TEST(Intake, TheLaneIsLentOnlyWhileItIsIdle) {
  Intake intake(kMany, kMany);
  EXPECT_FALSE(intake.Borrow()) << "no thread of the lane is at rest";
  LaneThread lane(intake);
  lane.Borrow();
  EXPECT_FALSE(intake.Borrow()) << "it is lent already";
  EXPECT_TRUE(Push(intake, NewEnqueue(1)));
  intake.Poke();
  lane.GiveBack();
  EXPECT_THAT(lane.Close(), ElementsAre(1));
  EXPECT_FALSE(intake.Borrow()) << "it is closed";
}

TEST(Intake, ClosingWaitsForTheReturnOfALaneThatIsLent) {
  Intake intake(kMany, kMany);
  LaneThread lane(intake);
  lane.Borrow();
  EXPECT_TRUE(Push(intake, NewEnqueue(1)));
  std::thread closer([&] { EXPECT_THAT(lane.Close(), ElementsAre(1)); });
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  lane.GiveBack();
  closer.join();
}

// A request of a queue that other lanes may serve too.
engine::RequestPtr NewDequeueFrom(const std::shared_ptr<queue::QueueRef>& queue, int number,
                                  int count = 1) {
  auto request = NewDequeue(number, count);
  request->queue = queue;
  request->worker = std::make_shared<queue::Worker>();
  request->worker->id = 1;
  return request;
}

class SeveralLanes : public ::testing::Test {
 protected:
  // Lets the first lane have a group, with which it is busy until it asks for the next.
  void MakeFirstLaneBusy() {
    Push(intake_, NewDequeueFrom(queue_, 1));
    EXPECT_THAT(NumbersOf(intake_.Next(0).group), ElementsAre(1));
  }

  Intake intake_{kMany, kMany, 2};
  std::shared_ptr<queue::QueueRef> queue_ = std::make_shared<queue::QueueRef>();
};

TEST_F(SeveralLanes, OneThatIsBusyTakesAllThatHasComeMeanwhile) {
  MakeFirstLaneBusy();
  Push(intake_, NewDequeueFrom(queue_, 2));
  Push(intake_, NewDequeueFrom(queue_, 3));
  EXPECT_THAT(NumbersOf(intake_.Next(0).group), ElementsAre(2, 3));
}

TEST_F(SeveralLanes, AnotherOneDoesNotWaitForeverForIt) {
  MakeFirstLaneBusy();
  Push(intake_, NewDequeueFrom(queue_, 2));
  EXPECT_THAT(NumbersOf(intake_.Next(1).group), ElementsAre(2));
}

TEST_F(SeveralLanes, AnotherOneThatHadNothingToDoComesForWhatHasWaitedTooLong) {
  MakeFirstLaneBusy();
  std::thread other([&] { EXPECT_THAT(NumbersOf(intake_.Next(1).group), ElementsAre(2)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Push(intake_, NewDequeueFrom(queue_, 2));
  other.join();
}

TEST_F(SeveralLanes, AnotherOneTakesAtOnceWhatIsWorthATransaction) {
  MakeFirstLaneBusy();
  Push(intake_, NewDequeueFrom(queue_, 2, 1000));
  EXPECT_THAT(NumbersOf(intake_.Next(1).group), ElementsAre(2));

  queue_->messages_per_slice = 1;
  Push(intake_, NewDequeueFrom(queue_, 3, 50));
  EXPECT_THAT(NumbersOf(intake_.Next(1).group), ElementsAre(3));
}

TEST_F(SeveralLanes, NoneIsLentWhileOneIsBusy) {
  std::thread other([&] { EXPECT_TRUE(intake_.Next(1).closed); });
  MakeFirstLaneBusy();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(intake_.Borrow());
  intake_.Close();
  other.join();
}

TEST(Intake, NothingIsLostOrChangesPlacesUnderBackPressure) {
  constexpr int kCallers = 4;
  constexpr int kEach = 300;
  Intake intake(3, kMany);
  std::vector<std::thread> callers;
  callers.reserve(kCallers);
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&intake, caller] {
      for (int i = 0; i < kEach; ++i) Push(intake, NewEnqueue(caller * kEach + i));
    });
  }
  std::vector<int> next(kCallers, 0);
  for (int popped = 0; popped < kCallers * kEach;) {
    for (const int number : PopNumbers(intake)) {
      const auto caller = static_cast<std::size_t>(number / kEach);
      ASSERT_EQ(number % kEach, next[caller]++);
      ++popped;
    }
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(intake.size(), 0U);
}

}  // namespace
}  // namespace pgqrs::testing
