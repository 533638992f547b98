#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Queues : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Queues);

// Puts a message, its delay apart from those of all others, into each of n batches.
void EnqueueInManyBatches(Queue& queue, int n) {
  std::vector<Future<std::int64_t>> enqueues;
  enqueues.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    enqueues.push_back(queue.EnqueueAsync("held back", {.delay = hours(1) + seconds(i)}));
  }
  for (auto& enqueue : enqueues) enqueue.Get();
}

std::vector<std::string> NamesOf(const std::vector<QueueInfo>& queues) {
  std::vector<std::string> names;
  names.reserve(queues.size());
  for (const auto& queue : queues) names.push_back(queue.queue_name);
  return names;
}

TEST_P(Queues, QueueOpensTheQueueAndCreatesItWhereMissing) {
  auto store = Open();
  const auto created = store.Queue("jobs");
  const auto opened = store.Queue("jobs");
  EXPECT_EQ(opened.id(), created.id());
  EXPECT_EQ(store.ListQueues().size(), 1U);
}

TEST_P(Queues, CreateQueueFailsWhereTheQueueExists) {
  auto store = Open();
  store.CreateQueue("jobs");
  EXPECT_THAT(MessageOf<QueueAlreadyExistsError>([&] { store.CreateQueue("jobs"); }),
              HasSubstr("\"jobs\""));
}

TEST_P(Queues, OpenQueueFailsWhereThereIsNone) {
  auto store = Open();
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { store.OpenQueue("jobs"); }),
              HasSubstr("\"jobs\""));
  const auto created = store.CreateQueue("jobs");
  EXPECT_EQ(store.OpenQueue("jobs").id(), created.id());
}

// Runs `call` in several threads, on two stores of one database where the backend can do that.
void InThreads(std::vector<PgqrsStore> stores, const std::function<void(PgqrsStore&)>& call) {
  constexpr std::size_t kThreads = 8;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&call, store = stores[i % stores.size()]]() mutable { call(store); });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(Queues, CallersThatOpenAMissingQueueAtOnceGetTheSameQueue) {
  std::vector<PgqrsStore> stores = {Open()};
  if (IsShared()) stores.push_back(Open());
  std::mutex mutex;
  std::set<std::int64_t> ids;
  InThreads(stores, [&](PgqrsStore& store) {
    const auto id = store.Queue("jobs").id();
    const std::lock_guard lock(mutex);
    ids.insert(id);
  });
  EXPECT_THAT(ids, SizeIs(1));
}

TEST_P(Queues, OfCallersThatCreateAQueueAtOnceOneSucceeds) {
  std::vector<PgqrsStore> stores = {Open()};
  if (IsShared()) stores.push_back(Open());
  std::atomic<int> created = 0;
  std::atomic<int> refused = 0;
  InThreads(stores, [&](PgqrsStore& store) {
    try {
      store.CreateQueue("jobs");
      ++created;
    } catch (const QueueAlreadyExistsError&) {
      ++refused;
    }
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(refused, 7);
}

TEST_P(Queues, EachNameIsAQueueOfItsOwn) {
  auto store = Open();
  const std::vector<std::string> names = {
      "jobs",   "Jobs",    "JOBS",       " jobs",        "jobs ",      "a",
      "sélect", "日本語",  "\U0001f600", "it's",         "\"quoted\"", "a;DROP",
      "%",      "_",       "\\",         "pgqrs_queues", "null",       "?1",
      "$1",     "a.b/c:d", "e\u0301",    "\u00e9",       "\u2028",     std::string(255, 'x')};
  std::set<std::int64_t> ids;
  for (const auto& name : names) {
    auto queue = store.Queue(name);
    EXPECT_EQ(queue.name(), name);
    ids.insert(queue.id());
    queue.Enqueue(name);
  }
  EXPECT_THAT(ids, SizeIs(names.size()));
  EXPECT_THAT(NamesOf(store.ListQueues()), ::testing::UnorderedElementsAreArray(names));
  for (const auto& name : names) {
    const auto message = store.OpenQueue(name).Dequeue();
    ASSERT_TRUE(message) << name;
    EXPECT_EQ(message->payload().AsString(), name);
    EXPECT_EQ(message->queue_name(), name);
  }
}

TEST_P(Queues, ListQueuesGivesThemByNameWithTheTimeOfTheirCreation) {
  auto store = Open();
  store.Queue("b");
  Advance(seconds(1));
  store.Queue("a");
  const auto queues = store.ListQueues();
  ASSERT_THAT(NamesOf(queues), ElementsAre("a", "b"));
  EXPECT_EQ(queues[0].created_at, clock().Now());
  EXPECT_EQ(queues[1].created_at, clock().Now() - seconds(1));
}

TEST_P(Queues, ABadNameIsRefusedBeforeTheDatabaseIsAsked) {
  auto store = Open();
  store.Queue("jobs");
  const auto requests = store.EngineMetrics().requests;
  using std::string_literals::operator""s;
  const std::vector<std::string> names = {""s,
                                          std::string(256, 'x'),
                                          "a\nb"s,
                                          "\t"s,
                                          "a\0b"s,
                                          "\x7f"s,
                                          "a\u0085b"s,
                                          "\xff"s,
                                          "a\xc3"s,
                                          "\xc0\x80"s,
                                          "\xed\xa0\x80"s,
                                          "\xf4\x90\x80\x80"s,
                                          std::string(127, 'x') + std::string(65, '\xc3') + "x"};
  for (const auto& name : names) {
    const auto refusal = HasSubstr("queue name");
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.Queue(name); }), refusal) << name;
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.CreateQueue(name); }), refusal) << name;
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.OpenQueue(name); }), refusal) << name;
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.DeleteQueue(name); }), refusal) << name;
    EXPECT_THAT(MessageOf<ValidationError>([&] { store.PurgeQueue(name); }), refusal) << name;
  }
  EXPECT_EQ(store.EngineMetrics().requests, requests);
}

