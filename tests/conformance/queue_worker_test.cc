#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {
namespace {

class QueueWorkers : public QueueWorkerTest {};
PGQRS_ON_EVERY_BACKEND(QueueWorkers);

TEST_P(QueueWorkers, WithoutPrefetchAllHandlersGetMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Gate gate;
  const OpenAtEnd open(gate);
  Enqueue(queue, 6);
  QueueWorker worker(queue, [&](Message&) { gate.Pass(); }, {.concurrency = 4, .prefetch = 0});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 4; }));
  EXPECT_EQ(queue.Metrics().leased, 4);
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 6; }));
}

TEST_P(QueueWorkers, EachMessageIsHandledOnceAndAckedWhenTheHandlerReturns) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Enqueue(queue, 200);
  std::mutex mutex;
  std::map<std::int64_t, int> handled;
  QueueWorker worker(queue,
                     [&](Message& message) {
                       const std::lock_guard lock(mutex);
                       ++handled[message.id()];
                     },
                     {.concurrency = 4, .prefetch = 20});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 200; }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(handled.size(), 200U);
  for (const auto id : ids) EXPECT_EQ(handled[id], 1);
  EXPECT_EQ(queue.Metrics().archived, 200);
  EXPECT_EQ(worker.counts().failed, 0U);
  EXPECT_EQ(worker.counts().dead, 0U);
}

TEST_P(QueueWorkers, TheHandlerSeesTheMessageUnderTheWorkersLease) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("payload", {.priority = 2});
  std::atomic<bool> done{false};
  QueueWorker worker(queue,
                     [&](Message& message) {
                       EXPECT_EQ(message.id(), id);
                       EXPECT_EQ(message.payload().AsString(), "payload");
                       EXPECT_EQ(message.priority(), 2);
                       EXPECT_EQ(message.read_count(), 1);
                       EXPECT_EQ(message.queue_name(), "jobs");
                       EXPECT_EQ(message.worker_id(), worker.worker_id());
                       EXPECT_EQ(message.lease_end(), clock().Now() + seconds(90));
                       done = true;
                     },
                     {.lease = seconds(90)});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
}

TEST_P(QueueWorkers, NoMoreThanConcurrencyHandlersRunAtOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Enqueue(queue, 40);
  Gate gate;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  QueueWorker worker(queue,
                     [&](Message&) {
                       const int now = ++running;
                       for (int seen = most;
                            seen < now && !most.compare_exchange_weak(seen, now);) {
                       }
                       gate.Pass();
                       --running;
                     },
                     {.concurrency = 3, .prefetch = 20});
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return gate.waiting() == 3; }));
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 40; }));
  EXPECT_EQ(most, 3);
}

TEST_P(QueueWorkers, NoMoreThanConcurrencyAndPrefetchAreLeased) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Enqueue(queue, 20);
  const auto leased = [&] { return queue.Metrics().leased; };
  for (const int prefetch : {0, 4}) {
    Gate gate;
    QueueWorker worker(queue, [&](Message&) { gate.Pass(); },
                       {.concurrency = 2, .prefetch = prefetch});
    const OpenAtEnd open_at_end(gate);
    worker.Start();
    EXPECT_TRUE(Eventually([&] { return leased() >= 2 + prefetch; }));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(leased(), 2 + prefetch);
    worker.RequestStop();
  }
}

TEST_P(QueueWorkers, AWorkerThatWaitsIsWokenByAnEnqueue) {
  UseSystemClock();
  config().fallback_poll_interval = minutes(10);
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return store.EngineMetrics().waiting_consumers == 1; }));
  queue.Enqueue("x");
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 1; }));
}

TEST_P(QueueWorkers, AHandlerMaySettleTheMessageItself) {
  using Settle = std::function<bool(Message&)>;
  const std::vector<std::pair<Settle, MessageState>> ways = {
      {[](Message& message) { return message.Ack(); }, MessageState::kArchived},
      {[](Message& message) { return message.Release(hours(1)); }, MessageState::kDelayed},
      {[](Message& message) { return message.DeadLetter("no use"); }, MessageState::kDead},
  };
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const bool then_throw : {false, true}) {
    for (const auto& [settle, state] : ways) {
      const auto id = queue.Enqueue("x");
      std::atomic<bool> answer{false};
      QueueWorker worker(queue, [&, way = &settle](Message& message) {
        answer = (*way)(message);
        if (then_throw) throw std::runtime_error("after all");
      });
      worker.Start();
      ASSERT_TRUE(Eventually([&] { return answer.load(); }));
      EXPECT_TRUE(worker.Stop());
      EXPECT_EQ(StateOf(store, id), state);
      EXPECT_EQ(store.FindMessage(id)->last_error, "");
      EXPECT_EQ(worker.counts().failed, then_throw ? 1U : 0U);
    }
  }
}

TEST_P(QueueWorkers, AHandlerMayDeleteTheMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message& message) { EXPECT_TRUE(message.Delete()); });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return !store.FindMessage(id); }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_FALSE(store.FindMessage(id));
}

