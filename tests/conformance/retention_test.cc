#include <chrono>
#include <cstdint>
#include <future>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Retentions : public ConformanceTest {
 protected:
  // Enqueues n messages together, so that they lie side by side, and takes them.
  static std::vector<Message> Take(Queue& queue, int n) {
    queue.EnqueueBatch(Payloads(n));
    auto messages = queue.DequeueBatch(n);
    EXPECT_EQ(messages.size(), static_cast<std::size_t>(n));
    return messages;
  }

  // The ids of n messages that are finished.
  static std::vector<std::int64_t> Finish(Queue& queue, PgqrsStore& store, int n) {
    auto ids = IdsOf(Take(queue, n));
    store.Ack(ids);
    return ids;
  }

  static std::vector<std::int64_t> Archived(Queue& queue) {
    return IdsOf(queue.ListArchived({.limit = 10'000}));
  }
};
PGQRS_ON_EVERY_BACKEND(Retentions);

TEST_P(Retentions, MessagesThatFinishedBeforeMaxAgeGo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto old = Finish(queue, store, 3);
  Advance(hours(1));
  const auto fresh = Finish(queue, store, 2);
  Advance(hours(1));
  EXPECT_EQ(queue.ApplyRetention({.max_age = hours(2)}), 0) << "exactly as old is not too old";
  Advance(seconds(1));
  EXPECT_EQ(queue.ApplyRetention({.max_age = hours(2)}), 3);
  EXPECT_THAT(Archived(queue), ElementsAreArray(fresh));
  EXPECT_FALSE(store.FindMessage(old.front()));
}

TEST_P(Retentions, TheAgeOfAMessageIsThatOfItsAckNotOfItsEnqueue) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  Advance(hours(100));
  ASSERT_TRUE(queue.Dequeue()->Ack());
  EXPECT_EQ(queue.ApplyRetention({.max_age = hours(1)}), 0);
}

TEST_P(Retentions, OnlyTheNewestMaxCountStay) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Finish(queue, store, 200);
  for (const int keep : {500, 200, 150, 128, 127, 64, 1, 0}) {
    queue.ApplyRetention({.max_count = keep});
    const auto kept = std::min<std::ptrdiff_t>(keep, 200);
    EXPECT_THAT(Archived(queue), ElementsAreArray(ids.end() - kept, ids.end())) << keep;
  }
}

TEST_P(Retentions, TheAnswerIsTheNumberOfRemovedMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Finish(queue, store, 200);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 150}), 50);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 150}), 0);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 150);
}

TEST_P(Retentions, TheNewestAreThoseWithTheHighestIdsInWhateverOrderTheyFinished) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto messages = Take(queue, 4);
  for (const auto i : {3U, 0U, 2U, 1U}) ASSERT_TRUE(messages[i].Ack());
  EXPECT_EQ(queue.ApplyRetention({.max_count = 2}), 2);
  EXPECT_THAT(Archived(queue), ElementsAre(messages[2].id(), messages[3].id()));
}

TEST_P(Retentions, AMessageThatEitherLimitExcludesGoesAndNoOther) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto messages = Take(queue, 3);
  ASSERT_TRUE(messages[0].Ack());
  Advance(hours(2));
  ASSERT_TRUE(messages[1].Ack());
  ASSERT_TRUE(messages[2].Ack());
  // Both limits exclude the first, and neither excludes the others.
  EXPECT_EQ(queue.ApplyRetention({.max_age = hours(1), .max_count = 2}), 1);
  EXPECT_THAT(Archived(queue), ElementsAre(messages[1].id(), messages[2].id()));
  EXPECT_EQ(queue.ApplyRetention({.max_age = hours(1), .max_count = 1}), 1);
  EXPECT_THAT(Archived(queue), ElementsAre(messages[2].id()));
}

TEST_P(Retentions, WithoutLimitsNothingGoes) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Finish(queue, store, 3);
  Advance(hours(1000));
  EXPECT_EQ(queue.ApplyRetention({}), 0);
  EXPECT_EQ(queue.Metrics().archived, 3);
}

TEST_P(Retentions, WaitingDelayedLeasedAndDeadMessagesAreNeverTouched) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto messages = Take(queue, 4);
  ASSERT_TRUE(messages[0].Ack());
  ASSERT_TRUE(messages[1].DeadLetter("broken"));
  ASSERT_TRUE(messages[2].Release());
  queue.Enqueue("later", {.delay = hours(1)});
  Advance(seconds(1));
  EXPECT_EQ(queue.ApplyRetention({.max_age = Duration::zero(), .max_count = 0}), 1);
  EXPECT_THAT(Archived(queue), IsEmpty());
  EXPECT_EQ(queue.Metrics().dead, 1);
  EXPECT_EQ(queue.Metrics().delayed, 1);
  EXPECT_EQ(store.FindMessage(messages[1].id())->payload.AsString(), "x");
  EXPECT_EQ(queue.Dequeue()->payload().AsString(), "x");
  EXPECT_TRUE(messages[3].Ack());
  store.Admin().Verify();
}

TEST_P(Retentions, OtherQueuesKeepTheirMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  Finish(queue, store, 5);
  Finish(other, store, 5);
  Advance(seconds(1));
  EXPECT_EQ(queue.ApplyRetention({.max_age = Duration::zero()}), 5);
  EXPECT_EQ(other.Metrics().archived, 5);
}

// More rows than one bounded step removes.
TEST_P(Retentions, ManyRowsAreRemovedStepByStepWhileTheQueueGoesOn) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<bool>> acks;
  for (auto& message : Take(queue, 2000)) acks.push_back(message.AckAsync());
  for (auto& ack : acks) ASSERT_TRUE(ack.Get());
  auto removed = queue.ApplyRetentionAsync({.max_count = 10});
  EXPECT_GT(queue.Enqueue("beside it"), 0);
  EXPECT_EQ(removed.Get(), 1990);
  EXPECT_EQ(Archived(queue).size(), 10U);
  EXPECT_EQ(queue.Dequeue()->payload().AsString(), "beside it");
  store.Admin().Verify();
}

TEST_P(Retentions, APolicyWithoutMeaningIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.ApplyRetention({.max_age = seconds(-1)}); }),
              HasSubstr("max_age"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.ApplyRetention({.max_count = -1}); }),
              HasSubstr("max_count"));
}

}  // namespace
}  // namespace pgqrs::testing