TEST_P(Queues, DeletingOrPurgingAnUnknownQueueFails) {
  auto store = Open();
  store.Queue("Jobs");
  const auto names_it = HasSubstr("\"jobs\"");
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { store.DeleteQueue("jobs"); }), names_it);
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { store.DeleteQueue("jobs", true); }), names_it);
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { store.PurgeQueue("jobs"); }), names_it);
  EXPECT_THAT(NamesOf(store.ListQueues()), ElementsAre("Jobs"));
}

TEST_P(Queues, DeleteQueueRefusesWhileAMessageWaitsOrIsLeased) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto refusal = [&] {
    return MessageOf<ValidationError>([&] { store.DeleteQueue("jobs"); });
  };
  queue.Enqueue("delayed", {.delay = minutes(1)});
  EXPECT_THAT(refusal(), HasSubstr("\"jobs\""));
  Advance(minutes(1));
  EXPECT_THAT(refusal(), HasSubstr("still has messages,"));
  auto message = queue.Dequeue();
  ASSERT_TRUE(message);
  EXPECT_THAT(refusal(), HasSubstr("still has messages,"));
  EXPECT_TRUE(message->Ack());
  store.DeleteQueue("jobs");
  EXPECT_THAT(store.ListQueues(), IsEmpty());
}

TEST_P(Queues, DeleteQueueRefusesWhileALiveWorkerRefersToIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  EXPECT_THAT(MessageOf<ValidationError>([&] { store.DeleteQueue("jobs"); }), HasSubstr("worker"));
  consumer.Close();
  store.DeleteQueue("jobs");
  EXPECT_THAT(store.ListQueues(), IsEmpty());
}

TEST_P(Queues, AWorkerWithoutHeartbeatDoesNotKeepAQueueFromBeingDeleted) {
  config().heartbeat_interval = hours(1);
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto consumer = queue.NewConsumer();
  Advance(hours(24));
  store.DeleteQueue("jobs");
  EXPECT_THAT(store.ListQueues(), IsEmpty());
}

TEST_P(Queues, DeleteQueueRemovesFinishedAndDeadMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = queue.EnqueueBatch(NumberedPayloads(2));
  auto messages = queue.DequeueBatch(2);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].DeadLetter("no use"));
  store.DeleteQueue("jobs");
  EXPECT_FALSE(store.FindMessage(ids[0]));
  EXPECT_FALSE(store.FindMessage(ids[1]));
  EXPECT_THAT(AllMessages(store), IsEmpty());
  store.Admin().Verify();
}

TEST_P(Queues, ForcedDeleteQueueRemovesEverythingOfTheQueueAndNothingElse) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  const auto kept = other.Enqueue("kept");
  const auto consumer = queue.NewConsumer();
  queue.EnqueueBatch(NumberedPayloads(70));
  auto messages = queue.DequeueBatch(40);
  ASSERT_THAT(messages, SizeIs(40));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].DeadLetter("no use"));
  EnqueueInManyBatches(queue, 1200);

  store.DeleteQueue("jobs", true);
  EXPECT_THAT(NamesOf(store.ListQueues()), ElementsAre("other"));
  const auto left = AllMessages(store);
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].id, kept);
  for (const auto& worker : store.Admin().Workers()) EXPECT_NE(worker.queue_id, queue.id());
  store.Admin().Verify();
}

