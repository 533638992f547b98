// Batches and the archive lie in partitions by batch id: made ahead, and dropped by retention.
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

using ::testing::ElementsAre;
using Rows = std::vector<std::vector<std::string>>;

// Where the first partition that takes new messages ends, and the next ones begin.
constexpr std::int64_t kSecond = (std::int64_t{1} << 20) + 1;
constexpr std::int64_t kThird = kSecond + (std::int64_t{1} << 20);

class Partitions : public PostgresTest {
 protected:
  // The next batch that is reserved gets this id.
  void GoTo(std::int64_t batch_id) {
    Shell().Execute("SELECT setval('pgqrs_batch_ids', " + std::to_string(batch_id) + ", false)");
  }

  // The ranges, as our table has them and as the server has them.
  Rows Ranges() {
    const auto rows = Shell().Query(
        "SELECT first_id::text, end_id::text FROM pgqrs_partitions ORDER BY first_id");
    for (const std::string parent : {"pgqrs_batches", "pgqrs_archive"}) {
      EXPECT_EQ(Shell().Query("SELECT substr(c.relname, 15), "
                              "substring(pg_get_expr(relpartbound, oid) FROM $$TO \\('([0-9]+)$$) "
                              "FROM pg_inherits JOIN pg_class AS c ON oid = inhrelid "
                              "WHERE inhparent = '" +
                              parent + "'::regclass ORDER BY substr(c.relname, 15)::bigint"),
                rows)
          << parent;
    }
    return rows;
  }

  static std::vector<std::string> Range(std::int64_t first, std::int64_t end) {
    return {std::to_string(first), std::to_string(end)};
  }

  // Enqueues a message and archives it.
  static std::int64_t Finish(PgqrsStore& store, Queue& queue) {
    const auto id = queue.Enqueue("x");
    EXPECT_EQ(queue.Dequeue().value().id(), id);
    EXPECT_TRUE(store.Ack(id));
    return id;
  }

  // A store that takes its ids from the second partition, after the first has a finished message.
  struct Filled {
    PgqrsStore store;
    Queue queue;
    std::int64_t id;
  };
  Filled FillTheFirst() {
    auto old = Open();
    auto old_queue = old.Queue("jobs");
    const auto id = Finish(old, old_queue);
    GoTo(kSecond);
    auto store = Open();
    auto queue = store.Queue("jobs");
    Finish(store, queue);
    return {std::move(store), std::move(queue), id};
  }

  // Removes all but the newest finished message.
  static constexpr RetentionPolicy kOnlyTheNewest = {.max_age = std::nullopt, .max_count = 1};
};

TEST_F(Partitions, ThereIsOneToBeginWith) {
  Open();
  EXPECT_THAT(Ranges(), ElementsAre(Range(0, 1), Range(1, kSecond)));
}

TEST_F(Partitions, TheNextIsMadeWhenHalfOfTheLastIsUsed) {
  auto store = Open();
  GoTo(kSecond / 2 - 5000);
  store.Queue("jobs").Enqueue("x");
  EXPECT_EQ(Ranges().size(), 2U);
  GoTo(kSecond / 2);
  auto other = Open();
  other.Queue("jobs").Enqueue("y");
  EXPECT_THAT(Ranges(), ElementsAre(Range(0, 1), Range(1, kSecond), Range(kSecond, kThird)));
  store.Admin().Verify();
}

TEST_F(Partitions, SqlMakesItToo) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  GoTo(kSecond - 2);
  const std::string enqueue = "SELECT pgqrs_enqueue('jobs', '\"x\"')";
  EXPECT_EQ(Shell().QueryInt(enqueue), (kSecond - 2) * 64);
  GoTo(kSecond - 1);  // A multiple of 1024.
  auto shell = Shell();
  shell.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(shell.QueryInt(enqueue), (kSecond - 1) * 64);
  EXPECT_EQ(shell.QueryInt(enqueue), kSecond * 64);
  shell.Execute("COMMIT");
  EXPECT_EQ(Ranges().size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.Dequeue().value().Ack());
  EXPECT_EQ(queue.Metrics().archived, 3);
}

TEST_F(Partitions, AreNotMadeForANumberThatMakesNoSense) {
  Open();
  for (const std::string wanted : {"0", "-1", "NULL", "65537"}) {
    EXPECT_THROW(Shell().Execute("SELECT pgqrs_reserve_batch_ids(" + wanted + ")"),
                 std::runtime_error)
        << wanted;
  }
  EXPECT_EQ(Ranges().size(), 2U);
}

// The next one is not needed yet.
TEST_F(Partitions, ThatALockIsInTheWayOfHoldUpNobody) {
  auto store = Open();
  store.Queue("jobs");
  auto shell = Shell();
  shell.Execute("BEGIN; LOCK TABLE pgqrs_batches IN SHARE UPDATE EXCLUSIVE MODE");
  GoTo(kSecond - 2000);
  EXPECT_NO_THROW(Open().Queue("jobs").Enqueue("x"));
  EXPECT_EQ(Ranges().size(), 2U);
}

TEST_F(Partitions, ManyWhoNeedTheSameOneAllGetIt) {
  Open();
  GoTo(kSecond - 100);
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      auto store = Open();
      auto queue = store.Queue("jobs");
      for (int n = 0; n < 50; ++n) queue.Enqueue("x");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(Open().Queue("jobs").Metrics().waiting, 400);
  EXPECT_EQ(Ranges().size(), 3U);
}

