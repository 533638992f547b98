#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

// Producers and consumers at once, in threads and, where the backend can do that, on two stores.
class Concurrency : public ConformanceTest {
 protected:
  static constexpr int kProducers = 4;
  static constexpr int kConsumers = 4;
  static constexpr int kEach = 50;
  static constexpr int kAll = kProducers * kEach;

  Concurrency() { UseSystemClock(); }

  std::vector<PgqrsStore> OpenStores() {
    std::vector<PgqrsStore> stores = {Open()};
    if (IsShared()) stores.push_back(Open());
    return stores;
  }

  // Runs `work(queue, number)` in n threads.
  template <typename Work>
  static std::vector<std::thread> Start(std::vector<PgqrsStore>& stores, int n, Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < n; ++i) {
      auto queue = stores[static_cast<std::size_t>(i) % stores.size()].Queue("jobs");
      threads.emplace_back([=]() mutable { work(queue, i); });
    }
    return threads;
  }

  static void Join(std::vector<std::thread> threads) {
    for (auto& thread : threads) thread.join();
  }

  // Producer p enqueues its messages one by one.
  static std::vector<std::thread> StartProducers(std::vector<PgqrsStore>& stores) {
    return Start(stores, kProducers, [](Queue& queue, int producer) {
      for (int i = 0; i < kEach; ++i) {
        queue.Enqueue(std::to_string(producer) + ":" + std::to_string(i));
      }
    });
  }

  // How often each message was acked.
  class Tally {
   public:
    void Add(const Message& message) {
      const std::lock_guard lock(mutex_);
      ++acked_[message.payload().AsString()];
      ++n_;
    }
    bool IsComplete() const {
      const std::lock_guard lock(mutex_);
      return n_ >= kAll;
    }
    void ExpectEachOnce() const {
      EXPECT_THAT(acked_, SizeIs(kAll));
      for (const auto& [payload, n] : acked_) EXPECT_EQ(n, 1) << payload;
    }

   private:
    mutable std::mutex mutex_;
    std::map<std::string, int> acked_;
    int n_ = 0;
  };
};
PGQRS_ON_EVERY_BACKEND(Concurrency);

TEST_P(Concurrency, EachMessageThatThreadsTakeAndAckOneByOneIsGivenOnce) {
  auto stores = OpenStores();
  Tally tally;
  auto producers = StartProducers(stores);
  auto consumers = Start(stores, kConsumers, [&tally](Queue& queue, int) {
    while (!tally.IsComplete()) {
      auto message = queue.DequeueWait(std::chrono::milliseconds(50), minutes(5));
      if (!message) continue;
      EXPECT_EQ(message->read_count(), 1);
      EXPECT_TRUE(message->Ack());
      tally.Add(*message);
    }
  });
  Join(std::move(producers));
  Join(std::move(consumers));
  tally.ExpectEachOnce();
  EXPECT_EQ(stores[0].Queue("jobs").Metrics().archived, kAll);
  stores[0].Admin().Verify();
}

TEST_P(Concurrency, EachMessageThatConsumersTakeInBatchesIsGivenOnce) {
  auto stores = OpenStores();
  Tally tally;
  auto producers = StartProducers(stores);
  auto consumers = Start(stores, kConsumers, [&tally](Queue& queue, int number) {
    auto consumer = queue.NewConsumer();
    while (!tally.IsComplete()) {
      const auto messages =
          consumer.DequeueBatchWait(3 + number, std::chrono::milliseconds(50), minutes(5));
      for (const auto& message : messages) EXPECT_EQ(message.worker_id(), consumer.worker_id());
      EXPECT_THAT(consumer.Ack(IdsOf(messages)), Each(true));
      for (const auto& message : messages) tally.Add(message);
    }
  });
  Join(std::move(producers));
  Join(std::move(consumers));
  tally.ExpectEachOnce();
  stores[0].Admin().Verify();
}

TEST_P(Concurrency, OneConsumerSeesTheMessagesOfEachProducerInTheirOrder) {
  auto stores = OpenStores();
  auto producers = StartProducers(stores);
  auto queue = stores[0].Queue("jobs");
  std::array<int, kProducers> next = {};
  for (int received = 0; received < kAll;) {
    for (auto& message : queue.DequeueBatchWait(7, minutes(1), minutes(5))) {
      const auto text = message.payload().AsString();
      const auto producer = static_cast<std::size_t>(text[0] - '0');
      EXPECT_EQ(text.substr(2), std::to_string(next.at(producer)++));
      ++received;
    }
    if (HasFailure()) break;
  }
  Join(std::move(producers));
}

// Every lease is as good as over when it begins, so that each message is fought for.
TEST_P(Concurrency, OfManyHoldersOfAMessageOneAcksIt) {
  config().max_read_ct = 1'000'000;
  auto stores = OpenStores();
  auto producers = StartProducers(stores);
  Tally tally;
  auto consumers = Start(stores, kConsumers, [&tally](Queue& queue, int) {
    while (!tally.IsComplete()) {
      for (auto& message : queue.DequeueBatch(10, std::chrono::milliseconds(1))) {
        if (message.Ack()) tally.Add(message);
      }
    }
  });
  Join(std::move(producers));
  Join(std::move(consumers));
  tally.ExpectEachOnce();
  EXPECT_EQ(stores[0].Queue("jobs").Metrics().archived, kAll);
  stores[0].Admin().Verify();
}

TEST_P(Concurrency, AMessageIsFoundAtEveryMomentOfItsMoves) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("moves");
  std::atomic<bool> done = false;
  std::thread mover([&] {
    for (int i = 0; i < 50; ++i) {
      queue.Dequeue()->DeadLetter("for now");
      queue.ReplayDeadLetter(id);
    }
    done = true;
  });
  while (!done) {
    EXPECT_TRUE(store.FindMessage(id));
    EXPECT_THAT(store.Admin().Messages(), SizeIs(1));
  }
  mover.join();
}

}  // namespace
}  // namespace pgqrs::testing