TEST_P(Queues, AQueueOfTheSameNameAsADeletedOneIsANewQueue) {
  auto store = Open();
  auto deleted = store.Queue("jobs");
  deleted.EnqueueBatch(NumberedPayloads(2));
  auto held = deleted.Dequeue();
  ASSERT_TRUE(held);
  store.DeleteQueue("jobs", true);

  auto queue = store.Queue("jobs");
  EXPECT_NE(queue.id(), deleted.id());
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_FALSE(held->Ack());
  EXPECT_FALSE(held->Release());
  EXPECT_THROW(deleted.Enqueue("late"), QueueNotFoundError);
  EXPECT_THAT(AllMessages(store), IsEmpty());
}

TEST_P(Queues, EveryCallOfADeletedQueueFails) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer();
  store.DeleteQueue("jobs", true);
  const std::vector<std::function<void()>> calls = {
      [&] { queue.Enqueue("late"); },
      [&] { queue.EnqueueBatch(NumberedPayloads(2)); },
      [&] { queue.EnqueueBatch({}); },
      [&] { queue.Dequeue(); },
      [&] { queue.DequeueBatch(2); },
      [&] { queue.DequeueWait(minutes(1)); },
      [&] { consumer.Dequeue(); },
      [&] { queue.NewConsumer(); },
      [&] { queue.Metrics(); },
      [&] { queue.ListArchived(); },
      [&] { queue.ListDeadLetters(); },
      [&] { queue.ReplayDeadLetter(64); },
      [&] { queue.ReplayDeadLetters(); },
      [&] { queue.PurgeDeadLetters(); },
      [&] { queue.ApplyRetention({.max_count = 0}); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_THAT(MessageOf<QueueNotFoundError>(calls[i]), HasSubstr("\"jobs\"")) << "call " << i;
  }
}

TEST_P(Queues, AConsumerThatWaitsIsToldThatItsQueueWasDeleted) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto waiting = queue.DequeueWaitAsync(hours(1));
  AwaitWaitingConsumers(store, 1);
  store.DeleteQueue("jobs");
  EXPECT_THROW(waiting.Get(), QueueNotFoundError);
}

TEST_P(Queues, PurgeQueueRemovesWaitingAndDelayedMessagesAndSaysHowMany) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto other = store.Queue("other");
  other.Enqueue("kept");
  queue.EnqueueBatch(NumberedPayloads(70));
  queue.Enqueue("first", {.priority = 0});
  EnqueueInManyBatches(queue, 600);
  EXPECT_EQ(store.PurgeQueue("jobs"), 671);
  EXPECT_EQ(store.PurgeQueue("jobs"), 0);
  Advance(hours(10));
  EXPECT_FALSE(queue.Dequeue());
  EXPECT_THAT(AllMessages(store), SizeIs(1));
  store.Admin().Verify();
}

TEST_P(Queues, PurgeQueueLeavesLeasedMessagesToTheirHolders) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(5));
  auto held = queue.DequeueBatch(2);
  ASSERT_THAT(held, SizeIs(2));
  EXPECT_EQ(store.PurgeQueue("jobs"), 3);
  EXPECT_TRUE(held[0].Ack());
  EXPECT_TRUE(held[1].Release());
  const auto again = queue.DequeueBatch(10);
  EXPECT_THAT(TextsOf(again), ElementsAre("1"));
  EXPECT_EQ(store.FindMessage(held[0].id())->payload.text(), "0");
}

TEST_P(Queues, PurgeQueueRemovesAMessageWhoseLeaseEnded) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("held too long");
  auto held = queue.Dequeue(seconds(1));
  ASSERT_TRUE(held);
  Advance(seconds(1));
  EXPECT_EQ(store.PurgeQueue("jobs"), 1);
  EXPECT_FALSE(held->Ack());
  EXPECT_FALSE(store.FindMessage(held->id()));
}

TEST_P(Queues, PurgeQueueLeavesFinishedAndDeadMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(NumberedPayloads(3));
  auto messages = queue.DequeueBatch(2);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].DeadLetter("no use"));
  EXPECT_EQ(store.PurgeQueue("jobs"), 1);
  EXPECT_THAT(queue.ListArchived(), SizeIs(1));
  EXPECT_THAT(queue.ListDeadLetters(), SizeIs(1));
}

}  // namespace
}  // namespace pgqrs::testing
