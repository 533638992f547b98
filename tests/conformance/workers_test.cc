#include <array>
#include <chrono>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Workers : public ConformanceTest {
 protected:
  Workers() {
    // The heartbeats of these tests come from them.
    config().heartbeat_interval = hours(1);
  }
};
PGQRS_ON_EVERY_BACKEND(Workers);

using Path = std::vector<WorkerStatus>;

constexpr auto kAll =
    std::to_array({WorkerStatus::kReady, WorkerStatus::kPolling, WorkerStatus::kSuspended,
                   WorkerStatus::kInterrupted, WorkerStatus::kStopped});

// How a fresh worker gets to a state.
Path PathTo(WorkerStatus status) {
  switch (status) {
    case WorkerStatus::kReady:
      return {};
    case WorkerStatus::kPolling:
      return {WorkerStatus::kPolling};
    case WorkerStatus::kSuspended:
      return {WorkerStatus::kSuspended};
    case WorkerStatus::kInterrupted:
      return {WorkerStatus::kPolling, WorkerStatus::kInterrupted};
    case WorkerStatus::kStopped:
      return {WorkerStatus::kSuspended, WorkerStatus::kStopped};
  }
  return {};
}

bool IsAllowed(WorkerStatus from, WorkerStatus to) {
  switch (from) {
    case WorkerStatus::kReady:
      return to == WorkerStatus::kPolling || to == WorkerStatus::kSuspended;
    case WorkerStatus::kPolling:
      return to == WorkerStatus::kReady || to == WorkerStatus::kInterrupted;
    case WorkerStatus::kInterrupted:
      return to == WorkerStatus::kSuspended;
    case WorkerStatus::kSuspended:
      return to == WorkerStatus::kReady || to == WorkerStatus::kStopped;
    case WorkerStatus::kStopped:
      return false;
  }
  return false;
}

TEST_P(Workers, EveryTransitionThatIsNotAllowedIsRefusedAndTheStateStays) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const auto from : kAll) {
    for (const auto to : kAll) {
      const auto tried = std::string(ToString(from)) + " to " + std::string(ToString(to));
      auto consumer = queue.NewConsumer();
      for (const auto step : PathTo(from)) consumer.SetStatus(step);
      if (IsAllowed(from, to)) {
        consumer.SetStatus(to);
        EXPECT_EQ(consumer.Status(), to) << tried;
      } else {
        EXPECT_THAT(MessageOf<StateTransitionError>([&] { consumer.SetStatus(to); }),
                    HasSubstr("from " + tried));
        EXPECT_EQ(consumer.Status(), from) << tried;
      }
    }
  }
}

TEST_P(Workers, AConsumerIsAWorkerWithANameAQueueAndTimes) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto consumer = queue.NewConsumer("reader");
  const auto worker = store.Admin().Worker(consumer.worker_id());
  EXPECT_EQ(worker.id, consumer.worker_id());
  EXPECT_EQ(worker.name, "reader");
  EXPECT_EQ(worker.status, WorkerStatus::kReady);
  EXPECT_EQ(worker.queue_id, queue.id());
  EXPECT_EQ(worker.started_at, clock().Now());
  EXPECT_EQ(worker.heartbeat_at, clock().Now());
}

TEST_P(Workers, AWorkerWithoutANameGetsOne) {
  auto store = Open();
  auto consumer = store.Queue("jobs").NewConsumer();
  EXPECT_THAT(store.Admin().Worker(consumer.worker_id()).name, HasSubstr("jobs"));
}

TEST_P(Workers, ANameThatCannotBeStoredIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.NewConsumer("\xff"); }),
              HasSubstr("worker name"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.NewConsumer(std::string(256, 'x')); }),
              HasSubstr("worker name"));
  EXPECT_EQ(store.Admin().Workers().size(), 0U);
}

TEST_P(Workers, TheStoreIsAWorkerOfNoQueueFromItsFirstEnqueueOn) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_EQ(store.worker_id(), 0);
  EXPECT_THAT(store.Admin().Workers(), IsEmpty());
  queue.Enqueue("x");
  EXPECT_NE(store.worker_id(), 0);
  const auto workers = store.Admin().Workers();
  ASSERT_EQ(workers.size(), 1U);
  EXPECT_EQ(workers[0].id, store.worker_id());
  EXPECT_EQ(workers[0].queue_id, std::nullopt);
  EXPECT_THAT(workers[0].name, Not(IsEmpty()));
}

TEST_P(Workers, AnUnknownWorkerIsAnError) {
  auto store = Open();
  EXPECT_THAT(MessageOf<WorkerNotFoundError>([&] { store.Admin().Worker(17); }),
              HasSubstr("worker 17"));
  EXPECT_THAT(MessageOf<WorkerNotFoundError>([&] { store.Admin().ReleaseWorkerMessages(17); }),
              HasSubstr("worker 17"));
}

