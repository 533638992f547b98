#include <atomic>
#include <chrono>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>

#include "conformance/queue_worker_fixture.h"

namespace pgqrs::testing {
namespace {

using ::testing::Ge;
using ::testing::Le;

class QueueWorkerRetries : public QueueWorkerTest {
 protected:
  // Waits until the handler has failed so often and the message has come to rest.
  static MessageInfo AfterFailures(PgqrsStore& store, const QueueWorker& worker, std::int64_t id,
                                   std::uint64_t failures) {
    EXPECT_TRUE(Eventually([&] {
      return worker.counts().failed == failures && StateOf(store, id) != MessageState::kLeased;
    }));
    return store.FindMessage(id).value();
  }
};
PGQRS_ON_EVERY_BACKEND(QueueWorkerRetries);

TEST_P(QueueWorkerRetries, AMessageWhoseHandlerThrowsComesBackLaterEachTime) {
  config().max_read_ct = 10;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(
      queue,
      [](Message& message) {
        throw std::runtime_error("try " + std::to_string(message.read_count()));
      },
      {.retry = {.base_delay = seconds(3), .max_delay = seconds(20), .jitter = false}});
  worker.Start();
  int reads = 0;
  for (const auto delay : {seconds(3), seconds(6), seconds(12), seconds(20), seconds(20)}) {
    ++reads;
    const auto message = AfterFailures(store, worker, id, static_cast<std::uint64_t>(reads));
    EXPECT_EQ(message.state, MessageState::kDelayed);
    EXPECT_EQ(message.visible_at, clock().Now() + delay);
    EXPECT_EQ(message.read_count, reads);
    EXPECT_EQ(message.last_error, "try " + std::to_string(reads));
    Advance(delay);
  }
}

TEST_P(QueueWorkerRetries, JitterIsAQuarterAtMost) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto ids = Enqueue(queue, 100);
  QueueWorker worker(queue, [](Message&) { throw std::runtime_error("no"); },
                     {.concurrency = 4, .prefetch = 100, .retry = {.base_delay = seconds(40)}});
  worker.Start();
  ASSERT_TRUE(Eventually([&] { return queue.Metrics().delayed == 100; }));
  std::set<TimePoint> times;
  for (const auto id : ids) {
    const auto visible_at = store.FindMessage(id)->visible_at.value();
    EXPECT_THAT(visible_at - clock().Now(), AllOf(Ge(seconds(30)), Le(seconds(50))));
    times.insert(visible_at);
  }
  EXPECT_THAT(times, SizeIs(Ge(50U)));
}

TEST_P(QueueWorkerRetries, AHandlerThatSucceedsAtLastAcksTheMessage) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue,
                     [](Message& message) {
                       if (message.read_count() < 3) throw std::runtime_error("not yet");
                     },
                     {.retry = {.base_delay = Duration::zero()}});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 1; }));
  EXPECT_EQ(worker.counts().failed, 2U);
  EXPECT_EQ(store.FindMessage(id)->read_count, 3);
  EXPECT_EQ(store.FindMessage(id)->last_error, "not yet");
}

TEST_P(QueueWorkerRetries, AfterMaxAttemptsTheMessageIsDeadWithTheHandlersError) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue,
                     [](Message& message) {
                       throw std::runtime_error("try " + std::to_string(message.read_count()));
                     },
                     {.retry = {.max_attempts = 2, .base_delay = Duration::zero()}});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return worker.counts().dead == 1; }));
  const auto dead = store.FindMessage(id).value();
  EXPECT_EQ(dead.state, MessageState::kDead);
  EXPECT_EQ(dead.reason, "try 2");
  EXPECT_EQ(dead.last_error, "try 1");
  EXPECT_EQ(dead.read_count, 2);
  EXPECT_EQ(worker.counts().failed, 2U);
}

TEST_P(QueueWorkerRetries, TheStoresMaxReadCountHoldsAlsoWhereMaxAttemptsIsHigher) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) { throw std::runtime_error("no"); },
                     {.retry = {.max_attempts = 100, .base_delay = Duration::zero()}});
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return StateOf(store, id) == MessageState::kDead; }));
  EXPECT_EQ(store.FindMessage(id)->read_count, 2);
  EXPECT_EQ(store.FindMessage(id)->reason, "no");
}

TEST_P(QueueWorkerRetries, RetryAfterDecidesTheTimeAndDoesNotCountAsATry) {
  config().max_read_ct = 2;
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message& message) {
    EXPECT_EQ(message.read_count(), 1);
    throw RetryAfter(minutes(7), "the other side is busy");
  });
  worker.Start();
  for (std::uint64_t failures = 1; failures <= 5; ++failures) {
    const auto message = AfterFailures(store, worker, id, failures);
    EXPECT_EQ(message.state, MessageState::kDelayed);
    EXPECT_EQ(message.visible_at, clock().Now() + minutes(7));
    EXPECT_EQ(message.read_count, 0);
    EXPECT_EQ(message.last_error, "the other side is busy");
    Advance(minutes(7));
  }
}

TEST_P(QueueWorkerRetries, ARetryAfterThatLiesInThePastMeansAtOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  std::atomic<int> calls{0};
  QueueWorker worker(queue, [&](Message&) {
    if (++calls < 4) throw RetryAfter(hours(-1));
  });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return worker.counts().acked == 1; }));
  EXPECT_EQ(calls, 4);
}

TEST_P(QueueWorkerRetries, DiscardPutsTheMessageToTheDeadLettersAtOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) { throw Discard("no such customer"); });
  worker.Start();
  EXPECT_TRUE(Eventually([&] { return worker.counts().dead == 1; }));
  const auto dead = store.FindMessage(id).value();
  EXPECT_EQ(dead.state, MessageState::kDead);
  EXPECT_EQ(dead.reason, "no such customer");
  EXPECT_EQ(dead.read_count, 1);
  EXPECT_EQ(worker.counts().failed, 1U);
}

TEST_P(QueueWorkerRetries, AnExceptionOfAnyTypeIsAFailure) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) { throw 42; },  // NOLINT: the point of the test.
                     {.retry = {.jitter = false}});
  worker.Start();
  const auto message = AfterFailures(store, worker, id, 1);
  EXPECT_EQ(message.state, MessageState::kDelayed);
  EXPECT_EQ(message.visible_at, clock().Now() + seconds(1));
  EXPECT_THAT(message.last_error, HasSubstr("no std::exception"));
}

TEST_P(QueueWorkerRetries, AnErrorTextThatIsNoTextIsStoredAsFarAsItCanBe) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const auto id = queue.Enqueue("x");
  QueueWorker worker(queue, [](Message&) {
    throw std::runtime_error("bad \xff byte " + std::string(100'000, 'x'));
  });
  worker.Start();
  const auto message = AfterFailures(store, worker, id, 1);
  EXPECT_THAT(message.last_error, HasSubstr("bad ? byte"));
  EXPECT_THAT(message.last_error, SizeIs(Le(100'000U)));
}

}  // namespace
}  // namespace pgqrs::testing
