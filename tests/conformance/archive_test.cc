#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Archive : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Archive);

// Reads a listing to its end, page by page.
template <typename List>
std::vector<std::int64_t> AllIds(List list, int limit) {
  std::vector<std::int64_t> ids;
  for (;;) {
    const auto page = IdsOf(list(Page{.after_id = ids.empty() ? 0 : ids.back(), .limit = limit}));
    EXPECT_LE(page.size(), static_cast<std::size_t>(limit));
    if (page.empty()) return ids;
    ids.insert(ids.end(), page.begin(), page.end());
  }
}

TEST_P(Archive, AnAckedMessageIsFoundWithEverythingThatIsKnownOfIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto enqueued_at = clock().Now();
  const auto id = queue.Enqueue(Json::Parse(R"({"to": "ada"})"), {.priority = 3});
  Advance(seconds(1));
  const auto dequeued_at = clock().Now();
  auto message = queue.Dequeue();
  Advance(seconds(1));
  const auto archived_at = clock().Now();
  ASSERT_TRUE(message->Ack());
  Advance(seconds(1));

  const auto found = store.FindMessage(id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, id);
  EXPECT_EQ(found->queue_id, queue.id());
  EXPECT_EQ(found->state, MessageState::kArchived);
  EXPECT_EQ(found->payload.text(), R"({"to": "ada"})");
  EXPECT_EQ(found->priority, 3);
  EXPECT_EQ(found->read_count, 1);
  EXPECT_EQ(found->enqueued_at, enqueued_at);
  EXPECT_EQ(found->visible_at, std::nullopt);
  EXPECT_EQ(found->dequeued_at, dequeued_at);
  EXPECT_EQ(found->archived_at, archived_at);
  EXPECT_EQ(found->producer_worker_id, store.worker_id());
  EXPECT_EQ(found->worker_id, store.worker_id());
  EXPECT_EQ(found->reason, "");
}

TEST_P(Archive, TheWorkerOfAnArchivedMessageIsTheOneThatHeldIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer("reader");
  const auto id = queue.Enqueue("x");
  ASSERT_TRUE(consumer.Dequeue());
  ASSERT_TRUE(consumer.Ack(id));
  EXPECT_EQ(store.FindMessage(id)->worker_id, consumer.worker_id());
}

TEST_P(Archive, AnAckedMessageIsNeverHandedOutAgain) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  ASSERT_TRUE(queue.Dequeue(seconds(1))->Ack());
  Advance(std::chrono::hours(24 * 365));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_EQ(queue.ListArchived().size(), 1U);
}

TEST_P(Archive, AMessageThatWaitsOrIsLeasedIsNotInTheArchive) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(2));
  const auto held = queue.Dequeue();
  EXPECT_THAT(queue.ListArchived(), IsEmpty());
  EXPECT_EQ(store.FindMessage(held->id())->state, MessageState::kLeased);
}

TEST_P(Archive, TheReadCountInTheArchiveIsThatOfTheAck) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  ASSERT_TRUE(queue.Dequeue()->Release());
  ASSERT_TRUE(queue.Dequeue()->Release());
  ASSERT_TRUE(queue.Dequeue()->Ack());
  EXPECT_EQ(store.FindMessage(id)->read_count, 3);
}

TEST_P(Archive, AListingHoldsTheMessagesOfItsQueueOnlyInTheOrderOfTheirIds) {
  auto store = Open();
  auto jobs = store.Queue("jobs");
  auto mails = store.Queue("mails");
  const auto ids = jobs.EnqueueBatch(NumberedPayloads(3));
  mails.Enqueue("other");
  auto messages = jobs.DequeueBatch(3);
  ASSERT_EQ(messages.size(), 3U);
  for (const auto i : {1U, 2U, 0U}) ASSERT_TRUE(messages[i].Ack());
  ASSERT_TRUE(mails.Dequeue()->Ack());
  const auto listed = jobs.ListArchived();
  EXPECT_THAT(IdsOf(listed), ElementsAreArray(ids));
  EXPECT_EQ(listed[1].payload.text(), "1");
}

