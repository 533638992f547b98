#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {
namespace {

class QueueWorkerStopping : public QueueWorkerTest {};
PGQRS_ON_EVERY_BACKEND(QueueWorkerStopping);

TEST_P(QueueWorkerStopping, UnseenMessagesComeBackAtOnceWithTheirReadCountAsBefore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Enqueue(queue, 6);
  for (auto& message : queue.DequeueBatch(6)) ASSERT_TRUE(message.Release());
  Gate gate;
  QueueWorker worker(queue, [&](Message&) { gate.Pass(); }, {.concurrency = 1, .prefetch = 5});
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return queue.Metrics().leased == 6 && gate.waiting() == 1; }));
  worker.RequestStop();
  EXPECT_TRUE(Eventually([&] { return queue.Metrics().waiting == 5; }));
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(store.FindMessage(ids[i])->read_count, 1);
  EXPECT_EQ(StateOf(store, ids[0]), MessageState::kLeased) << "the running handler goes on";
  gate.Open();
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(StateOf(store, ids[0]), MessageState::kArchived);
  EXPECT_EQ(store.FindMessage(ids[0])->read_count, 2);
  EXPECT_EQ(worker.counts().acked, 1U);
}

TEST_P(QueueWorkerStopping, StopTakesNoNewMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return store.EngineMetrics().waiting_consumers == 1; }));
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(store.EngineMetrics().waiting_consumers, 0U);
  const auto id = queue.Enqueue("x");
  EXPECT_EQ(queue.Dequeue()->id(), id);
}

TEST_P(QueueWorkerStopping, AHandlerThatDoesNotEndInTimeLosesItsMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  Gate gate;
  std::atomic<int> answer{-1};
  QueueWorker worker(queue, [&](Message& message) {
    gate.Pass();
    answer = message.Ack() ? 1 : 0;
  });
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  EXPECT_FALSE(worker.Stop(Duration::zero()));
  auto taken = queue.Dequeue();
  ASSERT_TRUE(taken) << "others may have it";
  EXPECT_EQ(taken->id(), id);
  EXPECT_EQ(taken->read_count(), 2);
  gate.Open();
  EXPECT_TRUE(worker.Stop()) << "for the second time, when the handler is free";
  EXPECT_EQ(answer, 0);
  EXPECT_EQ(worker.counts().acked, 0U);
  EXPECT_TRUE(taken->Ack());
}

TEST_P(QueueWorkerStopping, AHandlerThatLostItsMessageByStopIsNotAckedWhenItReturns) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  Gate gate;
  QueueWorker worker(queue, [&](Message&) { gate.Pass(); });
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return gate.waiting() == 1; }));
  EXPECT_FALSE(worker.Stop(Duration::zero()));
  gate.Open();
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(worker.counts().acked, 0U);
  EXPECT_EQ(StateOf(store, id), MessageState::kWaiting);
  EXPECT_EQ(store.FindMessage(id)->read_count, 1);
}

TEST_P(QueueWorkerStopping, ADeadlineBelowZeroIsRefused) {
  auto store = Open();
  QueueWorker worker(store.Queue("jobs"), [](Message&) {});
  EXPECT_THAT(MessageOf<ValidationError>([&] { worker.Stop(seconds(-1)); }), HasSubstr("deadline"));
}

TEST_P(QueueWorkerStopping, AHandlerMayAskItsOwnWorkerToStop) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Enqueue(queue, 10);
  QueueWorker worker(queue, [&](Message&) { worker.RequestStop(); }, {.prefetch = 9});
  worker.Run();
  EXPECT_EQ(worker.counts().acked, 1U);
  EXPECT_EQ(queue.Metrics().waiting, 9);
  EXPECT_EQ(queue.Metrics().leased, 0);
  EXPECT_EQ(store.Admin().Worker(worker.worker_id()).status, WorkerStatus::kStopped);
}

TEST_P(QueueWorkerStopping, AWorkerThatWasStoppedBeforeItRanTakesNothing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) {});
  EXPECT_TRUE(worker.Stop());
  worker.Run();
  EXPECT_EQ(worker.counts().acked, 0U);
  EXPECT_EQ(queue.Metrics().waiting, 1);
}

TEST_P(QueueWorkerStopping, StopMayComeAtAnyMomentOfTheStart) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  Enqueue(queue, 3);
  for (int i = 0; i < 20; ++i) {
    QueueWorker worker(queue, [](Message& message) { message.Release(); }, {.prefetch = 3});
    worker.Start();
    for (int j = 0; j < i; ++j) std::this_thread::yield();
    EXPECT_TRUE(worker.Stop());
    EXPECT_EQ(queue.Metrics().leased, 0);
  }
}

TEST_P(QueueWorkerStopping, TheDestructorOfAWorkerThatNeverRanReturns) {
  auto store = Open();
  {
    const QueueWorker worker(store.Queue("jobs"), [](Message&) {});
  }
  EXPECT_EQ(store.Admin().Workers().size(), 0U);
}

