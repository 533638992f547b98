#include <cstdint>
#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class DeadLetters : public ConformanceTest {
 protected:
  // Enqueues n messages and puts them to the dead letters. Their ids.
  static std::vector<std::int64_t> MakeDead(Queue& queue, int n) {
    auto ids = queue.EnqueueBatch(Payloads(n, "dead"));
    std::vector<Future<bool>> answers;
    for (auto& message : queue.DequeueBatch(n)) {
      answers.push_back(message.DeadLetterAsync("broken"));
    }
    for (auto& answer : answers) EXPECT_TRUE(answer.Get());
    return ids;
  }
};
PGQRS_ON_EVERY_BACKEND(DeadLetters);

TEST_P(DeadLetters, ADeadLetterIsFoundWithItsReasonAndTheLastError) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue(Json::Parse("[1]"));
  ASSERT_TRUE(queue.Dequeue()->Release(seconds(0), "no route to host"));
  auto message = queue.Dequeue();
  Advance(seconds(1));
  ASSERT_TRUE(message->DeadLetter("given up"));

  const auto listed = queue.ListDeadLetters();
  ASSERT_EQ(listed.size(), 1U);
  const auto& dead = listed.front();
  EXPECT_EQ(dead.id, id);
  EXPECT_EQ(dead.state, MessageState::kDead);
  EXPECT_EQ(dead.payload.text(), "[1]");
  EXPECT_EQ(dead.reason, "given up");
  EXPECT_EQ(dead.last_error, "no route to host");
  EXPECT_EQ(dead.read_count, 2);
  EXPECT_EQ(dead.archived_at, clock().Now());
  EXPECT_EQ(dead.worker_id, store.worker_id());
  EXPECT_EQ(store.FindMessage(id)->reason, "given up");
  EXPECT_THAT(queue.ListArchived(), IsEmpty());
}

TEST_P(DeadLetters, AMessageThatWasReadTooOftenGoesToTheDeadLettersAtTheNextDequeue) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(queue.Dequeue(seconds(10)));
    Advance(seconds(11));
  }
  EXPECT_THAT(queue.ListDeadLetters(), IsEmpty());
  EXPECT_FALSE(queue.Dequeue());
  const auto dead = store.FindMessage(id);
  EXPECT_EQ(dead->state, MessageState::kDead);
  EXPECT_EQ(dead->read_count, 2);
  EXPECT_THAT(dead->reason, AllOf(HasSubstr("read 2 times"), HasSubstr("max_read_ct")));
}

TEST_P(DeadLetters, TheErrorOfTheLastReleaseStaysWithAMessageThatWasReadTooOften) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  ASSERT_TRUE(queue.Dequeue()->Release(seconds(0), "first"));
  ASSERT_TRUE(queue.Dequeue()->Release(seconds(0), "second"));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(queue.ListDeadLetters().at(0).last_error, "second");
}

TEST_P(DeadLetters, OnlyTheMessagesOfABatchThatWereReadTooOftenDie) {
  config().max_read_ct = 1;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads = {"a", "b", "c"};
  const auto ids = queue.EnqueueBatch(payloads);
  ASSERT_TRUE(queue.Dequeue(seconds(1)));
  Advance(seconds(2));
  std::vector<std::int64_t> taken;
  for (const auto& message : queue.DequeueBatch(3)) taken.push_back(message.id());
  EXPECT_THAT(taken, ElementsAre(ids[1], ids[2]));
  EXPECT_EQ(queue.ListDeadLetters().at(0).id, ids[0]);
}

TEST_P(DeadLetters, ReplayMakesOneVisibleWithTheSameIdAndNoReads) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = MakeDead(queue, 3);
  EXPECT_TRUE(queue.ReplayDeadLetter(ids[1]));
  const auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), ids[1]);
  EXPECT_EQ(message->read_count(), 1);
  EXPECT_EQ(message->payload().AsString(), "dead");
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(queue.ListDeadLetters().size(), 2U);
  store.Admin().Verify();
}

TEST_P(DeadLetters, AReplayedMessageHasAllItsTriesAgain) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(queue.Dequeue()->Release());
    ASSERT_TRUE(queue.Dequeue()->Release());
    EXPECT_FALSE(queue.Dequeue());
    EXPECT_TRUE(queue.ReplayDeadLetter(id));
  }
  EXPECT_TRUE(queue.Dequeue()->Ack());
}

