#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Leases : public ConformanceTest {
 protected:
  static constexpr Duration kLease = seconds(10);

  // A store with one message.
  struct Jobs {
    PgqrsStore store;
    Queue queue;
    std::int64_t id;
  };
  Jobs OpenWithOneMessage() {
    auto store = Open();
    auto queue = store.Queue("jobs");
    const auto id = queue.Enqueue("payload");
    return {store, queue, id};
  }
};
PGQRS_ON_EVERY_BACKEND(Leases);

// Every way to act on a message, by itself.
using Action = bool (*)(Message& message);
constexpr std::array<std::pair<const char*, Action>, 5> kActions = {{
    {"Ack", [](Message& message) { return message.Ack(); }},
    {"Release", [](Message& message) { return message.Release(); }},
    {"ExtendLease", [](Message& message) { return message.ExtendLease(seconds(60)); }},
    {"Delete", [](Message& message) { return message.Delete(); }},
    {"DeadLetter", [](Message& message) { return message.DeadLetter("no use"); }},
}};

// Whether two records of one message tell the same.
void ExpectSame(const std::optional<MessageInfo>& a, const std::optional<MessageInfo>& b) {
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->state, b->state);
  EXPECT_EQ(a->read_count, b->read_count);
  EXPECT_EQ(a->visible_at, b->visible_at);
  EXPECT_EQ(a->dequeued_at, b->dequeued_at);
  EXPECT_EQ(a->archived_at, b->archived_at);
  EXPECT_EQ(a->worker_id, b->worker_id);
  EXPECT_EQ(a->reason, b->reason);
  EXPECT_EQ(a->last_error, b->last_error);
}

TEST_P(Leases, AMessageUnderLeaseIsGivenToNobodyElse) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto consumer = queue.NewConsumer();
  const auto held = queue.Dequeue(kLease);
  ASSERT_TRUE(held);
  Advance(kLease - microseconds(1));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_FALSE(consumer.Dequeue());
  if (IsShared()) {
    EXPECT_FALSE(Open().Queue("jobs").Dequeue());
  }
}

TEST_P(Leases, DequeueAfterLeaseExpiryGivesTheMessageToAnotherConsumer) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto consumer = queue.NewConsumer();
  const auto held = queue.Dequeue(kLease);
  ASSERT_TRUE(held);
  Advance(kLease);
  const auto again = consumer.Dequeue(kLease);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id(), id);
  EXPECT_EQ(again->read_count(), 2);
  EXPECT_EQ(again->worker_id(), consumer.worker_id());
  EXPECT_EQ(again->visible_at(), held->lease_end());
}

TEST_P(Leases, DequeueAfterLeaseExpiryGivesTheMessageToAnotherStore) {
  if (!IsShared()) GTEST_SKIP() << "no other store can open this database";
  auto [store, queue, id] = OpenWithOneMessage();
  auto other = Open();
  auto held = queue.Dequeue(kLease);
  ASSERT_TRUE(held);
  Advance(kLease);
  auto again = other.Queue("jobs").Dequeue();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id(), id);
  EXPECT_FALSE(held->Ack());
  EXPECT_TRUE(again->Ack());
}

TEST_P(Leases, ALeaseThatIsNoLongerCurrentChangesNothing) {
  for (const auto& [name, act] : kActions) {
    SCOPED_TRACE(name);
    auto store = Open();
    auto queue = store.Queue(name);
    const auto id = queue.Enqueue("payload");
    auto stale = queue.Dequeue(kLease);
    ASSERT_TRUE(stale);
    const auto end = stale->lease_end();
    Advance(kLease);
    auto current = queue.Dequeue(kLease);
    ASSERT_TRUE(current);
    const auto before = store.FindMessage(id);
    EXPECT_FALSE(act(*stale));
    EXPECT_EQ(stale->lease_end(), end);
    ExpectSame(store.FindMessage(id), before);
    EXPECT_TRUE(act(*current));
  }
}