TEST_P(QueueWorkers, AHandlerMayUseTheStore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto next = store.Queue("next");
  Enqueue(queue, 10);
  QueueWorker worker(queue, [&](Message& message) { next.Enqueue(message.payload()); },
                     {.concurrency = 2});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return next.Metrics().waiting == 10; }));
}

TEST_P(QueueWorkers, TwoWorkersOnOneQueueShareItsMessages) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::atomic<int> first_handled{0};
  std::atomic<int> second_handled{0};
  // Each holds its first message until the other has one too.
  const auto handler = [](std::atomic<int>& mine, std::atomic<int>& other) {
    return [&](Message&) {
      ++mine;
      EXPECT_TRUE(Eventually([&] { return other > 0; }));
    };
  };
  QueueWorker first(queue, handler(first_handled, second_handled), {.prefetch = 0});
  QueueWorker second(queue, handler(second_handled, first_handled), {.prefetch = 0});
  first.Start();
  second.Start();
  Enqueue(queue, 30);
  EXPECT_TRUE(Eventually([&] { return first.counts().acked + second.counts().acked == 30; }));
  EXPECT_EQ(first_handled + second_handled, 30);
  EXPECT_NE(first.worker_id(), second.worker_id());
}

TEST_P(QueueWorkers, AWorkerHasARowWithItsStateAndAHeartbeat) {
  config().heartbeat_interval = milliseconds(100);
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {}, {.name = "mailer"});
  EXPECT_EQ(worker.worker_id(), 0) << "before it runs";
  worker.Start();
  const auto info = [&] { return store.Admin().Worker(worker.worker_id()); };
  ASSERT_TRUE(Eventually(
      [&] { return worker.worker_id() != 0 && info().status == WorkerStatus::kPolling; }));
  EXPECT_EQ(info().name, "mailer");
  EXPECT_EQ(info().queue_id, queue.id());
  EXPECT_EQ(info().started_at, clock().Now());
  Advance(hours(1));
  EXPECT_TRUE(Eventually([&] { return info().heartbeat_at == clock().Now(); }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(info().status, WorkerStatus::kStopped);
  Advance(hours(1));
  EXPECT_THAT(store.Admin().StaleWorkers(minutes(1)), IsEmpty());
}

TEST_P(QueueWorkers, AWorkerRunsOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  EXPECT_THAT(MessageOf<Error>([&] { worker.Run(); }), HasSubstr("has been run already"));
  EXPECT_THAT(MessageOf<Error>([&] { worker.Start(); }), HasSubstr("has been run already"));
  EXPECT_TRUE(worker.Stop());
  EXPECT_THAT(MessageOf<Error>([&] { worker.Run(); }), HasSubstr("has been run already"));
  EXPECT_THAT(MessageOf<Error>([&] { worker.Start(); }), HasSubstr("has been run already"));
}

TEST_P(QueueWorkers, OptionsWithoutMeaningAreRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto refusal = [&](const WorkerOptions& options) {
    return MessageOf<ValidationError>([&] {
      QueueWorker(
          queue, [](Message&) {}, options);
    });
  };
  EXPECT_THAT(refusal({.concurrency = 0}), HasSubstr("concurrency"));
  EXPECT_THAT(refusal({.concurrency = 10'001}), HasSubstr("concurrency"));
  EXPECT_THAT(refusal({.prefetch = -1}), HasSubstr("prefetch"));
  EXPECT_THAT(refusal({.prefetch = Queue::kMaxBatchSize + 1}), HasSubstr("prefetch"));
  EXPECT_THAT(refusal({.lease = Duration::zero()}), HasSubstr("lease"));
  EXPECT_THAT(refusal({.retry = {.max_attempts = 0}}), HasSubstr("max_attempts"));
  EXPECT_THAT(refusal({.retry = {.base_delay = seconds(-1)}}), HasSubstr("base_delay"));
  EXPECT_THAT(refusal({.retry = {.max_delay = seconds(-1)}}), HasSubstr("max_delay"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { QueueWorker(queue, nullptr); }),
              HasSubstr("handler"));
}

TEST_P(QueueWorkers, ANameThatCannotBeStoredFailsTheRun) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {}, {.name = "\xff"});
  EXPECT_THROW(worker.Run(), ValidationError);
  EXPECT_TRUE(worker.Stop());
}

TEST_P(QueueWorkers, AWorkerOfADeletedQueueCanStillBeStopped) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return store.EngineMetrics().waiting_consumers == 1; }));
  store.DeleteQueue("jobs", true);
  ASSERT_TRUE(Eventually([&] { return store.EngineMetrics().failed_requests > 0; }));
  EXPECT_TRUE(worker.Stop());
}

TEST_P(QueueWorkers, AHandlerMayAssignToItsMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto other_id = queue.Enqueue("other", {.priority = 0});
  const auto other = queue.Dequeue();
  const auto id = queue.Enqueue("message");
  QueueWorker worker(queue, [&](Message& message) { message = *other; });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return StateOf(store, id) == MessageState::kArchived; }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(StateOf(store, other_id), MessageState::kLeased);
}

}  // namespace
}  // namespace pgqrs::testing
