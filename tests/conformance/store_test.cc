#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Store : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Store);

TEST_P(Store, TheLastCopyClosesTheStoreAndNoEarlierOne) {
  auto store = std::make_optional(Open());
  auto copy = store;
  auto queue = store->Queue("jobs");
  store.reset();
  queue.Enqueue("x");
  EXPECT_EQ(copy->Queue("jobs").id(), queue.id());
  copy.reset();
  EXPECT_THAT(MessageOf<Error>([&] { queue.Enqueue("x"); }), HasSubstr("the store is closed"));
}

TEST_P(Store, WhatWasMadeFromAStoreMayOutliveItAndThrows) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  auto admin = store->Admin();
  queue.Enqueue("payload");
  auto message = queue.Dequeue();
  store.reset();
  EXPECT_EQ(message->payload().AsString(), "payload");
  EXPECT_EQ(message->queue_name(), "jobs");
  EXPECT_THROW(message->Ack(), Error);
  EXPECT_THROW(message->ExtendLease(seconds(1)), Error);
  EXPECT_THROW(queue.Dequeue(), Error);
  EXPECT_THROW(queue.DequeueWait(seconds(1)), Error);
  EXPECT_THROW(queue.Metrics(), Error);
  EXPECT_THROW(queue.NewConsumer(), Error);
  EXPECT_THROW(admin.Workers(), Error);
  EXPECT_THROW(admin.Verify(), Error);
}

TEST_P(Store, ClosingFinishesWhatIsUnderWay) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  std::vector<Future<std::int64_t>> enqueues;
  enqueues.reserve(500);
  for (int i = 0; i < 500; ++i) enqueues.push_back(queue.EnqueueAsync("x"));
  store.reset();
  for (auto& enqueue : enqueues) EXPECT_GT(enqueue.Get(), 0);
  if (!IsShared()) return;
  EXPECT_EQ(Open().Queue("jobs").Metrics().waiting, 500);
}

TEST_P(Store, ClosingEndsEveryWaitWithNothing) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  std::vector<Future<std::optional<Message>>> waits;
  waits.reserve(20);
  for (int i = 0; i < 20; ++i) waits.push_back(queue.DequeueWaitAsync(hours(1)));
  store.reset();
  for (auto& wait : waits) EXPECT_FALSE(wait.Get());
}

TEST_P(Store, ClosingGivesBackWhatItsOwnWorkerHolds) {
  if (!IsShared()) GTEST_SKIP() << "nobody else can look";
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    queue.EnqueueBatch(Payloads(100));
    ASSERT_EQ(queue.DequeueBatch(70, hours(1)).size(), 70U);
  }
  auto store = Open();
  EXPECT_EQ(store.Queue("jobs").Metrics().waiting, 100);
  const auto workers = store.Admin().Workers();
  ASSERT_EQ(workers.size(), 1U);
  EXPECT_EQ(workers[0].status, WorkerStatus::kStopped);
}

TEST_P(Store, TwoStoresShareOneDatabase) {
  if (!IsShared()) GTEST_SKIP() << "each store has its own database";
  auto one = Open();
  auto two = Open();
  const auto id = one.Queue("jobs").Enqueue("x");
  auto message = two.Queue("jobs").Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
  EXPECT_FALSE(one.Queue("jobs").Dequeue());
  EXPECT_FALSE(one.Ack(id)) << "the other store holds it";
  EXPECT_TRUE(two.Ack(id));
  EXPECT_EQ(one.FindMessage(id)->state, MessageState::kArchived);
}

TEST_P(Store, AConsumerIsWokenByAnotherStore) {
  if (!IsShared()) GTEST_SKIP() << "each store has its own database";
  UseSystemClock();
  config().fallback_poll_interval = minutes(10);
  auto one = Open();
  auto two = Open();
  auto waiting = one.Queue("jobs").DequeueWaitAsync(minutes(5));
  while (one.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  const auto id = two.Queue("jobs").Enqueue("x");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->id(), id);
}

TEST_P(Store, ManyStoresMayOpenANewDatabaseAtOnce) {
  if (!IsShared()) GTEST_SKIP() << "each store has its own database";
  std::vector<std::thread> threads;
  threads.reserve(6);
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { Open().Queue("jobs").Enqueue("x"); });
  }
  for (auto& thread : threads) thread.join();
  auto store = Open();
  EXPECT_EQ(store.ListQueues().size(), 1U);
  EXPECT_EQ(store.Queue("jobs").Metrics().waiting, 6);
  store.Admin().Verify();
}