TEST_P(DeadLetters, ReplayOfAnythingElseAnswersFalse) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  const auto dead = MakeDead(queue, 1).front();
  const auto waiting = other.Enqueue("x");
  EXPECT_FALSE(other.ReplayDeadLetter(dead)) << "a dead letter of another queue";
  EXPECT_FALSE(other.ReplayDeadLetter(waiting));
  for (const std::int64_t unknown : {std::int64_t{0}, std::int64_t{-7}, dead + 1, dead + 64'000}) {
    EXPECT_FALSE(queue.ReplayDeadLetter(unknown)) << unknown;
  }
  EXPECT_TRUE(queue.ReplayDeadLetter(dead));
  EXPECT_FALSE(queue.ReplayDeadLetter(dead)) << "for the second time";
  ASSERT_TRUE(queue.Dequeue()->Ack());
  EXPECT_FALSE(queue.ReplayDeadLetter(dead)) << "an archived message";
}

TEST_P(DeadLetters, ReplayOfAllGivesTheirNumberAndLeavesOtherQueuesAlone) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  MakeDead(queue, 700);
  MakeDead(other, 2);
  EXPECT_EQ(queue.ReplayDeadLetters(), 700);
  EXPECT_EQ(queue.ReplayDeadLetters(), 0);
  EXPECT_EQ(queue.DequeueBatch(1000).size(), 700U);
  EXPECT_EQ(other.Metrics().dead, 2);
  store.Admin().Verify();
}

TEST_P(DeadLetters, AWaitingConsumerIsWokenByAReplay) {
  UseSystemClock();
  config().fallback_poll_interval = std::chrono::minutes(10);
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = MakeDead(queue, 1).front();
  auto waiting = queue.DequeueWaitAsync(std::chrono::minutes(5));
  ASSERT_TRUE(queue.ReplayDeadLetter(id));
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
}

TEST_P(DeadLetters, PurgeRemovesThemAndNothingElse) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  const std::vector<Json> payloads = {"dead", "done", "held", "waits"};
  const auto ids = queue.EnqueueBatch(payloads);
  auto taken = queue.DequeueBatch(3);
  ASSERT_TRUE(taken[0].DeadLetter("broken"));
  ASSERT_TRUE(taken[1].Ack());
  MakeDead(other, 1);
  EXPECT_EQ(queue.PurgeDeadLetters(), 1);
  EXPECT_EQ(queue.PurgeDeadLetters(), 0);
  EXPECT_FALSE(store.FindMessage(ids[0]));
  EXPECT_EQ(store.FindMessage(ids[1])->payload.AsString(), "done");
  EXPECT_TRUE(taken[2].Ack());
  EXPECT_EQ(queue.Dequeue()->payload().AsString(), "waits");
  EXPECT_EQ(other.Metrics().dead, 1);
  store.Admin().Verify();
}

// More than one bounded step removes.
TEST_P(DeadLetters, PurgeOfManyGivesTheirNumber) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  MakeDead(queue, 1200);
  EXPECT_EQ(queue.PurgeDeadLetters(), 1200);
  EXPECT_THAT(queue.ListDeadLetters(), IsEmpty());
  EXPECT_THAT(store.Admin().Messages(), IsEmpty());
}

TEST_P(DeadLetters, PagesOfDeadLettersGoOnWhereTheLastOneEnded) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = MakeDead(queue, 100);
  EXPECT_EQ(queue.ListDeadLetters({.limit = 40}).back().id, ids[39]);
  EXPECT_EQ(queue.ListDeadLetters({.after_id = ids[39], .limit = 40}).front().id, ids[40]);
  EXPECT_EQ(queue.ListDeadLetters({.after_id = ids[79], .limit = 40}).size(), 20U);
  EXPECT_THAT(queue.ListDeadLetters({.after_id = ids[99]}), IsEmpty());
}

TEST_P(DeadLetters, AReasonThatCannotBeStoredIsRefusedAndTheLeaseStays) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  auto message = queue.Dequeue();
  EXPECT_THAT(MessageOf<ValidationError>([&] { message->DeadLetter("\xff"); }),
              HasSubstr("reason: is not UTF-8"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { message->DeadLetter(std::string(65'537, 'x')); }),
              HasSubstr("65,537 bytes"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { message->Release(seconds(0), "\xff"); }),
              HasSubstr("error: is not UTF-8"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { message->DeadLetter(std::string(1, '\0')); }),
              HasSubstr("reason: has the control character U+0000"));
  EXPECT_TRUE(message->DeadLetter(std::string(65'536, 'x')));
}

}  // namespace
}  // namespace pgqrs::testing