TEST_P(Workers, AWorkerIsStaleWhenItsHeartbeatIsOlderThanTheTimeout) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto old = queue.NewConsumer("old");
  Advance(minutes(1));
  auto fresh = queue.NewConsumer("fresh");
  auto admin = store.Admin();
  EXPECT_THAT(admin.StaleWorkers(minutes(1)), IsEmpty()) << "exactly as old is not older";
  Advance(seconds(1));
  const auto stale = admin.StaleWorkers(minutes(1));
  ASSERT_EQ(stale.size(), 1U);
  EXPECT_EQ(stale[0].id, old.worker_id());
  EXPECT_EQ(admin.StaleWorkers(Duration::zero()).size(), 2U);
  EXPECT_THROW(admin.StaleWorkers(seconds(-1)), ValidationError);
  EXPECT_THROW(admin.PurgeStaleWorkers(seconds(-1)), ValidationError);
}

TEST_P(Workers, AStoppedWorkerIsNotStale) {
  auto store = Open();
  auto consumer = store.Queue("jobs").NewConsumer();
  consumer.Close();
  Advance(hours(1));
  EXPECT_THAT(store.Admin().StaleWorkers(seconds(1)), IsEmpty());
  EXPECT_EQ(store.Admin().PurgeStaleWorkers(seconds(1)), 0);
}

TEST_P(Workers, AreCountedByQueueAndState) {
  auto store = Open();
  auto jobs = store.Queue("jobs");
  store.Queue("idle");
  auto admin = store.Admin();
  std::vector<Consumer> consumers;
  for (const auto status : {WorkerStatus::kReady, WorkerStatus::kPolling, WorkerStatus::kSuspended,
                            WorkerStatus::kInterrupted, WorkerStatus::kStopped}) {
    consumers.push_back(jobs.NewConsumer());
    for (const auto step : PathTo(status)) consumers.back().SetStatus(step);
  }
  const auto counts = [](const WorkerHealth& health) {
    return std::tuple(health.queue_name, health.total, health.ready, health.polling,
                      health.suspended, health.interrupted, health.stopped, health.stale);
  };
  const auto health = [&](std::optional<Duration> timeout) {
    std::vector<decltype(counts({}))> all;
    for (const auto& each : admin.WorkerHealth(timeout)) all.push_back(counts(each));
    return all;
  };
  EXPECT_THAT(health({}), ElementsAre(std::tuple("idle", 0, 0, 0, 0, 0, 0, 0),
                                      std::tuple("jobs", 5, 1, 1, 1, 1, 1, 0)));
  jobs.Enqueue("makes the worker of the store itself");
  Advance(seconds(2));
  EXPECT_THAT(health(seconds(1)), ElementsAre(std::tuple("idle", 0, 0, 0, 0, 0, 0, 0),
                                              std::tuple("jobs", 5, 1, 1, 1, 1, 1, 4),
                                              std::tuple("", 1, 1, 0, 0, 0, 0, 1)));
  EXPECT_THROW(admin.WorkerHealth(seconds(-1)), ValidationError);
}

TEST_P(Workers, PurgingStaleWorkersRemovesTheRowsOfThoseThatStoppedLongAgo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto admin = store.Admin();
  const std::vector<Json> payloads(3, "x");
  queue.EnqueueBatch(payloads);
  auto old = queue.NewConsumer("old");
  const auto old_id = old.worker_id();
  auto finished = old.Dequeue();
  ASSERT_TRUE(finished && finished->Ack());
  old.Close();
  // Stopped by its own word, with a message under lease.
  auto holds = queue.NewConsumer("holds");
  auto held = holds.Dequeue(hours(10));
  for (const auto status : PathTo(WorkerStatus::kStopped)) holds.SetStatus(status);
  Advance(minutes(1));
  queue.NewConsumer("fresh").Close();
  EXPECT_EQ(admin.PurgeStaleWorkers(minutes(1)), 0);
  EXPECT_EQ(admin.Workers().size(), 4U) << "exactly as old is not older";

  Advance(seconds(1));
  EXPECT_EQ(admin.PurgeStaleWorkers(minutes(1)), 1) << "the store's own alone was stale";
  std::vector<std::string> left;
  for (const auto& worker : admin.Workers()) left.push_back(worker.name);
  EXPECT_THAT(left, ElementsAre("holds", "fresh"));
  EXPECT_EQ(store.FindMessage(finished->id())->worker_id, old_id) << "the archive still tells";
  EXPECT_GT(queue.NewConsumer().worker_id(), old_id) << "whose id nobody else gets";

  ASSERT_TRUE(held && held->Ack());
  EXPECT_EQ(admin.PurgeStaleWorkers(minutes(1)), 0);
  EXPECT_THROW(admin.Worker(holds.worker_id()), WorkerNotFoundError);
}

TEST_P(Workers, ManyStoppedWorkersAreRemovedStepByStep) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<void>> closed;
  closed.reserve(1200);
  for (int i = 0; i < 1200; ++i) closed.push_back(queue.NewConsumer().CloseAsync());
  for (auto& future : closed) future.Get();
  Advance(seconds(2));
  EXPECT_EQ(store.Admin().PurgeStaleWorkers(seconds(1)), 0);
  EXPECT_THAT(store.Admin().Workers(), IsEmpty());
}