TEST_P(Leases, NoActionSucceedsOnAMessageThatIsFinishedOrGivenBack) {
  for (const auto& [first_name, first] : kActions) {
    if (first_name == std::string("ExtendLease")) continue;
    for (const auto& [second_name, second] : kActions) {
      SCOPED_TRACE(std::string(second_name) + " after " + first_name);
      auto [store, queue, id] = OpenWithOneMessage();
      auto message = queue.Dequeue(kLease);
      ASSERT_TRUE(message && message->id() == id);
      EXPECT_TRUE(first(*message));
      const auto before = store.FindMessage(id);
      EXPECT_FALSE(second(*message));
      EXPECT_EQ(store.FindMessage(id).has_value(), before.has_value());
      if (before) ExpectSame(store.FindMessage(id), before);
      store.DeleteQueue("jobs", true);
    }
  }
}

TEST_P(Leases, ALeaseThatEndedIsStillCurrentWhereNobodyTookTheMessage) {
  for (const auto& [name, act] : kActions) {
    SCOPED_TRACE(name);
    auto store = Open();
    auto queue = store.Queue(name);
    queue.Enqueue("payload");
    auto message = queue.Dequeue(kLease);
    ASSERT_TRUE(message);
    Advance(kLease + minutes(1));
    EXPECT_TRUE(act(*message));
  }
}

TEST_P(Leases, ByIdAConsumerActsOnWhatItHoldsItselfAndOnNothingElse) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  auto other = queue.NewConsumer();
  const auto ids = queue.EnqueueBatch(NumberedPayloads(4));
  ASSERT_THAT(consumer.DequeueBatch(3), SizeIs(3));
  for (const auto id :
       {ids[0], ids[3], ids[3] + 1, std::int64_t{1} << 52, std::int64_t{0}, std::int64_t{-1},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_FALSE(other.Ack(id)) << id;
    EXPECT_FALSE(other.Release(id)) << id;
    EXPECT_FALSE(other.ExtendLease(id, kLease)) << id;
    EXPECT_FALSE(other.Delete(id)) << id;
    EXPECT_FALSE(store.Ack(id)) << id;
  }
  EXPECT_TRUE(consumer.ExtendLease(ids[0], kLease));
  EXPECT_TRUE(consumer.Ack(ids[0]));
  EXPECT_TRUE(consumer.Release(ids[1]));
  EXPECT_TRUE(consumer.Delete(ids[2]));
  EXPECT_FALSE(consumer.Ack(ids[1]));
}

TEST_P(Leases, ByIdTheStoreAcksWhatItsQueuesGaveOut) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(3));
  ASSERT_THAT(queue.DequeueBatch(2), SizeIs(2));
  EXPECT_TRUE(store.Ack(ids[0]));
  EXPECT_FALSE(store.Ack(ids[0]));
  EXPECT_THAT(store.Ack(std::vector{ids[2], ids[1], ids[1], ids[0]}),
              ElementsAre(false, true, false, false));
  EXPECT_THAT(store.Ack(std::vector<std::int64_t>{}), IsEmpty());
}

TEST_P(Leases, TheLeasesOfAMessageThatOneStoreTookTwiceAreToldApart) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto first = queue.Dequeue(kLease);
  Advance(kLease);
  auto second = queue.Dequeue(kLease);
  ASSERT_TRUE(first && second);
  EXPECT_THAT(store.Ack(std::vector{*first, *second, *second}), ElementsAre(false, true, false));
}

TEST_P(Leases, ExtendLeaseSetsTheEndToNowPlusTheLease) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto message = queue.Dequeue(kLease);
  ASSERT_TRUE(message);
  Advance(seconds(4));
  EXPECT_TRUE(message->ExtendLease(kLease));
  EXPECT_EQ(message->lease_end(), clock().Now() + kLease);
  EXPECT_EQ(store.FindMessage(id)->visible_at, message->lease_end());
  Advance(kLease - microseconds(1));
  EXPECT_FALSE(queue.Dequeue());
  Advance(microseconds(1));
  EXPECT_EQ(queue.Dequeue()->read_count(), 2);
}

TEST_P(Leases, ExtendLeaseCanShorten) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto message = queue.Dequeue(kLease);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->ExtendLease(milliseconds(1)));
  Advance(milliseconds(1));
  EXPECT_TRUE(queue.Dequeue());
  EXPECT_FALSE(message->Ack());
}

