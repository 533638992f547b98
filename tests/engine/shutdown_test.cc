// The end of a store: everything that was asked is answered, and nothing hangs.
#include <atomic>
#include <optional>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

class Shutdown : public EngineTest {};

TEST_F(Shutdown, RequestsInFlightAreFinished) {
  auto queue = Open();
  std::vector<Future<std::int64_t>> enqueues;
  HeldLane held(faults(), queue);
  enqueues = Repeat(20, [&](int i) { return queue.EnqueueAsync(std::to_string(i)); });
  auto metrics = queue.MetricsAsync();
  std::thread closes([this] { Close(); });
  held.Release();
  closes.join();
  for (auto& enqueue : enqueues) {
    ASSERT_TRUE(enqueue.IsReady());
    EXPECT_GT(enqueue.Get(), 0);
  }
  EXPECT_NO_THROW(metrics.Get());
  EXPECT_EQ(StoredPayloads().size(), 20U);
}

TEST_F(Shutdown, LateCallsThrow) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue();
  Close();
  const std::vector<std::function<void()>> calls = {
      [&] { queue.Enqueue("late"); },
      [&] { queue.EnqueueAsync("late"); },
      [&] { queue.Dequeue(); },
      [&] { queue.DequeueWait(kForever); },
      [&] { queue.Metrics(); },
      [&] { message->Ack(); },
      [&] { queue.ReplayDeadLetters(); },
      [&] { queue.NewConsumer(); },
      [&] { queue.ListArchivedAsync({}); },
  };
  for (const auto& call : calls) EXPECT_THAT(MessageOf<Error>(call), HasSubstr("store is closed"));
}

TEST_F(Shutdown, ParkedDequeuesAreAnsweredWithNothing) {
  auto queue = Open();
  auto own = queue.DequeueWaitAsync(kForever);
  auto consumer = queue.NewConsumer();
  auto others = consumer.DequeueBatchWaitAsync(5, kForever);
  while (Metrics().waiting_consumers < 2) std::this_thread::yield();
  Close();
  EXPECT_FALSE(own.Get());
  EXPECT_TRUE(others.Get().empty());
}

TEST_F(Shutdown, CallersThatWaitForRoomAreAnswered) {
  config().max_pending_requests = 1;
  auto queue = Open();
  HeldLane held(faults(), queue);
  std::atomic<int> answered = 0;
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, queue]() mutable {
      try {
        queue.Enqueue("message");
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("store is closed"));
      }
      ++answered;
    });
  }
  std::thread closes([this] { Close(); });
  held.Release();
  closes.join();
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered, 4);
}

TEST_F(Shutdown, EveryFutureIsAnsweredWheneverTheStoreCloses) {
  for (int round = 0; round < 10; ++round) {
    std::optional store = PgqrsStore::Connect("sqlite::memory:");
    auto queue = store->Queue("jobs");
    std::atomic<bool> started = false;
    std::vector<std::thread> callers;
    std::atomic<int> unexpected = 0;
    callers.reserve(3);
    for (int i = 0; i < 3; ++i) {
      callers.emplace_back([&, queue]() mutable {
        try {
          for (;;) {
            auto enqueue = queue.EnqueueAsync("message");
            auto wait = queue.DequeueWaitAsync(kForever);
            auto read = queue.MetricsAsync();
            started = true;
            enqueue.Get();
            read.Get();
            if (const auto message = wait.Get()) queue.DequeueWaitAsync(std::chrono::hours(1));
          }
        } catch (const Error& error) {
          if (std::string_view(error.what()) != "the store is closed") ++unexpected;
        }
      });
    }
    while (!started) std::this_thread::yield();
    store.reset();
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(unexpected, 0);
  }
}

TEST_F(Shutdown, AStoreMayEndInItsOwnCallback) {
  for (int round = 0; round < 20; ++round) {
    auto store = std::make_shared<std::optional<PgqrsStore>>(OpenAnother());
    auto queue = (*store)->Queue("jobs");
    auto other = queue.DequeueBatchWaitAsync(1, kForever);
    auto done = queue.EnqueueAsync("message").Then([store](Future<std::int64_t> enqueued) {
      store->reset();
      return enqueued.Get();
    });
    store.reset();
    EXPECT_GT(done.Get(), 0);
    EXPECT_LE(other.Get().size(), 1U);  // The end may come before it is handed out.
    EXPECT_THROW(queue.Enqueue("late"), Error);
  }
}

TEST_F(Shutdown, CallbacksOfTheLastRequestsRun) {
  std::atomic<int> calls = 0;
  {
    auto store = PgqrsStore::Connect("sqlite::memory:");
    auto queue = store.Queue("jobs");
    for (int i = 0; i < 50; ++i) {
      queue.EnqueueAsync("message").Then([&](Future<std::int64_t> done) {
        done.Get();
        ++calls;
      });
    }
    queue.DequeueWaitAsync(kForever).Then([&](Future<std::optional<Message>>) { ++calls; });
  }
  EXPECT_EQ(calls, 51);
}

TEST_F(Shutdown, WhatTheStoresWorkerHoldsIsGivenBack) {
  auto queue = Open();
  queue.Enqueue("message");
  ASSERT_TRUE(queue.Dequeue(kForever));
  Close();
  auto message = OpenAnother().Queue("jobs").Dequeue();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->read_count(), 2);
}

TEST_F(Shutdown, ADatabaseThatFailsDoesNotKeepTheStoreFromClosing) {
  std::vector<std::string> warnings;
  config().log = [&](const LogRecord& record) {
    if (record.level == LogLevel::kWarning) warnings.emplace_back(record.message);
  };
  auto queue = Open();
  queue.Enqueue("message");
  ASSERT_TRUE(queue.Dequeue(kForever));
  faults().Set([](const Step& step) -> std::optional<driver::Fault> {
    if (step.moment != Moment::kCommit) return std::nullopt;
    return driver::Fault::kStorage;
  });
  Close();
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("a worker could not be stopped")));
}

TEST_F(Shutdown, ClosingTwiceIsClosingOnce) {
  auto queue = Open();
  Close();
  Close();
  EXPECT_THROW(queue.Enqueue("late"), Error);
}

}  // namespace
}  // namespace pgqrs::testing
