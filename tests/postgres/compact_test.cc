// The hot set stays small while a transaction elsewhere keeps dead rows alive.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::SizeIs;

class PostgresCompact : public PostgresTest {
 protected:
  PostgresCompact() {
    pinned_.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    pinned_.Query("SELECT count(*) FROM pgqrs_queues");
  }

  // Rows that are dead and that vacuum cannot remove, well over 64 MiB of them.
  void MakeDeadRows() {
    shell_.Execute(
        "INSERT INTO pgqrs_slices (queue_id, id, mask, visible_at, priority, n) "
        "SELECT -1, i * 64, 1, now(), 5, 1 FROM generate_series(1, 450000) AS i");
    shell_.Execute("DELETE FROM pgqrs_slices WHERE queue_id = -1");
    shell_.Execute("VACUUM pgqrs_slices");
    ASSERT_GT(Bytes(), 64 << 20);
  }
  std::int64_t Bytes() { return shell_.QueryInt("SELECT pg_total_relation_size('pgqrs_slices')"); }
  bool Compact() { return shell_.QueryText("SELECT pgqrs_compact_slices()") == "t"; }

  PgqrsStore store_ = Open();
  Queue queue_ = store_.Queue("jobs");
  PostgresShell shell_ = Shell();
  PostgresShell pinned_ = Shell();
};

TEST_F(PostgresCompact, DeadRowsGoAndMessagesStay) {
  queue_.EnqueueBatch(std::vector<Json>(200, Json::Parse("{}")));
  queue_.Enqueue("later", {.delay = std::chrono::hours(1)});
  auto held = queue_.DequeueBatch(30);
  ASSERT_TRUE(held.back().Release(Duration::zero(), "try again"));
  held.pop_back();
  const auto before = shell_.Query("SELECT * FROM pgqrs_slices ORDER BY id");
  MakeDeadRows();

  EXPECT_TRUE(Compact());

  EXPECT_LT(Bytes(), 1 << 20);
  EXPECT_EQ(shell_.Query("SELECT * FROM pgqrs_slices ORDER BY id"), before);
  store_.Admin().Verify();
  for (auto& message : held) EXPECT_TRUE(message.Ack());
  EXPECT_THAT(queue_.DequeueBatch(1000), SizeIs(171));
  EXPECT_FALSE(Compact()) << "it is small now";
}

TEST_F(PostgresCompact, TheTableIsLeftAloneWhileSomebodyUsesIt) {
  MakeDeadRows();
  auto busy = Shell();
  busy.Execute("BEGIN");
  busy.Query("SELECT pgqrs_enqueue('jobs', '0')");

  EXPECT_FALSE(Compact());

  EXPECT_GT(Bytes(), 64 << 20);
  busy.Execute("COMMIT");
  EXPECT_TRUE(Compact());
  EXPECT_TRUE(queue_.Dequeue());
}

TEST_F(PostgresCompact, NobodyLooksOnFromAnOldSnapshot) {
  MakeDeadRows();
  auto shell = Shell();
  shell.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(shell.QueryText("SELECT pgqrs_compact_slices()"), "f");
}

TEST_F(PostgresCompact, ALongQueueIsNotCopied) {
  shell_.Execute("SELECT pgqrs_enqueue('jobs', '0') FROM generate_series(1, 30000)");
  MakeDeadRows();
  EXPECT_FALSE(Compact());
}

// Each message comes once, whatever is written anew in between.
TEST_F(PostgresCompact, WorkGoesOnMeanwhile) {
  constexpr int kMessages = 6000;
  std::atomic<int> acked = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        auto batch = queue_.DequeueBatch(7);
        for (const bool done : store_.Ack(std::span<const Message>(batch))) acked += done ? 1 : 0;
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kMessages / 20; ++i) {
      queue_.EnqueueBatch(std::vector<Json>(20, Json::Parse("{}")));
    }
  });
  int compacted = 0;
  for (int i = 0; i < 3; ++i) {
    MakeDeadRows();
    for (int attempt = 0; attempt < 20 && !Compact(); ++attempt) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    compacted += Bytes() < 64 << 20 ? 1 : 0;
  }
  threads.back().join();
  threads.pop_back();
  while (queue_.Metrics().waiting + queue_.Metrics().leased > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(compacted, 3);
  EXPECT_EQ(acked, kMessages);
  store_.Admin().Verify();
}

}  // namespace
}  // namespace pgqrs::testing
