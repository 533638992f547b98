// A request that cannot be met does not take the others of its group with it.
#include <atomic>
#include <new>
#include <set>
#include <stdexcept>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::UnorderedElementsAreArray;

class Isolation : public EngineTest {};

// Enqueues "0" to "n-1" as one group and waits for all but one of them.
std::vector<std::int64_t> EnqueueWithGuilty(Faults& faults, Queue& queue, int n, int guilty) {
  std::vector<Future<std::int64_t>> enqueues;
  HeldLane held(faults, queue);
  enqueues.reserve(n);
  for (int i = 0; i < n; ++i) {
    enqueues.push_back(queue.EnqueueAsync(i == guilty ? "guilty" : std::to_string(i)));
  }
  held.Release(RefusePayload("guilty"));
  std::vector<std::int64_t> ids;
  for (int i = 0; i < n; ++i) {
    auto& enqueue = enqueues[static_cast<std::size_t>(i)];
    if (i == guilty) {
      EXPECT_THAT(MessageOf<InternalError>([&] { enqueue.Get(); }), HasSubstr("an injected fault"));
    } else {
      ids.push_back(enqueue.Get());
    }
  }
  return ids;
}

TEST_F(Isolation, OnlyTheGuiltyFails) {
  auto queue = Open();
  EnqueueWithGuilty(faults(), queue, 10, 4);
  const auto metrics = Metrics();
  EXPECT_EQ(metrics.retried_groups, 1U);
  EXPECT_EQ(metrics.failed_requests, 1U);
  EXPECT_THAT(StoredPayloads(), ElementsAre("0", "1", "2", "3", "5", "6", "7", "8", "9"));
  ExpectSound();
}

TEST_F(Isolation, IdsAreNotGivenTwice) {
  auto queue = Open();
  std::set<std::int64_t> ids;
  for (const int guilty : {0, 4, 9}) {
    for (const auto id : EnqueueWithGuilty(faults(), queue, 10, guilty)) {
      EXPECT_TRUE(ids.insert(id).second) << id;
    }
  }
  EXPECT_TRUE(ids.insert(queue.Enqueue("after it")).second);
  std::vector<std::int64_t> stored;
  for (const auto& message : StoredMessages()) stored.push_back(message.id);
  EXPECT_THAT(stored, UnorderedElementsAreArray(ids));
}

TEST_F(Isolation, AWorkerThatWasRegisteredInTheGroupIsRegisteredAgain) {
  auto queue = Open();
  EnqueueWithGuilty(faults(), queue, 3, 1);
  const auto worker_id = core().own_worker()->id.load();
  EXPECT_GT(worker_id, 0);
  SqliteShell shell(path());
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_workers"), 1);
  EXPECT_EQ(shell.QueryInt("SELECT id FROM pgqrs_workers"), worker_id);
  EXPECT_EQ(shell.QueryInt("SELECT count(*) FROM pgqrs_batches WHERE producer_worker_id <> " +
                           std::to_string(worker_id)),
            0);
}

TEST_F(Isolation, AGuiltyRequestAloneFailsAndTheNextWorks) {
  auto queue = Open();
  faults().Set(RefusePayload("guilty"));
  EXPECT_THROW(queue.Enqueue("guilty"), InternalError);
  EXPECT_EQ(Metrics().retried_groups, 0U);
  EXPECT_GT(queue.Enqueue("good"), 0);
  EXPECT_THAT(StoredPayloads(), ElementsAre("good"));
}

TEST_F(Isolation, AcksAndDequeuesOfTheGroupHappenOnce) {
  auto queue = Open();
  queue.EnqueueBatch(std::vector<Json>{"first", "second", "third"});
  auto first = queue.Dequeue();
  ASSERT_TRUE(first);
  HeldLane held(faults(), queue);
  auto ack = first->AckAsync();
  auto second = queue.DequeueAsync();
  auto guilty = queue.EnqueueAsync("guilty");
  auto third = queue.DequeueAsync();
  held.Release(RefusePayload("guilty"));
  EXPECT_TRUE(ack.Get());
  EXPECT_THROW(guilty.Get(), InternalError);
  for (auto* dequeue : {&second, &third}) {
    auto message = dequeue->Get();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->read_count(), 1);
    EXPECT_TRUE(message->Ack());
  }
  EXPECT_FALSE(first->Ack());
  EXPECT_EQ(queue.Metrics().archived, 3);
}

