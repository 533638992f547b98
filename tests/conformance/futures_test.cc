#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

class Futures : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(Futures);

// A future of a dequeue that waits, so that what is attached to it runs later, by the store.
Future<std::optional<Message>> Pending(Queue& queue) { return queue.DequeueWaitAsync(hours(1)); }

TEST_P(Futures, GetWaitsForTheValueAndTakesIt) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto future = queue.EnqueueAsync("x");
  EXPECT_TRUE(future.IsValid());
  EXPECT_GT(future.Get(), 0);
  EXPECT_FALSE(future.IsValid());
}

TEST_P(Futures, WaitLeavesTheValueThere) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto future = queue.EnqueueAsync("x");
  future.Wait();
  EXPECT_TRUE(future.IsReady());
  EXPECT_GT(future.Get(), 0);
}

TEST_P(Futures, AFutureThatIsNotReadySaysSo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto future = Pending(queue);
  EXPECT_FALSE(future.IsReady());
  queue.Enqueue("x");
  EXPECT_TRUE(future.Get());
}

TEST_P(Futures, GetThrowsTheErrorOfTheCall) {
  auto store = Open();
  auto future = store.OpenQueueAsync("nothing");
  EXPECT_THAT(MessageOf<QueueNotFoundError>([&] { future.Get(); }), HasSubstr("nothing"));
}

TEST_P(Futures, ArgumentsAreCheckedBeforeAnAsyncCallReturns) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  EXPECT_THROW(queue.EnqueueAsync("x", {.priority = 10}), ValidationError);
  EXPECT_THROW(queue.DequeueBatchAsync(0), ValidationError);
  EXPECT_THROW(store.QueueAsync(""), ValidationError);
}

TEST_P(Futures, ADroppedFutureLeavesTheCallUntouched) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  static_cast<void>(queue.EnqueueAsync("x"));
  EXPECT_TRUE(queue.Dequeue());
}

TEST_P(Futures, ThenCallsBackWithTheResultAndGivesAFutureOfTheCallbacks) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto length = Pending(queue).Then([](Future<std::optional<Message>> done) {
    return done.Get().value().payload().AsString().size();
  });
  queue.Enqueue("four");
  EXPECT_EQ(length.Get(), 4U);
}

TEST_P(Futures, ThenOnAReadyFutureCallsBackAtOnceOnThisThread) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto future = queue.EnqueueAsync("x");
  future.Wait();
  std::thread::id ran_on;
  future.Then([&](Future<std::int64_t>) { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_P(Futures, AnErrorPassesThroughACallbackThatDoesNotCatchIt) {
  auto store = Open();
  auto name =
      store.OpenQueueAsync("nothing").Then([](Future<Queue> done) { return done.Get().name(); });
  EXPECT_THROW(name.Get(), QueueNotFoundError);
}

TEST_P(Futures, WhatACallbackThrowsIsTheErrorOfItsFuture) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto next = Pending(queue).Then(
      [](Future<std::optional<Message>>) { throw std::runtime_error("from the callback"); });
  auto after = next.Then(
      [](Future<void> done) { return MessageOf<std::runtime_error>([&] { done.Get(); }); });
  queue.Enqueue("x");
  EXPECT_EQ(after.Get(), "from the callback");
}

TEST_P(Futures, ACallbackMayMoveOnlyThingsAlong) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto sum = Pending(queue).Then([owned = std::make_unique<int>(40)](auto done) {
    return *owned + done.Get()->read_count() + 1;
  });
  queue.Enqueue("x");
  EXPECT_EQ(sum.Get(), 42);
}

TEST_P(Futures, ACallbackMayWaitForTheStore) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto done = Pending(queue).Then([&](Future<std::optional<Message>> future) {
    auto message = future.Get();
    const auto id = queue.Enqueue("second");
    const bool acked = message->Ack();
    return acked && queue.Metrics().waiting == 1 && store.FindMessage(id).has_value();
  });
  queue.Enqueue("first");
  EXPECT_TRUE(done.Get());
}