TEST_P(Archive, APageOfAnyLengthGoesOnWhereTheLastOneEnded) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(150));
  ASSERT_EQ(queue.DequeueBatch(150).size(), 150U);
  store.Ack(ids);
  const auto list = [&](const Page& page) { return queue.ListArchived(page); };
  for (const int limit : {1, 7, 63, 64, 65, 149, 150, 151}) {
    EXPECT_EQ(AllIds(list, limit), ids) << "pages of " << limit;
  }
}

// Each message has an archive row of its own here, and those of a batch lie in the wrong order.
TEST_P(Archive, APageIsInOrderAlsoWhereTheAcksWereNot) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(130));
  auto messages = queue.DequeueBatch(130);
  ASSERT_EQ(messages.size(), 130U);
  for (auto it = messages.rbegin(); it != messages.rend(); ++it) ASSERT_TRUE(it->Ack());
  const auto list = [&](const Page& page) { return queue.ListArchived(page); };
  for (const int limit : {1, 3, 64, 129}) {
    EXPECT_EQ(AllIds(list, limit), ids) << "pages of " << limit;
  }
}

TEST_P(Archive, TheMessagesOfAllQueuesAreListedInWhateverState) {
  auto store = Open();
  auto jobs = store.Queue("jobs");
  auto mails = store.Queue("mails");
  jobs.EnqueueBatch(NumberedPayloads(4));
  mails.Enqueue("later", {.delay = seconds(60)});
  auto taken = jobs.DequeueBatch(3);
  ASSERT_TRUE(taken[0].Ack());
  ASSERT_TRUE(taken[1].DeadLetter("broken"));
  std::vector<MessageState> states;
  for (const auto& message : store.Admin().Messages()) states.push_back(message.state);
  EXPECT_THAT(states,
              ElementsAre(MessageState::kArchived, MessageState::kDead, MessageState::kLeased,
                          MessageState::kWaiting, MessageState::kDelayed));
  const auto list = [&](const Page& page) { return store.Admin().Messages(page); };
  EXPECT_EQ(AllIds(list, 2).size(), 5U);
}

TEST_P(Archive, APageWithoutMeaningIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const int limit : {-1, 0, 10'001}) {
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.ListArchived({.limit = limit}); }),
                HasSubstr("page limit"));
    EXPECT_THAT(MessageOf<ValidationError>([&] { queue.ListDeadLetters({.limit = limit}); }),
                HasSubstr("page limit"));
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.Admin().Messages({.limit = limit}); }),
                HasSubstr("page limit"));
  }
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.ListArchived({.after_id = -1}); }),
              HasSubstr("after_id"));
}

TEST_P(Archive, AnUnknownIdIsNotFound) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  for (const std::int64_t unknown : {id + 1, id + 64, std::int64_t{0}, std::int64_t{-1},
                                     std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_FALSE(store.FindMessage(unknown)) << unknown;
  }
  EXPECT_TRUE(store.FindMessage(id));
}

TEST_P(Archive, ADeletedMessageIsNowhereAndItsNeighboursStay) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(3));
  auto messages = queue.DequeueBatch(3);
  ASSERT_TRUE(messages[1].Delete());
  EXPECT_FALSE(messages[1].Ack());
  EXPECT_FALSE(store.FindMessage(ids[1]));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[2].Release());
  EXPECT_EQ(store.FindMessage(ids[0])->payload.text(), "0");
  EXPECT_EQ(store.FindMessage(ids[2])->payload.text(), "2");
  EXPECT_THAT(IdsOf(store.Admin().Messages()), ElementsAre(ids[0], ids[2]));
  store.Admin().Verify();
}

}  // namespace
}  // namespace pgqrs::testing