TEST_P(Leases, ExtendLeaseRenewsALeaseThatEndedWhereNobodyTookTheMessage) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto message = queue.Dequeue(kLease);
  ASSERT_TRUE(message);
  Advance(kLease + seconds(1));
  EXPECT_TRUE(message->ExtendLease(kLease));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(store.FindMessage(id)->state, MessageState::kLeased);
  EXPECT_EQ(store.FindMessage(id)->read_count, 1);
}

TEST_P(Leases, ReleaseMakesTheMessageVisibleAtOnceBehindWhatIsVisible) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(3));
  auto first = queue.Dequeue();
  ASSERT_TRUE(first);
  Advance(seconds(1));
  EXPECT_TRUE(first->Release());
  const auto messages = queue.DequeueBatch(10);
  EXPECT_THAT(TextsOf(messages), ElementsAre("1", "2", "0"));
  EXPECT_EQ(messages[2].read_count(), 2);
  EXPECT_EQ(messages[2].visible_at(), clock().Now());
}

TEST_P(Leases, ReleaseOfWhatNobodyLookedAtTakesTheReadBack) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(Payloads(2));
  auto messages = queue.DequeueBatch(2);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_TRUE(messages[1].ReleaseUnread());
  EXPECT_FALSE(messages[1].ReleaseUnread());
  EXPECT_EQ(store.FindMessage(ids[1])->read_count, 0);
  EXPECT_EQ(store.FindMessage(ids[0])->read_count, 1);
  auto again = queue.Dequeue();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id(), ids[1]);
  EXPECT_EQ(again->read_count(), 1);
}

TEST_P(Leases, ReleaseWithADelayHoldsTheMessageBack) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto message = queue.Dequeue(kLease);
  ASSERT_TRUE(message);
  Advance(seconds(1));
  EXPECT_TRUE(message->Release(seconds(30)));
  EXPECT_EQ(store.FindMessage(id)->state, MessageState::kDelayed);
  EXPECT_EQ(store.FindMessage(id)->visible_at, clock().Now() + seconds(30));
  Advance(seconds(30) - microseconds(1));
  EXPECT_FALSE(queue.Dequeue());
  Advance(microseconds(1));
  EXPECT_EQ(queue.Dequeue()->read_count(), 2);
}

TEST_P(Leases, ReleaseIntoThePastMeansNow) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(2));
  auto first = queue.Dequeue();
  ASSERT_TRUE(first);
  Advance(seconds(1));
  EXPECT_TRUE(first->Release(-minutes(5)));
  EXPECT_THAT(TextsOf(queue.DequeueBatch(10)), ElementsAre("1", "0"));
}

TEST_P(Leases, ReleaseKeepsItsErrorWithTheMessage) {
  auto [store, queue, id] = OpenWithOneMessage();
  const std::string error = "line 1\n\"quoted\" \U0001f600";
  EXPECT_TRUE(queue.Dequeue()->Release(Duration::zero(), error));
  EXPECT_EQ(store.FindMessage(id)->last_error, error);
  // A release that says nothing leaves what was said.
  EXPECT_TRUE(queue.Dequeue()->Release());
  EXPECT_EQ(store.FindMessage(id)->last_error, error);
}

TEST_P(Leases, BadArgumentsAreNamedAndLeaveTheLeaseAlone) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto message = queue.Dequeue(kLease);
  ASSERT_TRUE(message);
  const std::string too_long((64 << 10) + 1, 'x');
  const std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"lease", [&] { message->ExtendLease(Duration::zero()); }},
      {"lease", [&] { message->ExtendLease(microseconds(999)); }},
      {"lease", [&] { message->ExtendLease(-kLease); }},
      {"lease", [&] { message->ExtendLease(kMaxDuration + microseconds(1)); }},
      {"delay", [&] { message->Release(kMaxDuration + microseconds(1)); }},
      {"error", [&] { message->Release(Duration::zero(), too_long); }},
      {"error", [&] { message->Release(Duration::zero(), "\xff"); }},
      {"reason", [&] { message->DeadLetter(too_long); }},
      {"reason", [&] { message->DeadLetter("\xff"); }},
  };
  for (const auto& [argument, call] : calls) {
    EXPECT_THAT(MessageOf<ValidationError>(call), HasSubstr(argument));
  }
  EXPECT_EQ(store.FindMessage(id)->visible_at, message->lease_end());
  EXPECT_TRUE(message->Ack());
}

