// Rows that another program has damaged: calls say so or pass them by, and the rest goes on.
#include <future>
#include <thread>

#include "engine/engine_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Damaged : public EngineTest {};

TEST_F(Damaged, PayloadsThatAreTooFewFailTheDequeueAndLeaveTheMessagesAsTheyAre) {
  for (const char* payloads : {"", "[", "[]", "[1]", "[1,]", "[,2]"}) {
    auto queue = Open();
    const std::vector<Json> two(2, "x");
    const auto ids = queue.EnqueueBatch(two);
    const auto batch = std::to_string(ids.front() / 64);
    SqliteShell shell(path());
    shell.Execute("UPDATE pgqrs_batches SET payloads = '" + std::string(payloads) +
                  "' WHERE id = " + batch);
    EXPECT_THAT(MessageOf<InternalError>([&] { queue.DequeueBatch(2); }),
                AllOf(HasSubstr("batch " + batch), HasSubstr("damaged")))
        << payloads;
    EXPECT_EQ(shell.QueryInt("SELECT sum(n) FROM pgqrs_slices WHERE read_ct = 0"), 2);
    // An enqueue of the same group is not harmed.
    HeldLane held(faults(), queue);
    auto dequeue = queue.DequeueBatchAsync(2);
    auto enqueue = queue.EnqueueAsync("good");
    held.Release();
    EXPECT_THROW(dequeue.Get(), InternalError);
    EXPECT_GT(enqueue.Get(), 0);
    Close();
    EXPECT_EQ(OpenAnother().PurgeQueue("jobs"), 3);
  }
}

TEST_F(Damaged, ASliceWithoutItsBatchDoesNotKeepTheLaneBusyNorHoldUpAWait) {
  auto queue = Open();
  queue.Enqueue("lost");
  SqliteShell(path()).Execute("DELETE FROM pgqrs_batches");
  EXPECT_FALSE(queue.Dequeue());
  const auto before = Metrics().groups;
  auto wait = queue.DequeueWaitAsync(kForever);
  // It looks again every 10 ms. The timer calls in the order of time, so that at its entry no more
  // than these can have begun, and two at the beginning.
  std::promise<std::uint64_t> groups;
  core().engine().timer().At(std::chrono::steady_clock::now() + milliseconds(200),
                             [&] { groups.set_value(Metrics().groups); });
  EXPECT_LE(groups.get_future().get() - before, 22U);
  const auto id = queue.Enqueue("good");
  EXPECT_EQ(wait.Get()->id(), id);
}

}  // namespace
}  // namespace pgqrs::testing
