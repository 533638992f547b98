// The hot set stays small while a transaction elsewhere keeps dead rows alive.
#include <atomic>
#include <chrono>
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

  static constexpr std::int64_t kLeastBytes = 4 << 20;

  // Rows that are dead and that vacuum cannot remove, well over so many bytes of them.
  void MakeDeadRows(std::int64_t bytes = kLeastBytes) {
    shell_.Execute(
        "INSERT INTO pgqrs_slices (queue_id, id, mask, visible_at, priority, n) "
        "SELECT -1, i * 64, 1, now(), 5, 1 FROM generate_series(1, " +
        std::to_string(bytes / 150) + ") AS i");
    shell_.Execute("DELETE FROM pgqrs_slices WHERE queue_id = -1");
    shell_.Execute("VACUUM pgqrs_slices");
    ASSERT_GT(Bytes(), bytes);
  }
  std::int64_t Bytes() { return shell_.QueryInt("SELECT pg_total_relation_size('pgqrs_slices')"); }
  bool Compact() { return CompactIn(shell_); }
  static bool CompactIn(PostgresShell& shell) {
    return shell.QueryText("SELECT pgqrs_compact_slices(" + std::to_string(kLeastBytes) + ")") ==
           "t";
  }

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

  EXPECT_GT(Bytes(), kLeastBytes);
  busy.Execute("COMMIT");
  EXPECT_TRUE(Compact());
  EXPECT_TRUE(queue_.Dequeue());
}

TEST_F(PostgresCompact, NobodyLooksOnFromAnOldSnapshot) {
  MakeDeadRows();
  auto shell = Shell();
  shell.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_FALSE(CompactIn(shell));
}

// A dump takes its snapshot first, and its locks soon after.
TEST_F(PostgresCompact, ADumpFindsEverything) {
  queue_.EnqueueBatch(std::vector<Json>(200, Json::Parse("{}")));
  MakeDeadRows();
  auto dump = Shell();
  dump.Execute("SET application_name = 'pg_dump'");
  dump.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  dump.Query("SELECT 1");

  EXPECT_FALSE(Compact());

  EXPECT_EQ(dump.QueryInt("SELECT sum(n) FROM pgqrs_slices"), 200);
  dump.Execute("RESET application_name");
  dump.Execute("COMMIT");
  EXPECT_TRUE(Compact());
}

// One that took its snapshot while the table was about to be written anew waits for the lock then.
TEST_F(PostgresCompact, ADumpThatComesMeanwhileFindsEverything) {
  queue_.EnqueueBatch(std::vector<Json>(200, Json::Parse("{}")));
  MakeDeadRows();
  shell_.Execute(
      "CREATE FUNCTION come() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM set_config('application_name', 'pg_dump', false); RETURN NULL; END $$; "
      "CREATE TRIGGER come BEFORE TRUNCATE ON pgqrs_slices EXECUTE FUNCTION come()");
  EXPECT_FALSE(Compact());
  EXPECT_GT(Bytes(), kLeastBytes);
  EXPECT_EQ(queue_.DequeueBatch(1000).size(), 200);
}

// However a server writes times as text.
TEST_F(PostgresCompact, TimesStayToTheMicrosecond) {
  queue_.Enqueue("later", {.delay = std::chrono::hours(1)});
  const auto times = "SELECT id, extract(epoch FROM visible_at) FROM pgqrs_slices ORDER BY id";
  const auto before = shell_.Query(times);
  MakeDeadRows();
  shell_.Execute("SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'");
  EXPECT_TRUE(Compact());
  EXPECT_EQ(shell_.Query(times), before);
}

// Subscribers that do not get a TRUNCATE would get the rows a second time.
TEST_F(PostgresCompact, APublicationWithoutTruncateIsRespected) {
  MakeDeadRows();
  shell_.Execute("SET client_min_messages = error");
  shell_.Execute(
      "CREATE PUBLICATION partly FOR TABLE pgqrs_slices WITH (publish = 'insert, update, delete')");
  EXPECT_FALSE(Compact());
  shell_.Execute("DROP PUBLICATION partly; CREATE PUBLICATION whole FOR ALL TABLES");
  EXPECT_TRUE(Compact());
}

TEST_F(PostgresCompact, OneAtATime) {
  MakeDeadRows();
  auto other = Shell();
  other.Execute("BEGIN");
  other.Query("SELECT pg_advisory_xact_lock(hashtextextended('pgqrs compact public', 0))");
  EXPECT_FALSE(Compact());
}

TEST_F(PostgresCompact, LongErrorsAreNotCopied) {
  queue_.EnqueueBatch(std::vector<Json>(200, Json::Parse("{}")));
  MakeDeadRows();
  shell_.Execute("UPDATE pgqrs_slices SET last_error = repeat('x', 8000000)");
  EXPECT_FALSE(Compact());
  shell_.Execute("UPDATE pgqrs_slices SET last_error = repeat('x', 1000000)");
  EXPECT_TRUE(Compact());
  EXPECT_EQ(queue_.DequeueBatch(200).size(), 200);
}

TEST_F(PostgresCompact, ALongQueueIsNotCopied) {
  shell_.Execute("SELECT pgqrs_enqueue('jobs', '0') FROM generate_series(1, 3000)");
  MakeDeadRows();
  EXPECT_FALSE(Compact());
}

TEST_F(PostgresCompact, StoresDoItByThemselves) {
  config().heartbeat_interval = std::chrono::milliseconds(100);
  auto store = Open();
  MakeDeadRows(64 << 20);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (Bytes() > 1 << 20 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LT(Bytes(), 1 << 20);
}

// What the store reads as of one moment is whole, also where that moment is while the hot set is
// written anew.
TEST_F(PostgresCompact, ReadsMissNothing) {
  const auto ids = queue_.EnqueueBatch(std::vector<Json>(70, Json::Parse("{}")));
  const auto read_meanwhile = [&](const auto& begin) {
    shell_.Execute("BEGIN; LOCK TABLE pgqrs_slices");
    auto result = begin();
    while (Shell().QueryInt("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
                            "'pgqrs_slices'::regclass") == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    shell_.Execute(
        "CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE pgqrs_slices; TRUNCATE pgqrs_slices; "
        "INSERT INTO pgqrs_slices TABLE kept; COMMIT");
    return result.Get();
  };

  EXPECT_EQ(read_meanwhile([&] { return queue_.MetricsAsync(); }).waiting, 70);
  EXPECT_EQ(read_meanwhile([&] { return store_.Admin().MetricsAsync(); }).at(0).waiting, 70);
  EXPECT_THAT(read_meanwhile([&] { return store_.Admin().MessagesAsync(Page{}); }), SizeIs(70));
  EXPECT_TRUE(read_meanwhile([&] { return store_.FindMessageAsync(ids.at(0)); }));
  EXPECT_NO_THROW(read_meanwhile([&] { return store_.Admin().VerifyAsync(); }));
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
    compacted += Bytes() < kLeastBytes ? 1 : 0;
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
