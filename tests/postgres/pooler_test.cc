// A store behind PgBouncer in transaction mode, which has a single session to lend: whatever a
// store would hold on to between its transactions, it would miss here or leave to others.
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "postgres/postgres_test.h"

namespace pgqrs::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

// It lends a single session.
struct SmallPooler {
  explicit SmallPooler(const PostgresServer& server)
      : process(PostgresServer::PoolerOf(server, "transaction", {"default_pool_size=1"})) {}
  PostgresServer process;
};

class Pooler : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (PostgresServer::HasPooler()) server_.emplace(PostgresOptions{.fsync = false});
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    if (!server_) GTEST_SKIP() << "pgbouncer is not installed; scripts/bootstrap test installs it";
    pooler_.emplace(*server_);
    config_.dsn = pooler_->process.dsn();
    config_.schema = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    // Notifications cannot be heard here.
    config_.fallback_poll_interval = milliseconds(20);
  }

  Config& config() { return config_; }
  PostgresServer& pooler() { return pooler_->process; }
  PgqrsStore Open() { return PgqrsStore::Connect(config_); }

  // A store on the server itself.
  PgqrsStore OpenDirectly() {
    Config config = config_;
    config.dsn = server_->dsn();
    return PgqrsStore::Connect(config);
  }

  // Somebody else to whom the session is lent.
  PostgresShell Shell() { return PostgresShell(pooler_->process.dsn()); }

  PostgresShell ShellBesideThePooler() { return PostgresShell(server_->dsn()); }

  std::string Table(const std::string& name) const { return '"' + config_.schema + "\"." + name; }

 private:
  static inline std::optional<PostgresServer> server_;
  std::optional<SmallPooler> pooler_;
  Config config_{""};
};

TEST_F(Pooler, OneSessionServesAStoreWithSeveralThreads) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([queue]() mutable {
      for (int n = 0; n < 20; ++n) {
        queue.Enqueue("x");
        auto message = queue.DequeueWait(minutes(1));
        ASSERT_TRUE(message);
        EXPECT_TRUE(message->Ack());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(queue.Metrics().archived, 160);
}

TEST_F(Pooler, EverythingThatAStoreDoesCanBeDone) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads(5, "x");
  queue.EnqueueBatch(payloads);
  auto messages = queue.DequeueBatch(4);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_TRUE(messages[0].Ack());
  EXPECT_TRUE(messages[1].Release());
  EXPECT_TRUE(messages[2].DeadLetter("broken"));
  EXPECT_TRUE(messages[3].Delete());
  EXPECT_EQ(queue.ReplayDeadLetters(), 1);
  EXPECT_EQ(queue.ApplyRetention({.max_count = 0}), 1);
  EXPECT_EQ(queue.Metrics().waiting, 3);
  store.Admin().Install();
  store.DeleteQueue("jobs", /*force=*/true);
}

TEST_F(Pooler, EachTransactionMakesItsSettingsAndLeavesNothing) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  auto shell = Shell();
  shell.Execute("CREATE TABLE " + Table("seen") + " AS SELECT ''::text AS settings;" +
                "CREATE FUNCTION " + Table("note()") + " RETURNS trigger LANGUAGE plpgsql AS $$ " +
                "BEGIN UPDATE " + Table("seen") + " SET settings = concat_ws(' ', " +
                "current_setting('enable_seqscan'), current_setting('plan_cache_mode'), " +
                "current_setting('transaction_isolation')); RETURN NULL; END $$;" +
                "CREATE TRIGGER note AFTER INSERT ON " + Table("pgqrs_batches") +
                " EXECUTE FUNCTION " + Table("note()"));
  shell.Execute("SET default_transaction_isolation = serializable");
  const std::string state =
      "SELECT concat_ws(' ', pg_backend_pid(), current_setting('enable_seqscan'), "
      "current_setting('plan_cache_mode'), current_setting('default_transaction_isolation'), "
      "(SELECT count(*) FROM pg_prepared_statements), "
      "(SELECT count(*) FROM pg_listening_channels()))";
  const auto before = shell.QueryText(state);

  queue.Enqueue("x");
  EXPECT_TRUE(queue.DequeueWait(minutes(1)));
  EXPECT_EQ(queue.Metrics().leased, 1);

  EXPECT_EQ(shell.QueryText(state), before);
  EXPECT_THAT(before, ::testing::EndsWith(" on auto serializable 0 0"));
  EXPECT_EQ(shell.QueryText("SELECT settings FROM " + Table("seen")),
            "off force_generic_plan read committed");
}

// What is read as of one moment is read as of a moment at which the slices are held already.
TEST_F(Pooler, ReadsMissNothingThatIsWrittenAnew) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.EnqueueBatch(std::vector<Json>(70, "x"));
  auto shell = ShellBesideThePooler();
  const auto slices = Table("pgqrs_slices");
  shell.Execute("BEGIN; LOCK TABLE " + slices);
  auto metrics = queue.MetricsAsync();
  while (shell.QueryInt("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" +
                        slices + "'::regclass") == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  shell.Execute("CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE " + slices + "; TRUNCATE " +
                slices + "; INSERT INTO " + slices + " TABLE kept; COMMIT");
  EXPECT_EQ(metrics.Get().waiting, 70);
}

TEST_F(Pooler, AConsumerThatWaitsFindsWhatAStoreBesideThePoolerEnqueues) {
  auto store = Open();
  auto waiting = store.Queue("jobs").DequeueWaitAsync(minutes(1));
  OpenDirectly().Queue("jobs").Enqueue("x");
  const auto message = waiting.Get();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload().AsString(), "x");
}

TEST_F(Pooler, AStoreBesideThePoolerIsWokenByWhatComesThroughIt) {
  config().fallback_poll_interval = minutes(10);
  auto direct = OpenDirectly();
  auto waiting = direct.Queue("jobs").DequeueWaitAsync(minutes(1));
  Open().Queue("jobs").Enqueue("x");
  EXPECT_TRUE(waiting.Get());
}

TEST_F(Pooler, AWorkerHandlesEachMessageOnce) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  const std::vector<Json> payloads(100, "x");
  queue.EnqueueBatch(payloads);
  std::atomic<int> handled{0};
  QueueWorker* running = nullptr;
  QueueWorker worker(queue,
                     [&](Message&) {
                       if (++handled == 100) running->RequestStop();
                     },
                     {.concurrency = 4, .prefetch = 20});
  running = &worker;
  worker.Run();
  EXPECT_EQ(handled, 100);
  EXPECT_EQ(queue.Metrics().archived, 100);
}

TEST_F(Pooler, ItsRestartIsSurvived) {
  auto store = Open();
  auto queue = store.Queue("jobs");
  queue.Enqueue("before");
  auto held = queue.Dequeue();
  ASSERT_TRUE(held);
  auto waiting = queue.DequeueWaitAsync(minutes(1));

  pooler().Restart();

  queue.Enqueue("after");
  EXPECT_EQ(waiting.Get().value().payload().AsString(), "after");
  EXPECT_TRUE(held->Ack());
  EXPECT_EQ(queue.Metrics().archived, 1);
}

TEST_F(Pooler, OptionsOfTheCallerThatItRefusesAreNotDropped) {
  config().dsn += "?options=-c%20statement_timeout%3D5000";
  config().connection_timeout = std::chrono::seconds(2);
  EXPECT_THAT(MessageOf<PgqrsConnectionError>([&] { Open(); }),
              HasSubstr("unsupported startup parameter"));
}

}  // namespace
}  // namespace pgqrs::testing