TEST_P(Workers, PurgingStaleWorkersReleasesWhatTheyHoldAndKeepsTheirReads) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto stale = queue.NewConsumer("stale");
  auto other_stale = queue.NewConsumer("stale too");
  queue.EnqueueBatch(Payloads(100));
  auto held = stale.DequeueBatch(60, hours(10));
  ASSERT_EQ(held.size(), 60U);
  Advance(minutes(5));
  auto live = queue.NewConsumer("live");
  const auto kept = live.DequeueBatch(10, hours(10));
  ASSERT_EQ(kept.size(), 10U);

  EXPECT_EQ(store.Admin().PurgeStaleWorkers(minutes(4)), 3) << "the store's own is stale as well";
  EXPECT_EQ(queue.Metrics().waiting, 90);
  EXPECT_EQ(queue.Metrics().leased, 10);
  EXPECT_THROW(store.Admin().Worker(stale.worker_id()), WorkerNotFoundError);
  EXPECT_FALSE(held.front().Ack());
  EXPECT_EQ(store.FindMessage(held.front().id())->read_count, 1);
  EXPECT_TRUE(live.Ack(kept.front().id()));
  store.Admin().Verify();
}

TEST_P(Workers, ManyStaleWorkersOfSeveralQueuesArePurgedStepByStep) {
  auto store = Open();
  const std::vector<Queue> queues = {store.Queue("jobs"), store.Queue("mail")};
  constexpr int kWorkers = 600;
  std::vector<Consumer> stale;
  for (int i = 0; i < kWorkers; ++i) {
    auto queue = queues[static_cast<std::size_t>(i % 2)];
    queue.Enqueue("x");
    stale.push_back(queue.NewConsumer());
    ASSERT_TRUE(stale.back().Dequeue(hours(10)));
  }
  Advance(minutes(5));
  auto mail = queues[1];
  auto live = mail.NewConsumer("live");
  mail.Enqueue("x");
  ASSERT_TRUE(live.Dequeue(hours(10)));

  EXPECT_EQ(store.Admin().PurgeStaleWorkers(minutes(4)), kWorkers + 1) << "and the store's own";
  for (auto queue : queues) EXPECT_EQ(queue.Metrics().waiting, kWorkers / 2);
  EXPECT_EQ(mail.Metrics().leased, 1);
  EXPECT_THAT(store.Admin().Workers(), SizeIs(1));
}

TEST_P(Workers, TheMessagesOfOneWorkerCanBeReleasedWithoutItsDoing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto one = queue.NewConsumer("one");
  auto two = queue.NewConsumer("two");
  queue.EnqueueBatch(Payloads(1500));
  ASSERT_EQ(one.DequeueBatch(1000).size(), 1000U);
  ASSERT_EQ(two.DequeueBatch(500).size(), 500U);
  EXPECT_EQ(store.Admin().ReleaseWorkerMessages(one.worker_id()), 1000);
  EXPECT_EQ(store.Admin().ReleaseWorkerMessages(one.worker_id()), 0);
  EXPECT_EQ(queue.Metrics().waiting, 1000);
  EXPECT_EQ(queue.Metrics().leased, 500);
}

TEST_P(Workers, ReleasingFindsTheMessagesOfOneWorkerAmongManyOfOneTime) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto one = queue.NewConsumer("one");
  auto two = queue.NewConsumer("two");
  constexpr int kEach = 600;
  for (int i = 0; i < 2 * kEach; ++i) {
    queue.Enqueue("x");
    ASSERT_TRUE((i % 2 == 0 ? one : two).Dequeue());
  }
  EXPECT_EQ(store.Admin().ReleaseWorkerMessages(one.worker_id()), kEach);
  EXPECT_EQ(queue.Metrics().waiting, kEach);
  EXPECT_EQ(queue.Metrics().leased, kEach);
  EXPECT_EQ(store.PurgeQueue("jobs"), kEach);
  EXPECT_EQ(store.Admin().ReleaseWorkerMessages(two.worker_id()), kEach);
}

TEST_P(Workers, AStoreRenewsTheHeartbeatsOfItsWorkers) {
  config().heartbeat_interval = milliseconds(100);
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  auto consumer = queue.NewConsumer();
  Advance(hours(1));
  const auto now = clock().Now();
  const auto deadline = std::chrono::steady_clock::now() + minutes(1);
  const auto has_beaten = [&] {
    return store.Admin().StaleWorkers(seconds(1)).empty() ||
           std::chrono::steady_clock::now() > deadline;
  };
  while (!has_beaten()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(store.Admin().Worker(consumer.worker_id()).heartbeat_at, now);
  EXPECT_EQ(store.Admin().Worker(store.worker_id()).heartbeat_at, now);
}

TEST_P(Workers, TheNamesOfStatesAreThoseOfTheManual) {
  std::vector<std::string_view> names;
  names.reserve(kAll.size());
  for (const auto status : kAll) names.push_back(ToString(status));
  EXPECT_THAT(names, ElementsAre("Ready", "Polling", "Suspended", "Interrupted", "Stopped"));
}

}  // namespace
}  // namespace pgqrs::testing
