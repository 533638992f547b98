#include "support/no_threads.h"

#include <cstdint>
#include <vector>

#include "conformance/conformance_test.h"

#ifdef __GLIBC__

namespace pgqrs::testing {
namespace {

// What a process meets that has as many threads as it may have.
class WithoutThreads : public ConformanceTest {};
PGQRS_ON_EVERY_BACKEND(WithoutThreads);

const auto kNamesTheCause = HasSubstr("a thread could not be started");

TEST_P(WithoutThreads, ConnectThrowsAndWorksLater) {
  {
    const NoThreads none;
    EXPECT_THAT(MessageOf<Error>([&] { Open(); }), kNamesTheCause);
  }
  EXPECT_GT(Open().Queue("jobs").Enqueue("x"), 0);
}

TEST_P(WithoutThreads, CallbacksAreCalled) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const NoThreads none;
  for (int i = 0; i < 10; ++i) {
    auto id = queue.EnqueueAsync("x").Then([](Future<std::int64_t> done) { return done.Get(); });
    EXPECT_GT(id.Get(), 0);
  }
}

TEST_P(WithoutThreads, AReadIsRefusedOrMadeByTheThreadsThatAreThere) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  {
    const NoThreads none;
    try {
      EXPECT_EQ(queue.Metrics().waiting, 1);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), kNamesTheCause);
    }
  }
  EXPECT_EQ(queue.Metrics().waiting, 1);
  const NoThreads none;
  std::vector<Future<QueueMetrics>> reads;
  reads.reserve(10);
  for (int i = 0; i < 10; ++i) reads.push_back(queue.MetricsAsync());
  for (auto& read : reads) EXPECT_EQ(read.Get().waiting, 1);
}

TEST_P(WithoutThreads, AWorkerIsRefusedAndHoldsNothing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) {}, {.concurrency = 4});
  {
    const NoThreads none;
    EXPECT_THAT(MessageOf<Error>([&] { worker.Start(); }), kNamesTheCause);
    EXPECT_THAT(MessageOf<Error>([&] { worker.Run(); }), kNamesTheCause);
  }
  EXPECT_TRUE(worker.Stop());
  EXPECT_EQ(queue.Metrics().waiting, 1);
}

}  // namespace
}  // namespace pgqrs::testing

#endif  // __GLIBC__