TEST_P(Futures, NoLockIsHeldWhileACallbackRuns) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::promise<void> finish;
  auto finished = finish.get_future();
  auto blocked = Pending(queue).Then([&](auto) { finished.wait(); });
  queue.Enqueue("x");
  // While the callback stands still everything else goes on.
  EXPECT_GT(queue.Enqueue("y"), 0);
  EXPECT_TRUE(queue.Dequeue());
  EXPECT_EQ(queue.Metrics().leased, 2);
  EXPECT_FALSE(blocked.IsReady());
  finish.set_value();
  blocked.Get();
}

TEST_P(Futures, ACallbackMayDropTheLastCopyOfTheStore) {
  auto store = std::make_optional(Open());
  auto queue = std::make_optional(store->Queue("jobs"));
  auto done = Pending(*queue).Then([&](Future<std::optional<Message>> future) {
    const auto message = future.Get();
    queue.reset();
    store.reset();
    return message->payload().AsString();
  });
  auto enqueuer = *queue;
  static_cast<void>(enqueuer.EnqueueAsync("x"));
  EXPECT_EQ(done.Get(), "x");
}

TEST_P(Futures, CallbacksThatWaitWhenTheStoreClosesStillRun) {
  auto store = std::make_optional(Open());
  auto queue = store->Queue("jobs");
  std::atomic<int> runs{0};
  for (int i = 0; i < 10; ++i) {
    Pending(queue).Then([&](auto done) {
      EXPECT_FALSE(done.Get());
      ++runs;
    });
  }
  store.reset();
  EXPECT_EQ(runs, 10);
}

// ---- Coroutines

Future<std::string> TakeAndAck(Queue queue) {
  auto message = co_await queue.DequeueWaitAsync(hours(1));
  const bool acked = co_await message->AckAsync();
  co_return message->payload().AsString() + (acked ? " is done" : " is lost");
}

TEST_P(Futures, ACoroutineAwaitsCallsAndReturnsAFuture) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto result = TakeAndAck(queue);
  EXPECT_FALSE(result.IsReady());
  queue.Enqueue("work");
  EXPECT_EQ(result.Get(), "work is done");
}

Future<void> OpenMissing(PgqrsStore store) { co_await store.OpenQueueAsync("nothing"); }

Future<std::string> Catches(PgqrsStore store) {
  try {
    co_await OpenMissing(store);
  } catch (const QueueNotFoundError& error) {
    co_return error.what();
  }
  co_return "nothing was thrown";
}

TEST_P(Futures, AnErrorIsThrownWhereACoroutineAwaitsIt) {
  auto store = Open();
  EXPECT_THROW(OpenMissing(store).Get(), QueueNotFoundError);
  EXPECT_THAT(Catches(store).Get(), HasSubstr("nothing"));
}

Future<int> HandleAll(Queue queue, int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    co_await queue.EnqueueAsync("x");
    auto messages = co_await queue.DequeueBatchAsync(1);
    sum += static_cast<int>(messages.size());
    co_await messages.front().AckAsync();
  }
  co_return sum;
}

TEST_P(Futures, ManyCoroutinesRunSideBySide) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Future<int>> all;
  all.reserve(20);
  for (int i = 0; i < 20; ++i) all.push_back(HandleAll(queue, 5));
  for (auto& one : all) EXPECT_EQ(one.Get(), 5);
  EXPECT_EQ(queue.Metrics().archived, 100);
}

// The parameters of a coroutine live in its frame; `alive` is the last to go.
Future<bool> KeepsTheStore([[maybe_unused]] std::shared_ptr<int> alive, PgqrsStore store) {
  auto queue = co_await store.QueueAsync("jobs");
  co_await queue.EnqueueAsync("x");
  const auto message = co_await queue.DequeueWaitAsync(seconds(10));
  co_return message.has_value();
}

// The frame ends on a thread of the store.
TEST_P(Futures, ACoroutineMayHoldTheLastCopyOfTheStore) {
  auto alive = std::make_shared<int>();
  const std::weak_ptr<int> frame = alive;
  EXPECT_TRUE(KeepsTheStore(std::move(alive), Open()).Get());
  while (!frame.expired()) std::this_thread::yield();
}

}  // namespace
}  // namespace pgqrs::testing
