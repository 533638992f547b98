// Objects that are used after they were moved from: an error that says so, instead of a crash.
#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "conformance/conformance_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// NOLINTBEGIN(bugprone-use-after-move): what is tested.

class MovedFrom : public ConformanceTest {
 protected:
  static void ExpectErrors(const char* what, const std::vector<std::function<void()>>& calls) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_THAT(MessageOf<Error>(calls[i]),
                  AllOf(HasSubstr(what), HasSubstr("was used after it had been moved from")))
          << "call " << i;
    }
  }
};
PGQRS_ON_EVERY_BACKEND(MovedFrom);

TEST_P(MovedFrom, AStoreThrows) {
  auto store = Open();
  const auto moved = std::move(store);
  ExpectErrors("a PgqrsStore", {
                                   [&] { store.Queue("jobs"); },
                                   [&] { store.DeleteQueue("jobs"); },
                                   [&] { store.Ack(1); },
                                   [&] { store.FindMessage(1); },
                                   [&] { store.Admin(); },
                                   [&] { store.worker_id(); },
                                   [&] { store.EngineMetrics(); },
                               });
}

TEST_P(MovedFrom, AQueueThrowsAndTheOtherWorks) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto moved = std::move(queue);
  ExpectErrors("a Queue", {
                              [&] { queue.name(); },
                              [&] { queue.id(); },
                              [&] { queue.Enqueue("x"); },
                              [&] { queue.EnqueueBatchAsync({}); },
                              [&] { queue.Dequeue(); },
                              [&] { queue.DequeueBatchWait(1, seconds(1)); },
                              [&] { queue.NewConsumer(); },
                              [&] { queue.Metrics(); },
                              [&] { queue.ListArchived(); },
                              [&] { queue.ReplayDeadLetter(1); },
                              [&] { queue.PurgeDeadLetters(); },
                              [&] { queue.ApplyRetention({}); },
                              [&] { const QueueWorker worker(queue, [](Message&) {}); },
                          });
  EXPECT_GT(moved.Enqueue("x"), 0);
  queue = moved;
  EXPECT_TRUE(queue.Dequeue());
}

TEST_P(MovedFrom, AConsumerThrows) {
  auto store = Open();
  auto consumer = store.Queue("jobs").NewConsumer();
  auto moved = std::move(consumer);
  ExpectErrors("a Consumer", {
                                 [&] { consumer.worker_id(); },
                                 [&] { consumer.Dequeue(); },
                                 [&] { consumer.Ack(1); },
                                 [&] { consumer.ReleaseAsync(std::vector<std::int64_t>{1}); },
                                 [&] { consumer.Status(); },
                                 [&] { consumer.SetStatus(WorkerStatus::kPolling); },
                                 [&] { consumer.Close(); },
                             });
  EXPECT_FALSE(moved.Dequeue());
}

TEST_P(MovedFrom, AMessageThrowsAndItsLeaseIsLeftAlone) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("x");
  std::vector<Message> messages = queue.DequeueBatch(1);
  auto moved = std::move(messages.front());
  auto& message = messages.front();
  ExpectErrors("a Message", {
                                [&] { message.queue_name(); },
                                [&] { message.Ack(); },
                                [&] { message.Release(); },
                                [&] { message.ExtendLease(seconds(1)); },
                                [&] { message.ExtendLeaseAsync(seconds(1)); },
                                [&] { message.Delete(); },
                                [&] { message.DeadLetter("why"); },
                                [&] { store.Ack(messages); },
                            });
  EXPECT_TRUE(moved.Ack());
}

TEST_P(MovedFrom, AnAdminThrows) {
  auto store = Open();
  auto admin = store.Admin();
  const auto moved = std::move(admin);
  ExpectErrors("an Admin", {
                               [&] { admin.Install(); },
                               [&] { admin.Workers(); },
                               [&] { admin.PurgeStaleWorkers(seconds(1)); },
                               [&] { admin.WorkerHealth(); },
                               [&] { admin.ReleaseWorkerMessages(1); },
                           });
}

TEST_P(MovedFrom, APayloadIsRefused) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<Json> payloads = {Json(std::string(100, 'x'))};
  const auto moved = std::move(payloads.front());
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.Enqueue(payloads.front()); }),
              HasSubstr("moved from"));
  EXPECT_THAT(MessageOf<ValidationError>([&] { queue.EnqueueBatch(payloads); }),
              HasSubstr("payload 0"));
  EXPECT_FALSE(queue.Dequeue());
}

// NOLINTEND(bugprone-use-after-move)

}  // namespace
}  // namespace pgqrs::testing