TEST_P(Leases, AMessageThatWasReadTooOftenGoesToTheDeadLettersAtTheNextDequeue) {
  config().max_read_ct = 3;
  auto [store, queue, id] = OpenWithOneMessage();
  for (int read = 1; read <= 3; ++read) {
    const auto message = queue.Dequeue(kLease);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->read_count(), read);
    Advance(kLease);
  }
  EXPECT_FALSE(queue.Dequeue());
  const auto dead = queue.ListDeadLetters();
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].id, id);
  EXPECT_EQ(dead[0].read_count, 3);
  EXPECT_THAT(dead[0].reason, HasSubstr("max_read_ct"));
}

TEST_P(Leases, AConsumerThatDiesGivesBackWhatItHeldAfterItsLeaseAndNothingElse) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(100));
  auto survivor = queue.NewConsumer();
  auto dying = queue.NewConsumer();
  ASSERT_THAT(survivor.DequeueBatch(10, minutes(1)), SizeIs(10));
  // It never speaks again: what it did in life was to ack some and to hold others.
  auto held = dying.DequeueBatch(20, kLease);
  ASSERT_THAT(held, SizeIs(20));
  EXPECT_THAT(store.Ack(std::span(held).first(5)), Each(true));
  Advance(kLease);
  const auto visible = queue.DequeueBatch(1000);
  std::vector<std::int64_t> raised;
  for (const auto& message : visible) {
    if (message.read_count() == 2) raised.push_back(message.id());
  }
  EXPECT_EQ(raised, std::vector(ids.begin() + 15, ids.begin() + 30));
  EXPECT_THAT(visible, SizeIs(85));
}

TEST_P(Leases, ThroughAnotherStoreNoMessageIsAcked) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto other_store = Open();
  auto other_queue = other_store.Queue("other jobs");
  other_queue.Enqueue("x");
  std::vector<Message> mixed = other_queue.DequeueBatch(1);
  const auto taken = queue.DequeueBatch(1);
  ASSERT_THAT(taken, SizeIs(1));
  mixed.insert(mixed.end(), taken.begin(), taken.end());
  EXPECT_THAT(MessageOf<ValidationError>([&] { other_store.Ack(mixed); }),
              HasSubstr("message " + std::to_string(id)));
  EXPECT_THROW(other_store.AckAsync(taken), ValidationError);
  EXPECT_THAT(store.Ack(taken), Each(true));
  EXPECT_TRUE(mixed.front().Ack());
}

TEST_P(Leases, AConsumerThatIsClosedGivesBackWhatItHoldsAtOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(100));
  auto other = queue.NewConsumer();
  ASSERT_THAT(other.DequeueBatch(10), SizeIs(10));
  std::optional<Consumer> consumer = queue.NewConsumer();
  auto held = consumer->DequeueBatch(20);
  ASSERT_THAT(held, SizeIs(20));
  EXPECT_TRUE(held[0].Ack());
  consumer.reset();
  EXPECT_FALSE(held[1].Ack());
  Advance(seconds(1));
  std::vector<std::int64_t> given_back;
  for (const auto& message : queue.DequeueBatch(1000)) {
    if (message.read_count() == 2) given_back.push_back(message.id());
  }
  EXPECT_EQ(given_back, std::vector(ids.begin() + 11, ids.begin() + 30));
}

TEST_P(Leases, AConsumerThatIsClosedAnswersNoCall) {
  auto [store, queue, id] = OpenWithOneMessage();
  auto consumer = queue.NewConsumer();
  ASSERT_TRUE(consumer.Dequeue());
  consumer.Close();
  consumer.Close();
  EXPECT_THROW(consumer.Dequeue(), Error);
  EXPECT_THROW(consumer.DequeueBatchWait(1, seconds(1)), Error);
  EXPECT_THROW(consumer.Ack(id), Error);
  EXPECT_EQ(store.FindMessage(id)->state, MessageState::kWaiting);
}

}  // namespace
}  // namespace pgqrs::testing
