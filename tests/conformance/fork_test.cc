#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "conformance/conformance_test.h"
#include "support/can_fork.h"

namespace pgqrs::testing {
namespace {

class Fork : public ConformanceTest {
 protected:
  void SetUp() override {
    if (!kCanFork) GTEST_SKIP() << "the sanitizer cannot fork with threads";
  }

  // Runs `child` in a child process. An empty text where it answered true; what went wrong
  // otherwise. The child has no part in the test but this answer.
  static std::string InChild(const std::function<bool()>& child) {
    const pid_t pid = fork();
    if (pid < 0) return "fork failed";
    if (pid == 0) {
      alarm(60);  // A child that hangs must not outlive the test.
      bool good = false;
      try {
        good = child();
      } catch (const std::exception&) {
        _exit(2);
      }
      _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) return "the child was killed by signal " + std::to_string(status);
    if (WEXITSTATUS(status) == 2) return "the child threw";
    return WEXITSTATUS(status) == 0 ? "" : "the child answered false";
  }

  static bool Throws(const std::function<void()>& call) {
    return MessageOf<Error>(call).find("before fork") != std::string::npos;
  }
};
PGQRS_ON_EVERY_BACKEND(Fork);

TEST_P(Fork, EveryCallThrowsInTheChildAndTheParentIsUnaffected) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  queue.Enqueue("y");
  auto message = queue.Dequeue();
  auto consumer = queue.NewConsumer();
  auto admin = store.Admin();
  const std::vector<std::function<void()>> calls = {
      [&] { store.Queue("jobs"); },
      [&] { store.ListQueues(); },
      [&] { store.FindMessage(id); },
      [&] { store.Ack(id); },
      [&] { store.DeleteQueue("jobs", true); },
      [&] { store.EngineMetrics(); },
      [&] { queue.Enqueue("x"); },
      [&] { queue.EnqueueAsync("x"); },
      [&] { queue.Dequeue(); },
      [&] { queue.DequeueWait(std::chrono::minutes(5)); },
      [&] { queue.Metrics(); },
      [&] { queue.NewConsumer(); },
      [&] { message->Ack(); },
      [&] { message->ExtendLease(std::chrono::seconds(1)); },
      [&] { consumer.Dequeue(); },
      [&] { consumer.Status(); },
      [&] { consumer.Close(); },
      [&] { admin.Workers(); },
      [&] { admin.Verify(); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(InChild([&] { return Throws(calls[i]); }), "") << "call " << i;
  }
  EXPECT_TRUE(message->Ack());
  EXPECT_TRUE(queue.Dequeue());
  EXPECT_GT(queue.Enqueue("z"), 0);
  store.Admin().Verify();
}

TEST_P(Fork, AWorkerOfTheParentCannotBeUsedInTheChildAndGoesOnInTheParent) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  QueueWorker worker(queue, [](Message&) {});
  worker.Start();
  EXPECT_EQ(InChild([&] { return Throws([&] { worker.Stop(); }); }), "");
  EXPECT_EQ(InChild([&] { return Throws([&] { worker.RequestStop(); }); }), "");
  const auto id = queue.Enqueue("x");
  while (store.FindMessage(id)->state != MessageState::kArchived) std::this_thread::yield();
  EXPECT_TRUE(worker.Stop());
}

TEST_P(Fork, AWorkerCannotBeRunInTheChild) {
  auto store = Open();
  QueueWorker worker(store.Queue("jobs"), [](Message&) {});
  EXPECT_EQ(InChild([&] { return Throws([&] { worker.Run(); }); }), "");
}

TEST_P(Fork, TheChildMayDestroyWhatItInherited) {
  auto store = std::make_optional(Open());
  auto queue = std::make_optional(store->Queue("jobs"));
  queue->Enqueue("x");
  auto message = queue->Dequeue();
  auto consumer = std::make_optional(queue->NewConsumer());
  auto worker = std::make_unique<QueueWorker>(*queue, [](Message&) {});
  worker->Start();
  EXPECT_EQ(InChild([&] {
              worker.reset();
              consumer.reset();
              message.reset();
              queue.reset();
              store.reset();
              return true;
            }),
            "");
  EXPECT_TRUE(message->Ack());
  EXPECT_EQ(consumer->Status(), WorkerStatus::kReady);
  EXPECT_TRUE(worker->Stop());
}

TEST_P(Fork, TheChildMayOpenAnotherDatabase) {
  auto store = Open();
  const TempFolder other;
  auto config_of_child = config();
  config_of_child.dsn = GetParam().new_dsn(other);
  EXPECT_EQ(InChild([&] {
              auto own = PgqrsStore::Connect(config_of_child);
              auto queue = own.Queue("jobs");
              queue.Enqueue("from the child");
              return queue.Dequeue()->Ack();
            }),
            "");
  store.Admin().Verify();
}

TEST_P(Fork, TheChildMayOpenWhatWasClosedBefore) {
  if (!IsShared()) GTEST_SKIP() << "each store has its own database";
  Open().Queue("jobs").Enqueue("from the parent");
  EXPECT_EQ(InChild([&] {
              auto own = Open();
              return own.Queue("jobs").Enqueue("from the child") > 0;
            }),
            "");
  auto store = Open();
  EXPECT_EQ(store.Queue("jobs").DequeueBatch(3).size(), 2U);
  store.Admin().Verify();
}

// An embedded database cannot be opened again; that must be said, before anything is lost. A server
// does not mind.
TEST_P(Fork, WhatTheChildStoresIsThereOrItIsRefusedTheOpenDatabase) {
  if (!IsShared()) GTEST_SKIP() << "each store has its own database";
  constexpr int kMessages = 20;
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  queue.Enqueue("from the parent");
  const auto stored = InChild([&] {
    auto own = Open();
    for (int i = 0; i < kMessages; ++i) own.Queue("jobs").Enqueue("from the child");
    return true;
  });
  store.reset();
  const bool is_refused = stored == "the child threw";
  EXPECT_TRUE(is_refused || stored.empty()) << stored;
  EXPECT_EQ(Open().Queue("jobs").Metrics().waiting, is_refused ? 1 : 1 + kMessages);
}

}  // namespace
}  // namespace pgqrs::testing
