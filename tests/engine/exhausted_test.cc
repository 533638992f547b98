// Messages that were read too often, in large numbers: one group moves some of them to the dead
// letters, and those behind it the rest.
#include <algorithm>
#include <atomic>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Exhausted : public EngineTest {
 protected:
  Exhausted() {
    config().clock = clock_.AsClock();
    config().max_read_ct = 1;
  }

  // Enqueues n messages, each a slice of its own.
  void Enqueue(Queue& queue, int n) {
    auto enqueues = Repeat(n, [&](int i) {
      return queue.EnqueueAsync("message", {.visible_at = clock_.Now() + milliseconds(i + 1)});
    });
    for (auto& enqueue : enqueues) enqueue.Get();
    clock_.Advance(milliseconds(n));
  }

  // The same, of messages that were read as often as is allowed.
  void Exhaust(Queue& queue, int n) {
    Enqueue(queue, n);
    ASSERT_EQ(queue.DequeueBatch(n, seconds(1)).size(), static_cast<std::size_t>(n));
    clock_.Advance(seconds(2));
  }

  // Counts the rows that are put to the archive in one transaction, and gives the most.
  std::shared_ptr<std::atomic<int>> CountMoved() {
    auto most = std::make_shared<std::atomic<int>>(0);
    faults().Set([most, moved = 0](const Step& step) mutable -> std::optional<driver::Fault> {
      if (step.moment == Moment::kBegin) moved = 0;
      if (step.statement == sql::Statement::kInsertArchive) *most = std::max<int>(*most, ++moved);
      return std::nullopt;
    });
    return most;
  }

  ManualClock clock_;
};

TEST_F(Exhausted, OneGroupMovesSomeOfThemAndTheCallerGetsItsAnswerAllTheSame) {
  auto queue = Open();
  Exhaust(queue, 2500);
  const auto id = queue.Enqueue("good");
  const auto most = CountMoved();
  const auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_EQ(queue.Metrics().dead, 2500);
  EXPECT_GT(*most, 500);
  EXPECT_LE(*most, 1000);
  ExpectSound();
}

TEST_F(Exhausted, ADequeueOfManyGetsInOneAnswerWhatIsBeforeAndBehindThem) {
  auto queue = Open();
  Exhaust(queue, 1500);
  const auto before = queue.Enqueue("before", {.priority = 0});
  const auto behind = queue.Enqueue("behind", {.priority = 9});
  auto messages = queue.DequeueBatch(10);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].id(), before);
  EXPECT_EQ(messages[1].id(), behind);
  EXPECT_EQ(core().own_worker()->held, 2 + 1500) << "those that were lost are not noticed";
  for (auto& message : messages) EXPECT_TRUE(message.Ack());
  ExpectSound();
}

TEST_F(Exhausted, WhatADequeueHasFromTheFirstGroupItGivesWhereTheSecondFails) {
  auto queue = Open();
  Exhaust(queue, 1500);
  const auto before = queue.Enqueue("before", {.priority = 0});
  const auto behind = queue.Enqueue("behind", {.priority = 9});
  faults().Set([commits = 0](const Step& step) mutable -> std::optional<driver::Fault> {
    if (step.moment != Moment::kCommit || ++commits != 2) return std::nullopt;
    return driver::Fault::kStorage;
  });
  const auto messages = queue.DequeueBatch(2);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].id(), before);
  EXPECT_EQ(queue.Metrics().dead, 1000);
  EXPECT_EQ(queue.Dequeue()->id(), behind);
  EXPECT_EQ(queue.Metrics().dead, 1500);
}

TEST_F(Exhausted, OtherQueuesAreServedInTheFirstGroup) {
  auto queue = Open();
  auto ref = std::make_shared<queue::QueueRef>();
  ref->name = "other";
  ref->id = OpenAnother().Queue("other").id();
  auto other = internal::QueueAccess::Make(
      std::make_shared<internal::QueueCore>(core().shared_from_this(), std::move(ref)));
  Exhaust(queue, 1500);
  const auto id = other.Enqueue("good");
  HeldLane held(faults(), queue);
  auto goes_on = queue.DequeueAsync();
  auto served = other.DequeueAsync();
  held.Release([commits = 0](const Step& step) mutable -> std::optional<driver::Fault> {
    if (step.moment != Moment::kCommit || ++commits != 2) return std::nullopt;
    return driver::Fault::kStorage;
  });
  EXPECT_EQ(served.Get()->id(), id);
  EXPECT_THROW(goes_on.Get(), InternalError) << "the second group has failed";
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(queue.Metrics().dead, 1500);
}

TEST_F(Exhausted, OneThatWaitsWaitsBehindAllOfThem) {
  auto queue = Open();
  Exhaust(queue, 2500);
  auto wait = queue.DequeueWaitAsync(kForever);
  while (Metrics().waiting_consumers == 0) std::this_thread::yield();
  EXPECT_EQ(queue.Metrics().dead, 2500);
  const auto id = queue.Enqueue("good");
  EXPECT_EQ(wait.Get()->id(), id);
}

}  // namespace
}  // namespace pgqrs::testing
