// A message is delivered promptly to those that wait for one. Nothing here is found by polling: a
// wake-up that is lost makes the test hang.
#include <atomic>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

class WakeUp : public EngineTest {};

TEST_F(WakeUp, AWaitThatEndsWithoutAMessageTookItsTime) {
  auto queue = Open();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(queue.DequeueWait(milliseconds(30)));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(30));
  EXPECT_EQ(Metrics().waiting_consumers, 0U);
}

TEST_F(WakeUp, AWaitOfNoTimeAnswersAtOnce) {
  auto queue = Open();
  EXPECT_FALSE(queue.DequeueWait(Duration::zero()));
  queue.Enqueue("message");
  EXPECT_TRUE(queue.DequeueWait(Duration::zero()));
}

TEST_F(WakeUp, AMessageThatIsThereNeedsNoWait) {
  auto queue = Open();
  queue.EnqueueBatch(std::vector<Json>(3, Json("message")));
  EXPECT_EQ(queue.DequeueBatchWait(10, kForever).size(), 3U);
}

TEST_F(WakeUp, EachOfManyWaitersGetsOneMessage) {
  constexpr std::size_t kWaiters = 20;
  auto queue = Open();
  auto waiters = Repeat(kWaiters, [&](int) { return queue.DequeueWaitAsync(kForever); });
  while (Metrics().waiting_consumers < kWaiters) std::this_thread::yield();
  const auto ids = queue.EnqueueBatch(std::vector<Json>(kWaiters, Json("message")));
  std::vector<std::int64_t> got;
  got.reserve(kWaiters);
  for (auto& waiter : waiters) got.push_back(waiter.Get()->id());
  EXPECT_EQ(got, ids) << "who came first is served first";
}

TEST_F(WakeUp, ADelayedMessageWakesAtItsTime) {
  auto queue = Open();
  auto waiter = queue.DequeueWaitAsync(kForever);
  const auto id = queue.Enqueue("message", {.delay = milliseconds(30)});
  const auto message = waiter.Get();
  EXPECT_EQ(message->id(), id);
  EXPECT_GE(message->dequeued_at(), message->visible_at());
}

TEST_F(WakeUp, ADelayedMessageThatWasThereBeforeWakesAtItsTime) {
  auto queue = Open();
  const auto id = queue.Enqueue("message", {.delay = milliseconds(30)});
  EXPECT_EQ(queue.DequeueWait(kForever)->id(), id);
}

TEST_F(WakeUp, AMessageThatComesSoonerThanAnotherIsNotHeldUpByIt) {
  auto queue = Open();
  queue.Enqueue("late", {.delay = kForever});
  auto waiter = queue.DequeueWaitAsync(kForever);
  queue.Enqueue("later", {.delay = 2 * kForever});
  const auto soon = queue.Enqueue("soon", {.delay = milliseconds(20)});
  EXPECT_EQ(waiter.Get()->id(), soon);
}

TEST_F(WakeUp, AMessageOfAFarCenturyDisturbsNobody) {
  auto queue = Open();
  // Three hundred years are more nanoseconds than 64 bits hold.
  const auto far = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) +
                   std::chrono::hours(24L * 366 * 300);
  queue.Enqueue("far", {.visible_at = far});
  const auto groups_before = Metrics().groups;
  EXPECT_FALSE(queue.DequeueWait(milliseconds(50)));
  EXPECT_EQ(Metrics().groups, groups_before + 1);
}

TEST_F(WakeUp, AReleasedMessageWakes) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue(kForever);
  auto waiter = queue.DequeueWaitAsync(kForever);
  EXPECT_TRUE(message->Release());
  EXPECT_EQ(waiter.Get()->id(), message->id());
}

TEST_F(WakeUp, TheEndOfALeaseWakes) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue(milliseconds(30));
  EXPECT_EQ(queue.DequeueWait(kForever)->read_count(), 2);
}

TEST_F(WakeUp, TheEndOfALeaseThatWasShortenedWakes) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue(kForever);
  auto waiter = queue.DequeueWaitAsync(kForever);
  EXPECT_TRUE(message->ExtendLease(milliseconds(20)));
  EXPECT_EQ(waiter.Get()->id(), message->id());
}

TEST_F(WakeUp, WhatAnAdministratorGivesBackWakes) {
  auto queue = Open();
  queue.Enqueue("message");
  auto message = queue.Dequeue(kForever);
  ASSERT_TRUE(message->DeadLetter("broken"));
  auto waiter = queue.DequeueWaitAsync(kForever);
  EXPECT_EQ(queue.ReplayDeadLetters(), 1);
  EXPECT_EQ(waiter.Get()->id(), message->id());
}