TEST_P(QueueWorkerStopping, TheDestructorReleasesRunningMessagesAndWaitsForTheirHandlers) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  std::atomic<bool> is_running{false};
  std::atomic<bool> has_ended{false};
  {
    QueueWorker worker(queue, [&](Message&) {
      is_running = true;
      EXPECT_TRUE(Eventually([&] { return StateOf(store, id) == MessageState::kWaiting; }));
      has_ended = true;
    });
    worker.Start();
    ASSERT_TRUE(Eventually([&] { return is_running.load(); }));
  }
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(StateOf(store, id), MessageState::kWaiting);
}

TEST_P(QueueWorkerStopping, AStoreThatClosesStopsItsWorkersAndGivesBackWhatTheyHold) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  const auto ids = Enqueue(queue, 4);
  Gate gate;
  std::atomic<bool> has_thrown{false};
  QueueWorker worker(queue,
                     [&](Message& message) {
                       gate.Pass();
                       has_thrown = MessageOf<Error>([&] { message.Ack(); }).find("closed") !=
                                    std::string::npos;
                     },
                     {.concurrency = 1, .prefetch = 3});
  const OpenAtEnd open_at_end(gate);
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return queue.Metrics().leased == 4 && gate.waiting() == 1; }));
  store.reset();
  gate.Open();
  EXPECT_TRUE(worker.Stop());
  EXPECT_TRUE(has_thrown);
  EXPECT_EQ(worker.counts().acked, 0U);
  if (!IsShared()) return;
  auto again = Open();
  EXPECT_EQ(again.Queue("jobs").Metrics().waiting, 4);
  EXPECT_EQ(again.FindMessage(ids[0])->read_count, 1) << "its handler has seen it";
  EXPECT_EQ(again.FindMessage(ids[3])->read_count, 0);
  for (const auto& worker_row : again.Admin().Workers()) {
    EXPECT_EQ(worker_row.status, WorkerStatus::kStopped) << worker_row.name;
  }
}

TEST_P(QueueWorkerStopping, AWorkerOfAClosedStoreFailsToRun) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  store.reset();
  EXPECT_THAT(MessageOf<Error>([&] { worker.Run(); }), HasSubstr("closed"));
  EXPECT_TRUE(worker.Stop());
}

TEST_P(QueueWorkerStopping, AHandlerCannotWaitForItsOwnEnd) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("message");
  std::atomic<bool> refused = false;
  std::optional<QueueWorker> worker;
  worker.emplace(queue, [&](Message&) {
    refused = MessageOf<Error>([&] { worker->Stop(); }).find("RequestStop") != std::string::npos;
    worker->RequestStop();
  });
  worker->Run();
  EXPECT_TRUE(refused);
  EXPECT_EQ(StateOf(store, id), MessageState::kArchived);
}

TEST_P(QueueWorkerStopping, AHandlerMayDestroyItsWorker) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  for (const bool runs_here : {false, true}) {
    const auto ids = Enqueue(queue, 3);
    std::atomic<int> handled = 0;
    auto held_by_handler = std::make_shared<int>();
    const std::weak_ptr<int> is_held = held_by_handler;
    std::unique_ptr<QueueWorker> worker;
    worker = std::make_unique<QueueWorker>(
        queue,
        [&, held_by_handler](Message&) {
          ++handled;
          worker.reset();
        },
        WorkerOptions{.concurrency = 1, .prefetch = 2});
    held_by_handler.reset();
    if (runs_here) {
      worker->Run();
    } else {
      worker->Start();
    }
    EXPECT_TRUE(Eventually([&] { return is_held.expired(); })) << "the handler is let go of";
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(StateOf(store, ids[0]), MessageState::kArchived) << "its message is settled as usual";
    EXPECT_EQ(store.FindMessage(ids[1])->read_count, 0) << "the others come back unread";
    EXPECT_EQ(queue.Metrics().waiting, 2);
    EXPECT_EQ(store.PurgeQueue("jobs"), 2);
    for (const auto& row : store.Admin().Workers()) {
      EXPECT_TRUE(row.id == store.worker_id() || row.status == WorkerStatus::kStopped);
    }
  }
}

TEST_P(QueueWorkerStopping, AWorkerThatStartsWhileTheStoreClosesEnds) {
  for (int i = 0; i < 30; ++i) {
    auto store = std::make_optional(Open());
    QueueWorker worker(store->Queue("jobs"), [](Message&) {});
    std::thread runner([&] {
      try {
        worker.Run();
      } catch (const Error&) {
        return;  // The store was closed before it had begun.
      }
    });
    store.reset();
    runner.join();
  }
}

TEST_P(QueueWorkerStopping, ReadCountsAreTakenBackAtWhateverMomentItStops) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Enqueue(queue, 40);
  for (int i = 0; i < 30; ++i) {
    Gate gate;
    QueueWorker worker(queue, [&](Message&) { gate.Pass(); }, {.concurrency = 1, .prefetch = 40});
    const OpenAtEnd open_at_end(gate);
    worker.Start();
    for (int k = 0; k < i * 20; ++k) std::this_thread::yield();
    worker.RequestStop();
    gate.Open();
    EXPECT_TRUE(worker.Stop());
  }
  const auto metrics = queue.Metrics();
  EXPECT_EQ(metrics.leased, 0);
  for (const auto id : ids) {
    const auto message = store.FindMessage(id);
    EXPECT_EQ(message->read_count, message->state == MessageState::kArchived ? 1 : 0) << id;
  }
}

}  // namespace
}  // namespace pgqrs::testing
