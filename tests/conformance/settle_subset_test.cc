#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

constexpr int kMessages = 130;  // More than are ever stored together.
constexpr Duration kLease = seconds(10);

// Acts on some messages of a batch that is held as a whole. Whatever is done to the chosen ones
// must leave the others as they were.
class SettleSubset : public ConformanceTest {
 protected:
  SettleSubset() : store_(Open()), queue_(store_.Queue("jobs")) {
    queue_.EnqueueBatch(NumberedPayloads(kMessages));
    held_ = queue_.DequeueBatch(kMessages, kLease);
    Advance(seconds(1));
  }

  // Acts on every third message, by the given call, and checks the others.
  template <typename Act>
  void ActOnSome(Act act) {
    ASSERT_THAT(held_, SizeIs(kMessages));
    for (std::size_t i = 0; i < held_.size(); i += 3) EXPECT_TRUE(act(held_[i])) << i;
    ExpectOthersAsTheyWere();
  }

  void ExpectOthersAsTheyWere() {
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (i % 3 == 0) continue;
      const auto info = store_.FindMessage(held_[i].id());
      ASSERT_TRUE(info) << i;
      EXPECT_EQ(info->state, MessageState::kLeased) << i;
      EXPECT_EQ(info->visible_at, held_[i].lease_end()) << i;
      EXPECT_EQ(info->read_count, 1) << i;
      EXPECT_EQ(info->payload, held_[i].payload()) << i;
      EXPECT_EQ(info->last_error, "") << i;
    }
  }

  // The chosen ones as they are now; nothing where they are gone.
  std::vector<std::optional<MessageInfo>> Chosen() {
    std::vector<std::optional<MessageInfo>> chosen;
    for (std::size_t i = 0; i < held_.size(); i += 3) {
      chosen.push_back(store_.FindMessage(held_[i].id()));
    }
    return chosen;
  }

  // What is delivered once the leases have ended: the others in their order, read twice.
  void ExpectOthersComeBackInOrder() {
    Advance(kLease);
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (i % 3 != 0) expected.push_back(held_[i].id());
    }
    const auto again = queue_.DequeueBatch(kMessages, kLease);
    EXPECT_EQ(IdsOf(again), expected);
    for (const auto& message : again) EXPECT_EQ(message.read_count(), 2);
    store_.Admin().Verify();
  }

  PgqrsStore store_;
  Queue queue_;
  std::vector<Message> held_;
};
PGQRS_ON_EVERY_BACKEND(SettleSubset);

TEST_P(SettleSubset, AckLeavesTheOthersAsTheyWere) {
  ActOnSome([](Message& message) { return message.Ack(); });
  for (const auto& info : Chosen()) EXPECT_EQ(info->state, MessageState::kArchived);
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, AckOfManyAtOnceLeavesTheOthersAsTheyWere) {
  std::vector<Message> chosen;
  for (std::size_t i = 0; i < held_.size(); i += 3) chosen.push_back(held_[i]);
  EXPECT_THAT(store_.Ack(chosen), Each(true));
  EXPECT_THAT(store_.Ack(chosen), Each(false));
  ExpectOthersAsTheyWere();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    EXPECT_EQ(Chosen()[i]->payload, chosen[i].payload());
  }
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, DeleteLeavesTheOthersAsTheyWere) {
  ActOnSome([](Message& message) { return message.Delete(); });
  for (const auto& info : Chosen()) EXPECT_FALSE(info);
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, DeadLetterLeavesTheOthersAsTheyWere) {
  ActOnSome([](Message& message) { return message.DeadLetter("no use"); });
  for (const auto& info : Chosen()) {
    EXPECT_EQ(info->state, MessageState::kDead);
    EXPECT_EQ(info->reason, "no use");
  }
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, ReleaseLeavesTheOthersAsTheyWere) {
  ActOnSome([](Message& message) { return message.Release(seconds(100), "failed"); });
  for (const auto& info : Chosen()) {
    EXPECT_EQ(info->state, MessageState::kDelayed);
    EXPECT_EQ(info->visible_at, clock().Now() + seconds(100));
    EXPECT_EQ(info->last_error, "failed");
    EXPECT_EQ(info->read_count, 1);
  }
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, ExtendLeaseLeavesTheOthersAsTheyWere) {
  ActOnSome([](Message& message) { return message.ExtendLease(seconds(100)); });
  for (const auto& info : Chosen()) {
    EXPECT_EQ(info->state, MessageState::kLeased);
    EXPECT_EQ(info->visible_at, clock().Now() + seconds(100));
  }
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, ALeaseThatWasShortenedForSomeEndsForThemOnly) {
  ActOnSome([](Message& message) { return message.ExtendLease(seconds(1)); });
  Advance(seconds(1));
  EXPECT_THAT(queue_.DequeueBatch(kMessages), SizeIs((kMessages + 2) / 3));
  ExpectOthersAsTheyWere();
}