TEST_P(Store, CallsWorkFromManyThreadsAtOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        queue.Enqueue("x");
        auto message = queue.Dequeue();
        ASSERT_TRUE(message);
        EXPECT_TRUE(message->Ack());
        queue.Metrics();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(queue.Metrics().archived, 100);
  store.Admin().Verify();
}

TEST_P(Store, AConfigurationWithoutMeaningIsRefusedAndNamed) {
  const auto refusal = [&](auto change) {
    Config changed = config();
    change(changed);
    return MessageOf<ConfigError>([&] { PgqrsStore::Connect(changed); });
  };
  using C = Config;
  EXPECT_THAT(refusal([](C& c) { c.connection_timeout = Duration::zero(); }),
              HasSubstr("connection_timeout"));
  EXPECT_THAT(refusal([](C& c) { c.max_connections = 0; }), HasSubstr("max_connections"));
  EXPECT_THAT(refusal([](C& c) { c.default_lease = Duration(999); }), HasSubstr("default_lease"));
  EXPECT_THAT(refusal([](C& c) { c.default_lease = kMaxDuration + Duration(1); }),
              HasSubstr("default_lease"));
  EXPECT_THAT(refusal([](C& c) { c.max_read_ct = 0; }), HasSubstr("max_read_ct"));
  EXPECT_THAT(refusal([](C& c) { c.heartbeat_interval = Duration(99'999); }),
              HasSubstr("heartbeat_interval"));
  EXPECT_THAT(refusal([](C& c) { c.fallback_poll_interval = Duration::zero(); }),
              HasSubstr("fallback_poll_interval"));
  EXPECT_THAT(refusal([](C& c) { c.max_payload_size = 0; }), HasSubstr("max_payload_size"));
  EXPECT_THAT(refusal([](C& c) { c.max_object_depth = -1; }), HasSubstr("max_object_depth"));
  EXPECT_THAT(refusal([](C& c) { c.max_object_depth = 1001; }), HasSubstr("max_object_depth"));
  EXPECT_THAT(refusal([](C& c) { c.max_enqueue_per_second = 0; }),
              HasSubstr("max_enqueue_per_second"));
  EXPECT_THAT(refusal([](C& c) { c.max_enqueue_burst = 0; }), HasSubstr("max_enqueue_burst"));
  EXPECT_THAT(refusal([](C& c) { c.max_pending_requests = 0; }), HasSubstr("max_pending_requests"));
  EXPECT_THAT(refusal([](C& c) { c.max_pending_bytes = 0; }), HasSubstr("max_pending_bytes"));
}

TEST_P(Store, TheDsnOfNoBackendIsRefusedWithoutBeingShown) {
  for (const std::string dsn :
       {"", "queue.db", "mysql://ada:s3cret@host/db", "Postgres://ada:s3cret@host/db",
        "postgresql:ada:s3cret@host/db", "turso:q.db?key=s3cret",
        "postgresql://ada:s3cret@host:here/db", "postgresql://ada:pa@s3cret@host/db",
        "host=db password=s3cret and more"}) {
    const auto text = MessageOf<ConfigError>([&] { PgqrsStore::Connect(dsn); });
    EXPECT_THAT(text, HasSubstr("dsn")) << dsn;
    EXPECT_THAT(text, ::testing::Not(HasSubstr("s3cret"))) << dsn;
  }
}

TEST_P(Store, ALittleRoomForRequestsOnlySlowsCallersDown) {
  config().max_pending_requests = 2;
  config().max_pending_bytes = 1;
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<std::int64_t>> enqueues;
  enqueues.reserve(50);
  for (int i = 0; i < 50; ++i) enqueues.push_back(queue.EnqueueAsync("x"));
  for (auto& enqueue : enqueues) EXPECT_GT(enqueue.Get(), 0);
}

TEST_P(Store, AStoreWithOneConnectionWorks) {
  config().max_connections = 1;
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  EXPECT_EQ(queue.Metrics().waiting, 1);
  EXPECT_EQ(store.ListQueues().size(), 1U);
}

TEST_P(Store, NoQueuesAreThereAtFirst) {
  auto store = Open();
  EXPECT_THAT(store.ListQueues(), IsEmpty());
  EXPECT_THAT(store.Admin().Messages(), IsEmpty());
}

}  // namespace
}  // namespace pgqrs::testing