TEST_F(Partitions, ThatCannotBeMadeHoldUpNobodyBeforeTheyAreNeeded) {
  Open().Queue("jobs");
  Shell().Execute("CREATE TABLE pgqrs_archive_" + std::to_string(kSecond) +
                  " (); ALTER TABLE pgqrs_partitions ADD CHECK (first_id < " +
                  std::to_string(kSecond) + ")");
  GoTo(kSecond - 2000);
  EXPECT_NO_THROW(Open().Queue("jobs").Enqueue("x"));
  EXPECT_EQ(Ranges().size(), 2U);
  Shell().Execute("DROP TABLE pgqrs_archive_" + std::to_string(kSecond));
  GoTo(kSecond - 1500);
  EXPECT_NO_THROW(Open().Queue("jobs").Enqueue("x"));
  GoTo(kSecond - 1);
  EXPECT_THAT(MessageOf<Error>([&] { Open().Queue("jobs").Enqueue("x"); }),
              ::testing::HasSubstr("pgqrs_partitions"));
}

TEST_F(Partitions, OneWhoseMessagesMayAllGoIsDropped) {
  auto filled = FillTheFirst();
  EXPECT_EQ(filled.queue.ApplyRetention(kOnlyTheNewest), 1);
  EXPECT_THAT(Ranges(), ElementsAre(Range(0, kSecond), Range(kSecond, kThird)));
  EXPECT_FALSE(filled.store.FindMessage(filled.id));
  EXPECT_EQ(filled.queue.Metrics().archived, 1);
  filled.store.Admin().Verify();
  EXPECT_EQ(filled.queue.ApplyRetention({.max_age = Duration::zero(), .max_count = std::nullopt}),
            1);
  EXPECT_EQ(Ranges().size(), 2U) << "the last one stays";
}

TEST_F(Partitions, AnIdThatIsUsedLateIsStillGood) {
  auto late = Open();
  auto late_queue = late.Queue("jobs");
  const auto id = Finish(late, late_queue);
  auto filled = FillTheFirst();
  EXPECT_EQ(filled.queue.ApplyRetention(kOnlyTheNewest), 2);
  EXPECT_EQ(Ranges().size(), 2U);
  const auto late_id = Finish(late, late_queue);
  EXPECT_GT(late_id, id);
  EXPECT_LT(late_id, kSecond * 64);
  EXPECT_EQ(filled.queue.Metrics().archived, 2);
  EXPECT_EQ(filled.queue.ApplyRetention(kOnlyTheNewest), 1);
  filled.store.Admin().Verify();
}

TEST_F(Partitions, OneWithAnythingElseStays) {
  auto filled = FillTheFirst();
  const auto expect_stays = [&](const std::string& what) {
    filled.queue.ApplyRetention(kOnlyTheNewest);
    EXPECT_EQ(Ranges().size(), 3U) << what;
  };
  GoTo(100'000);
  {
    auto store = Open();
    auto queue = store.Queue("jobs");
    queue.Enqueue("x");
    GoTo(kSecond + 100'000);
    expect_stays("a message that waits");
    auto message = queue.Dequeue().value();
    expect_stays("a message under lease");
    message.DeadLetter("broken");
    expect_stays("a dead letter");
    EXPECT_EQ(queue.PurgeDeadLetters(), 1);
  }
  GoTo(200'000);
  {
    auto store = Open();
    auto queue = store.Queue("others");
    Finish(store, queue);
    GoTo(kSecond + 200'000);
    expect_stays("a message of another queue");
    EXPECT_EQ(queue.ApplyRetention({.max_age = Duration::zero(), .max_count = std::nullopt}), 1);
  }
  EXPECT_EQ(Ranges().size(), 2U);
}

TEST_F(Partitions, OneIsDroppedForAQueueAndInSightOfAll) {
  auto filled = FillTheFirst();
  auto shell = Shell();
  EXPECT_EQ(shell.QueryText("SELECT pgqrs_drop_oldest_partition(NULL, 'infinity', NULL)::text"),
            "NULL");
  const auto queue_id = std::to_string(filled.queue.id());
  const auto drop = "SELECT pgqrs_drop_oldest_partition(" + queue_id + ", 'infinity', NULL)::text";
  shell.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(shell.QueryText(drop), "NULL");
  shell.Execute("COMMIT");
  EXPECT_EQ(Ranges().size(), 3U);
  EXPECT_EQ(shell.QueryText(drop), "1");
  EXPECT_EQ(shell.QueryText(drop), "NULL");
  EXPECT_EQ(Ranges().size(), 2U);
}

TEST_F(Partitions, OneThatSomebodyReadsStaysAndItsMessagesGo) {
  auto filled = FillTheFirst();
  auto reader = Shell();
  reader.Execute("BEGIN; SELECT count(*) FROM pgqrs_archive");
  EXPECT_EQ(filled.queue.ApplyRetention(kOnlyTheNewest), 1);
  EXPECT_EQ(Ranges().size(), 3U);
  EXPECT_FALSE(filled.store.FindMessage(filled.id));
  reader.Execute("COMMIT");
  EXPECT_EQ(filled.queue.ApplyRetention(kOnlyTheNewest), 0);
  EXPECT_EQ(Ranges().size(), 2U);
}

}  // namespace
}  // namespace pgqrs::testing