// All at once, so that they may travel in one transaction.
TEST_P(SettleSubset, DifferentActionsInFlightTogetherEachHitTheirOwnMessage) {
  std::vector<Future<bool>> answers;
  for (std::size_t i = 0; i < held_.size(); i += 3) {
    auto& message = held_[i];
    switch (i / 3 % 5) {
      case 0:
        answers.push_back(message.AckAsync());
        break;
      case 1:
        answers.push_back(message.ReleaseAsync(seconds(100), std::to_string(i)));
        break;
      case 2:
        answers.push_back(message.ExtendLeaseAsync(seconds(100)));
        break;
      case 3:
        answers.push_back(message.DeleteAsync());
        break;
      default:
        answers.push_back(message.DeadLetterAsync(std::to_string(i)));
        break;
    }
  }
  for (auto& answer : answers) EXPECT_TRUE(answer.Get());
  ExpectOthersAsTheyWere();
  const auto chosen = Chosen();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto number = std::to_string(i * 3);
    if (i % 5 == 3) {
      EXPECT_FALSE(chosen[i]) << number;
      continue;
    }
    ASSERT_TRUE(chosen[i]) << number;
    EXPECT_EQ(chosen[i]->payload.text(), number);
    EXPECT_EQ(chosen[i]->last_error, i % 5 == 1 ? number : "");
    EXPECT_EQ(chosen[i]->reason, i % 5 == 4 ? number : "");
  }
  ExpectOthersComeBackInOrder();
}

TEST_P(SettleSubset, AnswersOfABatchAreInTheOrderOfItsMessages) {
  auto consumer = queue_.NewConsumer();
  const auto ids = queue_.EnqueueBatch(NumberedPayloads(5));
  ASSERT_THAT(consumer.DequeueBatch(4), SizeIs(4));
  EXPECT_THAT(consumer.Ack(std::vector{ids[3], ids[4], ids[0], ids[3]}),
              ElementsAre(true, false, true, false));
  EXPECT_THAT(consumer.Release(std::vector{ids[0], ids[1]}, seconds(1)), ElementsAre(false, true));
  EXPECT_THAT(consumer.Delete(std::vector{ids[2], ids[1]}), ElementsAre(true, false));
  EXPECT_THAT(consumer.Ack(std::vector<std::int64_t>{}), IsEmpty());
}

TEST_P(SettleSubset, MessagesOfABatchThatAreReleasedApartComeBackInThatOrder) {
  for (const std::size_t i : {70U, 3U, 69U, 4U}) {
    EXPECT_TRUE(held_[i].Release());
    Advance(microseconds(1));
  }
  EXPECT_THAT(TextsOf(queue_.DequeueBatch(10)), ElementsAre("70", "3", "69", "4"));
}

// Their ids decide, in whatever order they were given back.
TEST_P(SettleSubset, MessagesOfABatchThatAreReleasedAtOneTimeComeBackInTheOrderOfTheirIds) {
  for (const std::size_t i : {70U, 3U, 69U, 4U, 5U}) {
    EXPECT_TRUE(held_[i].Release(Duration::zero(), i % 2 == 0 ? "even" : "odd"));
  }
  EXPECT_THAT(TextsOf(queue_.DequeueBatch(2)), ElementsAre("3", "4"));
  EXPECT_THAT(TextsOf(queue_.DequeueBatch(10)), ElementsAre("5", "69", "70"));
}

TEST_P(SettleSubset, OnlyExhaustedMessagesOfABatchGoToTheDeadLetters) {
  // Some are read as often as may be, the others once.
  for (int read = 2; read <= config().max_read_ct; ++read) {
    for (std::size_t i = 0; i < held_.size(); i += 3) EXPECT_TRUE(held_[i].Release());
    const auto again = queue_.DequeueBatch(kMessages, seconds(1));
    ASSERT_THAT(again, SizeIs((kMessages + 2) / 3));
    for (std::size_t i = 0; i < again.size(); ++i) held_[i * 3] = again[i];
  }
  ExpectOthersComeBackInOrder();
  EXPECT_THAT(queue_.ListDeadLetters(), SizeIs((kMessages + 2) / 3));
}

TEST_P(SettleSubset, ReplayOfSomeDeadLettersOfABatchLeavesTheOthersDead) {
  ActOnSome([](Message& message) { return message.DeadLetter("no use"); });
  for (const std::size_t i : {66U, 0U, 129U}) {
    EXPECT_TRUE(queue_.ReplayDeadLetter(held_[i].id()));
    EXPECT_FALSE(queue_.ReplayDeadLetter(held_[i].id()));
  }
  EXPECT_FALSE(queue_.ReplayDeadLetter(held_[1].id()));
  const auto again = queue_.DequeueBatch(kMessages);
  EXPECT_THAT(TextsOf(again), ElementsAre("0", "66", "129"));
  for (const auto& message : again) EXPECT_EQ(message.read_count(), 1);
  EXPECT_THAT(queue_.ListDeadLetters(), SizeIs((kMessages + 2) / 3 - 3));
  ExpectOthersAsTheyWere();
  store_.Admin().Verify();
}

TEST_P(SettleSubset, EachMessageOfABatchCanHaveATimeOfItsOwn) {
  std::vector<Future<bool>> answers;
  answers.reserve(held_.size());
  for (std::size_t i = 0; i < held_.size(); ++i) {
    answers.push_back(held_[i].ReleaseAsync(seconds(1 + static_cast<int>(i)), std::to_string(i)));
  }
  for (auto& answer : answers) EXPECT_TRUE(answer.Get());
  for (const auto& held : held_) {
    Advance(seconds(1));
    const auto messages = queue_.DequeueBatch(10, seconds(1000));
    ASSERT_EQ(IdsOf(messages), std::vector{held.id()});
    EXPECT_EQ(messages[0].visible_at(), clock().Now());
    EXPECT_EQ(messages[0].payload(), held.payload());
  }
  store_.Admin().Verify();
}

}  // namespace
}  // namespace pgqrs::testing