TEST_F(WakeUp, OnlyThoseOfTheQueueAreWoken) {
  auto store = PgqrsStore::Connect("sqlite::memory:");
  auto busy = store.Queue("busy");
  auto idle = store.Queue("idle");
  auto waiter = idle.DequeueWaitAsync(kForever);
  while (store.EngineMetrics().waiting_consumers == 0) std::this_thread::yield();
  busy.Enqueue("message");
  EXPECT_EQ(store.EngineMetrics().waiting_consumers, 1U);
  idle.Enqueue("message");
  EXPECT_TRUE(waiter.Get());
}

// Sends messages back and forth between two queues, each end waiting for the other: every round has
// two chances to lose a wake-up between a look and the parking.
void PlayPingPong(Queue ping, Queue pong, int rounds) {
  std::thread other([=]() mutable {
    for (int i = 0; i < rounds; ++i) {
      EXPECT_TRUE(ping.DequeueWait(kForever)->Ack());
      pong.Enqueue("pong");
    }
  });
  for (int i = 0; i < rounds; ++i) {
    ping.Enqueue("ping");
    EXPECT_TRUE(pong.DequeueWait(kForever)->Ack());
  }
  other.join();
}

TEST_F(WakeUp, NoneIsLostInOneStore) {
  Config in_memory("sqlite::memory:");
  in_memory.fallback_poll_interval = kForever;
  in_memory.heartbeat_interval = kForever;
  auto store = PgqrsStore::Connect(in_memory);
  std::vector<std::thread> games;
  for (int i = 0; i < 3; ++i) {
    const auto name = std::to_string(i);
    games.emplace_back(PlayPingPong, store.Queue("ping " + name), store.Queue("pong " + name), 300);
  }
  for (auto& game : games) game.join();
  EXPECT_EQ(store.EngineMetrics().failed_requests, 0U);
}

TEST_F(WakeUp, NoneIsLostWhereThereAreMoreWaitersThanMessages) {
  auto queue = Open();
  std::atomic<int> got = 0;
  constexpr int kMessages = 200;
  std::vector<std::thread> consumers;
  consumers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    consumers.emplace_back([&, queue]() mutable {
      while (got < kMessages) {
        if (queue.DequeueWait(milliseconds(200))) ++got;
      }
    });
  }
  for (int i = 0; i < kMessages; ++i) queue.Enqueue("message");
  for (auto& consumer : consumers) consumer.join();
  EXPECT_EQ(got, kMessages);
}

// Long, so that the test fails instead of hanging where the wake-up is lost between two stores.
constexpr Duration kPromptly = std::chrono::seconds(20);

// Takes a message and acks it. Answers false where none comes.
bool Receive(Queue& queue) {
  auto message = queue.DequeueWait(kPromptly);
  return message && message->Ack();
}

class WakeUpBetweenStores : public WakeUp, public ::testing::WithParamInterface<const char*> {
 protected:
  WakeUpBetweenStores() {
    config().dsn = "sqlite://" + path() + "?synchronous=" + std::string(GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Synchronous, WakeUpBetweenStores, ::testing::Values("normal", "full"));

TEST_P(WakeUpBetweenStores, NoneIsLostByTheOneThatWaits) {
  auto here = OpenAnother();
  auto there = OpenAnother();
  auto receives = here.Queue("jobs");
  auto sends = there.Queue("jobs");
  for (int i = 0; i < 100; ++i) {
    auto waiter = receives.DequeueWaitAsync(kPromptly);
    const auto id = sends.Enqueue("message");
    auto message = waiter.Get();
    ASSERT_TRUE(message) << "message " << i;
    EXPECT_EQ(message->id(), id);
    EXPECT_TRUE(message->Ack());
  }
}

TEST_P(WakeUpBetweenStores, NoneIsLostByTwoThatAnswerEachOther) {
  constexpr int kRounds = 50;
  auto here = OpenAnother();
  auto there = OpenAnother();
  std::thread other([&] {
    auto ping = there.Queue("ping");
    auto pong = there.Queue("pong");
    for (int i = 0; i < kRounds && Receive(ping); ++i) pong.Enqueue("pong");
  });
  auto ping = here.Queue("ping");
  auto pong = here.Queue("pong");
  int rounds = 0;
  do {
    ping.Enqueue("ping");
  } while (Receive(pong) && ++rounds < kRounds);
  other.join();
  EXPECT_EQ(rounds, kRounds);
}

}  // namespace
}  // namespace pgqrs::testing