TEST_F(Isolation, ADequeueThatWaitsHearsOfWhatTheGroupEnqueuedBehindIt) {
  auto queue = Open();
  HeldLane held(faults(), queue);
  auto dequeue = queue.DequeueWaitAsync(kForever);
  auto enqueue = queue.EnqueueAsync("good");
  auto guilty = queue.EnqueueAsync("guilty");
  held.Release(RefusePayload("guilty"));
  // Run one by one, the dequeue has looked before the enqueue was there.
  EXPECT_EQ(dequeue.Get()->id(), enqueue.Get());
  EXPECT_THROW(guilty.Get(), InternalError);
}

// Throws `error` from each statement that stores a payload with "guilty" in it.
template <typename E>
Faults::Decide ThrowAtGuilty(const E& error) {
  return [error, refuse = RefusePayload("guilty")](const Step& step) {
    if (refuse(step)) throw error;  // NOLINT(*-throw-by-value-*): anything may be thrown.
    return std::optional<driver::Fault>();
  };
}

TEST_F(Isolation, AnExceptionOfAnyTypeFailsTheGuiltyAloneWithItsText) {
  auto queue = Open();
  const auto fails_alone = [&](Faults::Decide decide) {
    HeldLane held(faults(), queue);
    auto before = queue.EnqueueAsync("before");
    auto guilty = queue.EnqueueAsync("guilty");
    auto behind = queue.EnqueueAsync("behind");
    held.Release(std::move(decide));
    EXPECT_LT(before.Get(), behind.Get());
    return MessageOf<InternalError>([&] { guilty.Get(); });
  };
  EXPECT_EQ(fails_alone(ThrowAtGuilty(std::bad_alloc())), std::bad_alloc().what());
  EXPECT_EQ(fails_alone(ThrowAtGuilty(std::runtime_error("broken"))), "broken");
  EXPECT_EQ(fails_alone(ThrowAtGuilty(std::string("a text"))), "a text");
  EXPECT_THAT(fails_alone(ThrowAtGuilty(42)), HasSubstr("no std::exception"));
  EXPECT_EQ(Metrics().retried_groups, 4U);
  EXPECT_EQ(StoredPayloads().size(), 8U);
  ExpectSound();
}

TEST_F(Isolation, AClockThatThrowsOnceHurtsNobody) {
  auto throws = std::make_shared<std::atomic<bool>>(false);
  config().clock = [throws, now = ManualClock().AsClock()] {
    if (throws->exchange(false)) throw std::runtime_error("the clock is broken");
    return now();
  };
  auto queue = Open();
  HeldLane held(faults(), queue);
  auto first = queue.EnqueueAsync("first");
  auto second = queue.EnqueueAsync("second");
  *throws = true;
  held.Release();
  EXPECT_LT(first.Get(), second.Get());
  *throws = true;
  EXPECT_EQ(MessageOf<InternalError>([&] { queue.Enqueue("alone"); }), "the clock is broken");
  EXPECT_THAT(StoredPayloads(), ElementsAre("first", "second"));
}

TEST_F(Isolation, RequestsToADeletedQueueFailAlone) {
  auto queue = Open();
  auto other_store = OpenAnother();
  auto kept = other_store.Queue("kept");
  auto gone = other_store.Queue("gone");
  other_store.DeleteQueue("gone");
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { gone.Enqueue("message"); }),
              HasSubstr("\"gone\""));
  EXPECT_THROW(gone.Dequeue(), QueueNotFoundError);
  EXPECT_THROW(gone.DequeueWait(kForever), QueueNotFoundError);
  EXPECT_GT(kept.Enqueue("message"), 0);
  EXPECT_EQ(other_store.EngineMetrics().retried_groups, 0U);
}

}  // namespace
}  // namespace pgqrs::testing
